"""SQLite files that stay whole when the process is killed."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path


def open_sqlite(file: Path, tables: str, isolation_level: Literal["DEFERRED"] | None = None) -> sqlite3.Connection:
    """Open a SQLite file for all threads of the process.

    A killed process loses nothing with a write-ahead log. Only a power cut could lose the last moments.

    Args:
        file: the file; created if it is missing.
        tables: the statements that create its tables where they are missing.
        isolation_level: how transactions begin; by default each statement is one.

    Raises:
        sqlite3.Error: it cannot be opened; the message names it.
    """
    connection = sqlite3.connect(file, check_same_thread=False, isolation_level=isolation_level)
    try:
        connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {tables}")
    except sqlite3.Error as error:
        connection.close()
        raise sqlite3.DatabaseError(f"{file.name}: {error}") from error
    return connection
