"""Keeps a data folder to its user: it has mode 0700, and the files in it 0600."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
OTHERS = 0o077


def keep_private() -> None:
    """Create all further files and folders of this process for its user only."""
    os.umask(OTHERS)


def is_shared(folder: Path) -> bool:
    """Whether a folder is one like /tmp, which belongs to nobody alone."""
    return bool(folder.stat().st_mode & stat.S_ISVTX)


def close_to_others(place: Path) -> None:
    """Take a file or folder from other users, unless it is theirs."""
    with suppress(FileNotFoundError, PermissionError):
        mode = place.lstat().st_mode
        if mode & OTHERS and not stat.S_ISLNK(mode):
            place.chmod(stat.S_IMODE(mode) & ~OTHERS)


def close_all_to_others(folder: Path) -> None:
    """Take everything in a folder from other users."""
    for parent, folders, files in folder.walk():
        for name in (*folders, *files):
            close_to_others(parent / name)
