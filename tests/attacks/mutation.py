"""Ways to spoil a text, a JSON value and a file, all drawn from one source of random numbers."""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

#: What nothing expects in a text.
PIECES = (
    *("", " ", "\n", "\t", "\r", "\x1b[31m", "\x07", "'", '"', "`", "\\", "{", "}", "[", "]", "(", ")", ":", ";", "--"),
    *("null", "true", "-1", "0", "1e999", "NaN", "9" * 40, "x" * 1_000, "\u202e", "\u0000", "é", "😀", "\ufeff"),
    *(
        "../../x",
        "$(touch x)",
        "%s%n",
        "${x}",
        "{{x}}",
        "!!python/object:x",
        "&a *a",
        "<script>",
        "::error::x",
        "@team",
    ),
)
#: What nothing expects in place of a JSON value.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, "", "x", "x" * 5_000, "\u0000", [], {}, [None], [[]], {"": None}),
    *({"x": {"x": []}}, ["x", 1, None], "2026-99-99", "\ud800"),
)
DEEP = 10_000


def spoilt(text: str, random: Random) -> str:
    """A text with one to three mistakes."""
    for _ in range(random.randint(1, 3)):
        words = list(re.finditer(r"\w+|[^\w\s]", text)) or list(re.finditer("", text))
        first, second = (random.choice(words) for _ in range(2))
        lines = text.split("\n")
        number = random.randrange(len(lines))
        match random.randrange(8):
            case 0:
                text = text[: first.start()] + text[first.end() :]
            case 1:
                text = text[: first.start()] + random.choice(PIECES) + text[first.end() :]
            case 2:
                text = text[: first.start()] + random.choice(PIECES) + text[first.start() :]
            case 3:
                text = text[: first.start()] + second[0] + text[first.end() :]
            case 4:
                text = text[: first.start()]
            case 5:
                text = "\n".join([*lines[:number], lines[number], *lines[number:]])
            case 6:
                text = "\n".join([*lines[:number], *lines[number + 1 :]])
            case _:
                text = "\n".join([*lines[:number], " " * random.randint(1, 5) + lines[number], *lines[number + 1 :]])
    return text


def spoilt_json(value: Any, random: Random) -> str:
    """JSON with a value replaced, a key removed or renamed, or with mistakes in its text."""
    match random.randrange(10):
        case 0:
            return "[" * DEEP + "]" * DEEP
        case 1:
            return spoilt(json.dumps(value), random)
    root = [copy.deepcopy(value)]
    places: list[tuple[Any, Any]] = []
    _collect(root, places)
    holder, key = random.choice(places)
    if isinstance(holder, dict) and random.random() < 0.4:
        taken = holder.pop(key)
        if random.random() < 0.5:
            holder[f"{key}x"] = taken
    else:
        holder[key] = random.choice(VALUES)
    return json.dumps(root[0])


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    for key in value if isinstance(value, dict) else range(len(value)):
        places.append((value, key))
        if isinstance(value[key], dict | list):
            _collect(value[key], places)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**11)


#: Kinds of files that no command can use, by what is said of them in a report.
FILES: dict[str, Callable[[Path], Any]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a huge file": _sparse,
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "empty": lambda path: path.touch(),
    "missing": Path.exists,
}
