"""How long a command waits for services: each wait ends, and at a command's deadline all of them end at once.

A command's deadline is a fact of the whole process, as its threads wait for it: :func:`time_limit` sets it.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any

from google.failures import LateAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

#: The longest that one request takes, with its body and its retries, whatever trickles in.
REQUEST_SECONDS = 60.0


class NoResultError(Exception):
    """One piece of work took longer than it may."""


@dataclass(eq=False)
class TimeLimit:
    """The time of a command, or of a part of it: its length in seconds, and what it waits for just now.

    ``waited_for`` is what had no answer when the time was over, without repetition.
    """

    seconds: float
    deadline: float | None = None  # what the sentence names in place of the seconds
    ends: float = field(init=False)
    waited_for: dict[str, None] = field(default_factory=dict)
    _over: Future[None] = field(default_factory=Future)

    def __post_init__(self) -> None:
        """The time begins now."""
        self.ends = time.monotonic() + self.seconds

    @property
    def passed(self) -> bool:
        """Whether something had no answer in time."""
        return bool(self.waited_for)

    @property
    def left(self) -> float:
        """Seconds that are left; 0 when it is over."""
        return 0.0 if self._over.done() else max(0.0, self.ends - time.monotonic())

    def end(self) -> None:
        """End every wait now, in all threads."""
        if not self._over.done():
            self._over.set_result(None)

    def result[Answer](self, what: str, work: Callable[[], Answer], seconds: float = REQUEST_SECONDS) -> Answer:
        """What ``work`` returns or raises.

        It runs in a thread of its own, because nothing can interrupt what waits for a service: after its time that
        thread runs on, and its result is dropped.

        Args:
            what: what is waited for, in words.
            work: what is done.
            seconds: the longest that it may take; the command's own end comes first.

        Raises:
            NoResultError: it has not ended after ``seconds``.
            LateAnswerError: the command's time is over.
        """
        done: Future[Answer] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                done.set_exception(error)

        if left := self.left:
            Thread(target=run, daemon=True).start()
            both: set[Future[Any]] = {done, self._over}
            wait(both, min(seconds, left), FIRST_COMPLETED)
        if done.done():
            return done.result()
        if seconds < left and not self._over.done():
            raise NoResultError(f"{what}: no answer within {seconds:g} s")
        raise self._passed(what)

    def sleep(self, what: str, seconds: float) -> None:
        """Pause before ``what`` is tried or looked at again.

        Raises:
            LateAnswerError: the command's time is over.
        """
        left = self.left
        wait({self._over}, min(seconds, left))
        if seconds >= left or self._over.done():
            raise self._passed(what)

    def __str__(self) -> str:
        """What had no answer, in a sentence."""
        first, *others = self.waited_for
        more = f" and {len(others)} more" if others else ""
        return f"no answer within the {self.deadline or self.seconds:g} s of --deadline; waited for {first}{more}"

    def _passed(self, what: str) -> LateAnswerError:
        self.waited_for[what] = None
        return LateAnswerError(str(self))


_UNLIMITED = TimeLimit(float("inf"))
_limits = [_UNLIMITED]


def current_limit() -> TimeLimit:
    """The time of the command that runs; without end where none was set."""
    return _limits[-1]


@contextmanager
def time_limit(seconds: float, deadline: float | None = None) -> Iterator[TimeLimit]:
    """Give what runs in the context so many seconds: after them, nothing in it waits for a service any more.

    Inside another limit, the earlier end counts.

    Args:
        seconds: the time.
        deadline: the seconds that an error names, if those are others.
    """
    limit = TimeLimit(min(seconds, current_limit().left), deadline)
    _limits.append(limit)
    try:
        yield limit
    finally:
        _limits.remove(limit)


def ending_earlier(seconds: float) -> AbstractContextManager[TimeLimit]:
    """End the waits in the context so many seconds before the command's own end, which is what an error names."""
    outer = current_limit()
    return time_limit(max(outer.left - seconds, 1.0), outer.deadline or outer.seconds)


def end_all_waits() -> None:
    """End every wait of this process, because it is told to end."""
    for limit in _limits:
        limit.end()
