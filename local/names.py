"""The names that Google accepts, kind by kind: each is checked before it becomes part of a path or a statement."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from declared.environment import DATASET_ID, PROJECT_ID


@dataclass(frozen=True)
class Rule:
    """What a name matches as a whole; ``bytes`` limits its length in UTF-8; ``said`` is the error, as Google words it.

    Attributes:
        pattern: a regular expression for the name, or with ``unicode`` for the category of each character.
    """

    pattern: re.Pattern[str]
    said: str
    unicode: bool = False
    bytes: int = 1024


RULES = {
    "project": Rule(re.compile(rf"(?:[a-z0-9][a-z0-9.-]*:)?{PROJECT_ID.pattern}"), "Invalid project ID: {name}"),
    "dataset": Rule(
        DATASET_ID,
        'Invalid dataset ID "{name}". Dataset IDs must be alphanumeric (plus underscores and dashes) and must be at '
        "most 1024 characters long.",
    ),
    "table": Rule(
        re.compile(r"(?:L.|M.|N.|Pc|Pd|Zs)+"),
        'Invalid table ID "{name}". Table IDs must be alphanumeric (plus underscores) and must be at most 1024 '
        "characters long. Also, Table decorators cannot be used.",
        unicode=True,
    ),
    "routine": Rule(
        re.compile(r"[A-Za-z0-9_]{1,256}"),
        'Invalid routine ID "{name}". Routine IDs must be alphanumeric (plus underscores) and must be at most 256 '
        "characters long.",
    ),
    "job": Rule(
        re.compile(r"[A-Za-z0-9_-]{1,1024}"),
        'Invalid job ID "{name}". Job IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 '
        "characters long.",
    ),
    "bucket": Rule(re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"), "Invalid bucket name: '{name}'"),
    "object": Rule(
        re.compile(r"(?!\.{1,2}\Z|\.well-known/acme-challenge/)[^\r\n]+"), "Disallowed object name: '{name}'"
    ),
    "location": Rule(re.compile(r"[A-Za-z0-9-]{1,63}"), "Invalid location: '{name}'"),
    "transfer config": Rule(re.compile(r"[A-Za-z0-9_-]{1,1024}"), "Invalid resource name: '{name}'"),
}
LONGEST_SHOWN = 100  # characters of a name in an error


def fault(kind: str, name: str) -> str | None:
    """What is wrong with a name, as Google words it; None if Google accepts it.

    Args:
        kind: one of :data:`RULES`.
        name: the name.
    """
    rule = RULES[kind]
    try:
        size = len(name.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        size = rule.bytes + 1
    text = "".join(map(unicodedata.category, name)) if rule.unicode else name
    if size <= rule.bytes and rule.pattern.fullmatch(text):
        return None
    shown = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
    return rule.said.format(name=shown)
