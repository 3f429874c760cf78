"""Where the control plane keeps its resources: one SQLite file, written through, so that nothing is lost by a kill."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Resource = dict[str, Any]


class Store:
    """Resources by kind and name. ``lock`` makes a read-modify-write of a caller one step."""

    def __init__(self, file: Path) -> None:
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS resources "
            "(kind TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID"
        )

    def get(self, kind: str, name: str) -> Resource | None:
        """A resource, or None."""
        with self.lock:
            row = self._connection.execute(
                "SELECT body FROM resources WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, name: str, body: Resource) -> Resource:
        """Keep a resource, in the place of one that was there."""
        with self.lock:
            self._connection.execute("REPLACE INTO resources VALUES (?, ?, ?)", (kind, name, json.dumps(body)))
        return body

    def delete(self, kind: str, name: str) -> None:
        """Forget a resource."""
        with self.lock:
            self._connection.execute("DELETE FROM resources WHERE kind = ? AND name = ?", (kind, name))

    def list(self, kind: str, prefix: str = "") -> list[Resource]:
        """The resources of a kind whose name begins so, by name."""
        with self.lock:
            rows = self._connection.execute(
                "SELECT body FROM resources WHERE kind = ? AND substr(name, 1, ?) = ? ORDER BY name",
                (kind, len(prefix), prefix),
            ).fetchall()
        return [json.loads(body) for (body,) in rows]

    def next_number(self) -> int:
        """A number that was never given before."""
        with self.lock:
            number = int((self.get("counter", "all") or {"value": 0})["value"]) + 1
            self.put("counter", "all", {"value": number})
        return number

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._connection.close()
