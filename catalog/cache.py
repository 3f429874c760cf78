"""The cache folder, and results in it that are found by the content they were made from.

A result belongs to the code that made it: the digest of this package and the analyzer's version name the folder that
holds it, so a changed rule never meets an old result.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import shutil
import tempfile
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".cache"
#: Seconds after which the results of other code are deleted.
KEPT_SECONDS = 7 * 24 * 3600


@cache
def code_digest() -> str:
    """The digest of this package's code and of the analyzer's version."""
    digest = hashlib.sha256(version("zetasql").encode())
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        data = path.read_bytes()
        digest.update(f"\0{path.relative_to(folder)}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def key(*content: object) -> str:
    """The key of a result.

    Args:
        content: everything that the result depends on, except the code; values whose ``repr`` tells them apart.
    """
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]


def read(key: str) -> Any:
    """The result that was written under a key; None if there is none, or if its file is damaged."""
    try:
        return pickle.loads((_folder() / key).read_bytes())  # noqa: S301 - this module wrote it
    except Exception:  # noqa: BLE001 - pickle raises anything on damaged bytes; the result is then computed again
        return None


def write(key: str, result: Any) -> None:
    """Keep a result for the next process."""
    folder = _folder()
    if not folder.is_dir():
        _delete_old(folder.parent)
    write_whole(folder / key, pickle.dumps(result))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name and rename it, so that a reader never sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(data)
    Path(part.name).replace(path)


def _folder() -> Path:
    return CACHE / "catalog" / code_digest()


def _delete_old(results: Path) -> None:
    """Delete the results of code that nobody has run for a week."""
    for folder in results.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another process deletes it too
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
