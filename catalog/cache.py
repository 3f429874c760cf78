"""The cache: results that are found by the content they were made from.

It is in the user's cache folder, where nobody else can write, so a checkout cannot bring results along. Data is JSON
that is decoded by type, so reading it runs nothing. The cache is optional: what cannot be read is made again, and what
cannot be written is not kept.

A result belongs to the code that made it: the digest of this package and of what the analyzer consists of names the
folder that holds it, so a changed rule never meets an old result.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "eros-infrastructure"
#: Days after which what nobody has used is deleted.
KEPT_DAYS = 7
#: Packages that decide the analyzer's answers, in addition to this package's code.
ANALYZER = ("zetasql", "tzdata", "wasmtime", "protobuf")


@cache
def cache_folder() -> Path | None:
    """The user's cache folder; None if there is none that this user alone can write to."""
    for folder in _candidates():
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and _is_ours(status) and os.access(folder, os.W_OK | os.X_OK):
                return folder
    return None


def _candidates() -> Iterator[Path]:
    """Where the folder may be: by the rules of the XDG base directories, else among the temporary files."""
    for parent in (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")):  # noqa: PTH111 - see below
        if Path(parent).is_absolute():  # XDG ignores a relative path; without a home, "~" is left as it is
            yield Path(parent) / NAME
            break
    with contextlib.suppress(OSError):  # there is no folder of temporary files
        yield Path(tempfile.gettempdir()) / f"{NAME}-{os.geteuid()}"


def _is_ours(status: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user, and nobody else may write to it."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@cache
def code_digest() -> str:
    """The digest of this package's code, and of the versions of the analyzer, its parts and Python."""
    digest = hashlib.sha256(repr([sys.version_info[:2], *map(version, ANALYZER)]).encode())
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        data = path.read_bytes()
        digest.update(f"\0{path.relative_to(folder)}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def digest_of(*content: object) -> str:
    """A digest of values whose ``repr`` tells them apart."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]


def key(*content: object) -> str:
    """The name of a result of this package's code.

    Args:
        content: everything else that the result depends on; values whose ``repr`` tells them apart.
    """
    return f"{code_digest()}/{digest_of(*content)}"


def read[T](name: str, form: type[T]) -> T | None:
    """The result of a name; None if there is none, or if its file is not one of the given type."""
    try:
        return _decoder(cast("Any", form)).decode(path.read_bytes()) if (path := find(name)) else None
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):  # damaged, or nested too deep
        return None


def write(name: str, result: Any) -> None:
    """Keep a result for the next process."""
    write_whole(name, msgspec.json.encode(result, enc_hook=_encoded))


def find(name: str) -> Path | None:
    """The file of a name; None if there is none that this user alone can have written."""
    if (folder := cache_folder()) is None:
        return None
    _mark_used(name.partition("/")[0], folder)
    place = folder / name
    with contextlib.suppress(OSError):
        status = place.lstat()
        if stat.S_ISREG(status.st_mode) and _is_ours(status):
            return place
    return None


def write_whole(name: str, data: bytes) -> None:
    """Write a file under a temporary name and rename it, so that no reader sees a part; none if that fails."""
    if (folder := cache_folder()) is None:
        return
    place = folder / name
    with contextlib.suppress(OSError):  # the disk is full, or another process deletes the folder as an old one
        if not place.parent.is_dir():
            _delete_unused(folder)
            place.parent.mkdir(mode=0o700, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=place.parent)
        try:
            with open(handle, "wb") as file:  # noqa: PTH123 - a handle, not a path
                file.write(data)
            Path(part).replace(place)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


@cache
def _decoder(form: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(form, dec_hook=lambda kind, value: kind(value))


def _encoded(value: object) -> str:
    """The form of a value that JSON does not know: a path."""
    if not isinstance(value, Path):
        raise NotImplementedError(f"the cache cannot hold a {type(value).__name__}")
    return str(value)


@cache
def _mark_used(entry: str, folder: Path) -> None:
    """Date an entry of the folder by its last use, once per process."""
    with contextlib.suppress(OSError):
        os.utime(folder / entry, follow_symlinks=False)


def _delete_unused(folder: Path) -> None:
    """Delete the entries that nobody has used for a week."""
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):  # another process deletes it too
            if time.time() - entry.lstat().st_mtime > KEPT_DAYS * 24 * 3600:
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir(follow_symlinks=False) else entry.unlink()
