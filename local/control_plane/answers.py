"""What all of Google's APIs share: the form of errors, field masks and times."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from local import names

#: Whoever sends a request: the owner of what it makes without a service account.
CALLER = "local@example.com"
#: HTTP status and the ``reason`` of the error list, by canonical status.
CODES = {
    "INVALID_ARGUMENT": (400, "badRequest"),
    "INTERNAL": (400, "dontRetry"),  # not 500: Google's clients would retry for minutes
    "PERMISSION_DENIED": (403, "forbidden"),
    "NOT_FOUND": (404, "notFound"),
    "ABORTED": (409, "aborted"),
    "ALREADY_EXISTS": (409, "alreadyExists"),
    "CONFLICT": (409, "conflict"),  # these three are Cloud Storage's
    "CONDITION_NOT_MET": (412, "conditionNotMet"),
    "TOO_LARGE": (413, "uploadTooLarge"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupportedMediaType"),
}


class ApiError(Exception):
    """An error to answer with; ``body`` is Google's JSON."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.code, reason = CODES[status]
        self.body = {
            "error": {
                "code": self.code,
                "message": message,
                "status": status,
                "errors": [{"message": message, "domain": "global", "reason": reason}],
            }
        }


def not_found(what: str) -> ApiError:
    """An error: a resource does not exist."""
    return ApiError("NOT_FOUND", f"{what} was not found.")


def invalid(message: str) -> ApiError:
    """An error: the request is not valid."""
    return ApiError("INVALID_ARGUMENT", message)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        ApiError: it is another value, or no JSON: 400.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("The body is not readable as JSON.") from None
    if not isinstance(value, dict):
        raise invalid("The body is not a JSON object.")
    return value


def check_name(kind: str, name: str) -> None:
    """Refuse a name that Google refuses.

    Args:
        kind: one of :data:`local.names.RULES`.
        name: the name.

    Raises:
        ApiError: it is no name of this kind: 400.
    """
    if said := names.fault(kind, name):
        raise invalid(said)


def timestamp(moment: datetime | None = None) -> str:
    """An instant, by default now, as Google's APIs write it."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fields_of(mask: str) -> list[str]:
    """The fields of a mask, in lowerCamelCase, whichever form the client uses."""
    fields = (field.strip() for field in mask.split(","))
    return [re.sub(r"_([a-z])", lambda match: match[1].upper(), field) for field in fields if field]


def update_fields(
    resource: dict[str, Any], changes: dict[str, Any], fields: list[str], known: frozenset[str]
) -> dict[str, Any]:
    """The resource with the named fields taken from ``changes``; a field that is missing there is cleared.

    Raises:
        ApiError: the resource does not have a field, or it cannot be changed.
    """
    updated = dict(resource)
    for field in (path.split(".")[0] for path in fields):
        if field not in known:
            raise invalid(f"Invalid update mask: {field!r} is not a field that can be updated.")
        updated.pop(field, None)
        if field in changes:
            updated[field] = changes[field]
    return updated
