"""Sessions end after a day without a query, as in BigQuery: an open transaction would block all maintenance."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local_bigquery.engine import sessions

from local.engine import clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

IDLE = timedelta(hours=24)
_used: dict[str, datetime] = {}


def install() -> None:
    """Note when a session is used."""
    sessions.create = noted(sessions.create)
    sessions.get = noted(not_idle(sessions.get))


def noted(original: Callable[[str], Any]) -> Callable[[str], Any]:
    """A session that is created or looked up is in use."""

    @functools.wraps(original)
    def session(name: str) -> Any:
        found = original(name)
        _used[found.id] = clock.now()
        return found

    return session


def not_idle(original: Callable[[str], Any]) -> Callable[[str], Any]:
    """A session that was not used for a day does not exist."""

    @functools.wraps(original)
    def get(name: str) -> Any:
        end_idle()
        return original(name)

    return get


def end_idle() -> None:
    """End the sessions that were not used for a day, by the engine's clock; their uncommitted changes are lost."""
    for session in list(sessions._sessions.values()):
        if _used[session.id] + IDLE < clock.now() and session.lock.acquire(blocking=False):
            try:
                sessions.abort(session.id)
            finally:
                session.lock.release()
    for name in _used.keys() - sessions._sessions.keys():
        _used.pop(name, None)
