"""Reads JSON that others wrote: not too large, not too deep, and an error is a sentence."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from catalog.files import read_regular
from declared.sizes import MEGABYTE

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes and levels, far more than a plan of all stacks needs.
LARGEST, DEEPEST = 64 * MEGABYTE, 100

#: How JSON writes a character of two halves; one half alone cannot be written anywhere.
HALF = re.compile(r"\\u[dD][89a-fA-F]")


class UnreadableFileError(Exception):
    """A file or text that cannot be used; the message says why, without the file's name."""


def read_text(file: Path, errors: str = "strict") -> str:
    """The text of a file.

    Args:
        file: the file.
        errors: ``replace`` accepts bytes that are not UTF-8.

    Raises:
        UnreadableFileError: there is no such file, it is none, or it is too large.
    """
    try:
        return read_regular(file, LARGEST).decode(errors=errors)
    except OSError as error:
        raise UnreadableFileError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise UnreadableFileError(f"cannot be read: it is {error}") from None


def parsed(text: str) -> Any:
    """What JSON says.

    Raises:
        UnreadableFileError: the text is no JSON, or nested too deep.
    """
    try:
        content = json.loads(text)
        if HALF.search(text):
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnreadableFileError("has half of a character, such as \\ud800") from None
    except RecursionError:
        raise UnreadableFileError(f"has more than {DEEPEST} levels") from None
    except ValueError as error:
        raise UnreadableFileError(f"is not JSON: {error}") from None
    level = [content]
    for _ in range(DEEPEST):
        level = [part for value in level for part in _parts(value)]
        if not level:
            return content
    raise UnreadableFileError(f"has more than {DEEPEST} levels")


def _parts(value: object) -> list[object]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
        case _:
            return []
