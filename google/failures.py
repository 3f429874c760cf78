"""What can go wrong with the live system, and how an answer says it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import requests

#: Statuses that say something about the requested resource; any other failure means that the service did not answer.
REFUSALS = {400, 404, 409}
FORBIDDEN = 403
#: Reasons of a 403 that says that too much was asked for at the same time.
TOO_FAST = {"rateLimitExceeded", "userRateLimitExceeded"}
#: Reasons of a 403 that is no missing permission: the service answers again later.
EXHAUSTED = {"quotaExceeded", *TOO_FAST}
#: What reading an answer of another form raises; RecursionError is for one that is nested too deep.
UNREADABLE = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)


class LiveSystemError(Exception):
    """The live system cannot be read; the message says what was asked, what came back and what to do.

    ``about`` is the object that the request was about, '' if it was about no object.
    """

    def __init__(self, message: str, about: str = "") -> None:
        super().__init__(message)
        self.about = about


class RequestRefusedError(LiveSystemError):
    """The service refused the request: an object is missing, or a query fails."""


class NotPermittedError(LiveSystemError):
    """The caller has no permission; the message names what was asked, and the answer."""


class LateAnswerError(LiveSystemError):
    """The command's time is over, or it was told to end; what it has so far still counts."""


class UnreadableAnswerError(LiveSystemError):
    """An answer does not have the form that the service documents.

    Args:
        what: what was asked.
        error: what reading the answer raised.
    """

    def __init__(self, what: str, error: Exception) -> None:
        super().__init__(f"{what}: the answer is not readable: {type(error).__name__}: {error}")


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Turn what reading an answer raises into an error that names what was asked.

    Raises:
        UnreadableAnswerError: the answer does not have the form that the service documents.
    """
    try:
        yield
    except UNREADABLE as error:
        raise UnreadableAnswerError(what, error) from None


def refusal(status: int, message: str, about: str = "", reasons: Collection[str] = ()) -> LiveSystemError:
    """The error of an answer's status, and of BigQuery's reasons for it."""
    kind = LiveSystemError
    if status == FORBIDDEN and EXHAUSTED.isdisjoint(reasons):
        kind = NotPermittedError
    elif status in REFUSALS:
        kind = RequestRefusedError
    return kind(one_line(message), about)


def one_line(message: str) -> str:
    """A message without line ends and without what cannot be printed."""
    return " ".join("".join(character for character in message if character.isprintable() or character == "\n").split())


def message_of(response: requests.Response) -> str:
    """What a refusal says, in the form of Google's REST APIs; else the status in words."""
    try:
        message = str(response.json()["error"]["message"])
    except UNREADABLE:
        return response.reason or "no message"
    return message


def objects_of(what: str, page: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The resources of a list's page.

    Raises:
        UnreadableAnswerError: the page holds anything else.
    """
    found = page.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UnreadableAnswerError(what, TypeError(f"{key} is not a list of objects"))
    return found
