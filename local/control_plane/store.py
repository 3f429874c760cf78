"""Where the control plane keeps its resources: one SQLite file, written immediately, so a kill loses nothing."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local import LocalError
from local.sqlite_file import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Resource = dict[str, Any]

TABLES = """
CREATE TABLE IF NOT EXISTS resources (
    kind TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID
"""


class Store:
    """Resources by kind and name, as Google's JSON has them.

    Raises:
        LocalError: on construction, when the file cannot be used; it is left as it is.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.RLock()
        try:
            self._connection = open_sqlite(file, TABLES)
            damage = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            damage = str(error)
        if damage != "ok":
            raise LocalError(
                f"{file}: the control plane's file cannot be used: {damage}\n"
                "Nothing was changed. Move the file away to start with an empty one, or restore a copy."
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make a block one step for all other threads, which happens completely or not at all."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def get(self, kind: str, name: str) -> Resource | None:
        """A resource, or None."""
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM resources WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, name: str, body: Resource) -> Resource:
        """Store a resource; an earlier one with this name is replaced."""
        with self._lock:
            self._connection.execute("REPLACE INTO resources VALUES (?, ?, ?)", (kind, name, json.dumps(body)))
        return body

    def delete(self, kind: str, name: str) -> None:
        """Delete a resource."""
        with self._lock:
            self._connection.execute("DELETE FROM resources WHERE kind = ? AND name = ?", (kind, name))

    def list(self, kind: str, prefix: str = "") -> list[Resource]:
        """The resources of a kind whose names begin with a prefix, by name."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM resources WHERE kind = ? AND substr(name, 1, ?) = ? ORDER BY name",
                (kind, len(prefix), prefix),
            ).fetchall()
        return [json.loads(body) for (body,) in rows]

    def next_number(self) -> int:
        """A number that was never returned before."""
        with self.transaction():
            number = int((self.get("counter", "all") or {"value": 0})["value"]) + 1
            self.put("counter", "all", {"value": number})
        return number

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
