"""A cache of values that are computed from texts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

CHARACTERS = 500_000  # of the texts of one cache: a parsed statement takes 120 bytes per character
ENTRY = 60  # characters that each entry adds
LONGEST = 20_000  # characters of a cached text: longer ones contain data, and are not repeated


@dataclass
class Remembered[Value]:
    """Values by text and other inputs. The least recently used are dropped first."""

    values: dict[tuple[str, Hashable], Value] = field(default_factory=dict)
    characters: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, text: str, rest: Hashable, compute: Callable[[], Value]) -> Value:
        """The value for a text and the other inputs, computed if it is not cached."""
        key = text, rest
        with self.lock:
            if key in self.values:
                value = self.values[key] = self.values.pop(key)
                return value
        value = compute()
        if len(text) <= LONGEST:
            with self.lock:
                if key not in self.values:
                    self.characters += len(text) + ENTRY
                self.values[key] = value
                while self.characters > CHARACTERS:
                    oldest = next(iter(self.values))
                    self.characters -= len(oldest[0]) + ENTRY
                    del self.values[oldest]
        return value
