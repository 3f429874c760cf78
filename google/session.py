"""Requests to Google's APIs: each ends in time as a whole, and is repeated by the rules of those APIs.

https://cloud.google.com/storage/docs/retry-strategy and https://google.aip.dev/194 describe the rules: exponential
pauses with jitter, at least what `Retry-After` says, and only for what may be done twice.
"""

from __future__ import annotations

import random
import re
import sys
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from google.auth.exceptions import TransportError
from google.auth.transport.requests import AuthorizedSession

from google.failures import FORBIDDEN, TOO_FAST
from google.waiting import REQUEST_SECONDS, NoResultError, current_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Answers of a service that is busy or has a problem for a moment.
BUSY = {429, 500, 502, 503, 504}
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 32.0
#: Methods that have the same effect when they are done twice.
IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}
#: Calls by POST that have: some only read; BigQuery's clients give each job and each query an id of its own.
IDEMPOTENT_POSTS = re.compile(r".*:(getIamPolicy|testIamPermissions)|.*/bigquery/v2/projects/[^/]+/(jobs|queries)")
#: What requests raises when no whole answer came.
NO_ANSWER = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, TransportError)


class Session(AuthorizedSession):
    """A session of a thread-safe client; ``patient`` is whether a request is repeated.

    A request takes at most :data:`REQUEST_SECONDS`, with its body, its retries and a new access token, and ends with
    the command's own time.
    """

    def __init__(self, credentials: Any, patient: bool) -> None:
        super().__init__(credentials)  # type: ignore[no-untyped-call]
        self._patient = patient

    def request(  # type: ignore[override]  # all else goes to the base class
        self, method: str, url: str, *arguments: Any, **settings: Any
    ) -> requests.Response:
        """Make a request, and repeat it while that helps.

        Args:
            method: GET or another.
            url: its address.
            arguments: as ``requests.Session.request`` takes them.
            settings: the same, by name.

        Raises:
            requests.RequestException: no answer came; a timeout is one, too.
            LateAnswerError: the command's time is over.
        """
        if "_credential_refresh_attempt" in settings:  # the base class repeats it itself, with a new access token
            return self._once(method, url, *arguments, **settings)
        what = f"{method} {urlsplit(url).path}"
        ends = time.monotonic() + REQUEST_SECONDS
        repeated = False
        pauses = _pauses() if self._patient and may_be_repeated(method, url) else iter(())
        while True:
            answer: requests.Response | Exception
            try:
                left = ends - time.monotonic()
                answer = current_limit().result(what, lambda: self._once(method, url, *arguments, **settings), left)
            except NoResultError as error:
                raise requests.Timeout(str(error)) from None
            except NO_ANSWER as error:
                answer = error
            pause = max(next(pauses, float("inf")), retry_after(answer)) if is_passing(answer) else float("inf")
            if time.monotonic() + pause >= ends:
                break
            print(  # noqa: T201 - a person sees why it takes longer
                f"{what}: {reason_of(answer)}; trying again in {pause:.1f} s", file=sys.stderr
            )
            current_limit().sleep(what, pause)
            repeated = True
        if isinstance(answer, Exception):
            raise answer
        if repeated and method == "DELETE" and answer.status_code == HTTPStatus.NOT_FOUND:
            answer.status_code = HTTPStatus.NO_CONTENT  # an attempt before it has deleted it, and its answer was lost
        return answer

    def _once(self, *arguments: Any, **settings: Any) -> requests.Response:
        answer: requests.Response = super().request(*arguments, **settings)  # type: ignore[no-untyped-call]
        return answer


def may_be_repeated(method: str, url: str) -> bool:
    """Whether a request has the same effect when it is made twice."""
    return method in IDEMPOTENT or (method == "POST" and IDEMPOTENT_POSTS.fullmatch(urlsplit(url).path) is not None)


def is_passing(answer: requests.Response | Exception) -> bool:
    """Whether another attempt can have another answer."""
    if isinstance(answer, Exception):
        return not isinstance(answer, requests.exceptions.SSLError)
    return answer.status_code in BUSY or (answer.status_code == FORBIDDEN and not TOO_FAST.isdisjoint(_reasons(answer)))


def reason_of(answer: requests.Response | Exception) -> str:
    """What came instead of an answer, in a few words."""
    if isinstance(answer, Exception):
        return type(answer).__name__
    return f"{answer.status_code} {answer.reason or ''}".strip()


def retry_after(answer: requests.Response | Exception) -> float:
    """The seconds that an answer asks to wait, by number or by date; 0 without them."""
    text = "" if isinstance(answer, Exception) else answer.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _reasons(answer: requests.Response) -> set[str]:
    try:
        return {str(error["reason"]) for error in answer.json()["error"]["errors"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield random.uniform(0.5, 1.0) * pause  # noqa: S311 - it only spreads requests
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
