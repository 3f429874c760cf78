"""Failures as BigQuery reports them: a status of the 400s with a reason."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from local_bigquery import errors

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger(__name__)
TOO_COMPLEX = (
    "Resources exceeded during query execution: Not enough resources for query planning - too many subqueries or query "
    "is too complex."
)


def install() -> None:
    """Wrap the package's error class, and what turns exceptions into it."""
    errors.from_exception = too_complex(errors.from_exception)
    errors.BigQueryError.__init__ = never_internal(errors.BigQueryError.__init__)


def too_complex(original: Callable[[Exception], Any]) -> Callable[[Exception], Any]:
    """A statement that is nested too deeply."""

    @functools.wraps(original)
    def from_exception(error: Exception) -> Any:
        if isinstance(error, RecursionError):
            return errors.BigQueryError("resourcesExceeded", TOO_COMPLEX)
        return original(error)

    return from_exception


def never_internal(original: Callable[..., None]) -> Callable[..., None]:
    """Report internal errors as the query's failure: on a 500, Google's client would retry for ten minutes."""

    @functools.wraps(original)
    def construct(error: Any, reason: str, message: str, location: str | None = None) -> None:
        if reason in {"dontRetry", "notImplemented"}:
            LOG.error("%s", message, exc_info=reason == "dontRetry")
            reason = "invalidQuery"
        original(error, reason, message, location)

    return construct
