"""Runs transfer configs when they are due, as the transfer service does."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.control_plane.store import Resource

#: How far back runs are caught up that were missed while the server was down.
CATCH_UP = timedelta(hours=24)
#: How often the machine's clock is read: a pause of the thread does not notice that it was moved, or a suspend.
CHECK_SECONDS = 20.0
THREAD_NAME = "clock of the scheduled queries"


class Clock:
    """A thread that waits for the next due time and runs the queries due then, one after another.

    Args:
        configs: lists the transfer configs.
        run: runs a config for a run time to its end, after moving its ``nextRunTime`` on.
    """

    def __init__(self, configs: Callable[[], list[Resource]], run: Callable[[Resource, datetime], None]) -> None:
        self._configs, self._run = configs, run
        self._wake = threading.Condition()
        self._stopped = self._changed = False

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._tick, name=THREAD_NAME, daemon=True).start()

    def changed(self) -> None:
        """Wake the thread: a config was created or changed, and may be the next one due."""
        with self._wake:
            self._changed = True
            self._wake.notify()

    def stop(self) -> None:
        """Start no more runs."""
        with self._wake:
            self._stopped = True
            self._wake.notify()

    def _tick(self) -> None:
        while not self._stopped:
            now = datetime.now(UTC)
            due = [(run_time, config) for config in self._configs() if (run_time := next_run_time(config))]
            first = min(due, key=lambda pair: pair[0], default=None)
            if first is not None and first[0] <= now:
                self._run(first[1], max(first[0], now - CATCH_UP))
                continue
            with self._wake:
                if not self._changed:
                    left = (first[0] - now).total_seconds() if first else CHECK_SECONDS
                    self._wake.wait(min(left, CHECK_SECONDS))
                self._changed = False


def next_run_time(config: Resource) -> datetime | None:
    """When a config is due next; None if it is disabled or its schedule is not supported."""
    text = config.get("nextRunTime")
    return datetime.fromisoformat(text) if text and not config.get("disabled") else None
