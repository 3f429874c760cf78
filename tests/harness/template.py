"""Data folders that take seconds to fill: filled once, kept by the digest of what they come from, copied per server."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from catalog.files import REPOSITORY
from local.engine import offline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEMPLATES = REPOSITORY / ".cache" / "templates"
#: The code that decides the content of a data folder; so do Python and what is installed.
SOURCES = ("sql", "environments", "starting", "catalog", "declared", "google", "local", "tests/harness")


def copy_template(
    name: str, data: Path, fill: Callable[[Path], None], valid: str = "", more: tuple[str, ...] = ()
) -> None:
    """Copy a template into a data folder that no server has opened; the first caller fills the template.

    Args:
        name: the template's name; of each name the newest is kept.
        data: the empty data folder.
        fill: starts a server on a folder, fills it, and ends the server.
        valid: what else the content depends on, such as the day.
        more: the files and folders of code that it depends on besides :data:`SOURCES`.
    """
    template = TEMPLATES / f"{name}-{_digest(valid, more)}"
    TEMPLATES.mkdir(parents=True, exist_ok=True)
    with (TEMPLATES / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers that come meanwhile wait for the first
        if not template.exists():
            for old in TEMPLATES.glob(f"{name}-*"):
                shutil.rmtree(old)
            with tempfile.TemporaryDirectory(dir=TEMPLATES) as folder:
                fill(Path(folder) / "data")
                (Path(folder) / "data").rename(template)
        shutil.copytree(template, data, dirs_exist_ok=True)
    offline.import_extensions()
    for lake in (data / "data").glob("*.ducklake"):
        with duckdb.connect(str(lake)) as metadata:  # DuckLake keeps the folder of its files by its whole path
            place = f"{lake.with_suffix('')}/"
            metadata.execute("UPDATE ducklake_metadata SET value = ? WHERE key = 'data_path'", [place])


def _digest(valid: str, more: tuple[str, ...] = ()) -> str:
    installed = sorted(place.name for place in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))
    digest = hashlib.sha256(repr((valid, sys.version_info, installed)).encode())
    for file in _files(SOURCES + more):
        digest.update(f"\0{file.relative_to(REPOSITORY)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:24]


def _files(sources: tuple[str, ...]) -> Iterator[Path]:
    for place in (REPOSITORY / source for source in sources):
        if place.is_file():
            yield place
        yield from sorted(file for file in place.rglob("*") if file.suffix in {".py", ".sh", ".sql", ".yaml"})
