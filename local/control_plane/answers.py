"""The forms that all of Google's APIs share: errors, field masks, times."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any


class ApiError(Exception):
    """An answer that is an error, in Google's JSON form."""

    def __init__(self, code: int, status: str, message: str, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.body = {
            "error": {
                "code": code,
                "message": message,
                "status": status,
                "errors": [{"message": message, "domain": "global", "reason": reason}],
            }
        }


def not_found(what: str) -> ApiError:
    """404: there is no such thing."""
    return ApiError(404, "NOT_FOUND", f"{what} was not found.", "notFound")


def invalid(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "INVALID_ARGUMENT", message, "badRequest")


def already_exists(message: str) -> ApiError:
    """409: there is one already."""
    return ApiError(409, "ALREADY_EXISTS", message, "alreadyExists")


def timestamp(moment: datetime | None = None) -> str:
    """An instant as Google's APIs write it."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def camel(name: str) -> str:
    """``schedule_options`` as ``scheduleOptions``."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def update_by_mask(resource: dict[str, Any], changes: dict[str, Any], mask: str) -> dict[str, Any]:
    """The resource with the fields that the mask names taken from ``changes``; a field missing there is cleared."""
    updated = {**resource}
    for field in filter(None, (camel(part) for part in mask.split(","))):
        top = field.split(".")[0]
        if top in changes:
            updated[top] = changes[top]
        else:
            updated.pop(top, None)
    return updated
