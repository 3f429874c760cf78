"""The one comparison: a property of an object as declared and as deployed. Drift and the numbered tests read it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from declared.masking import masked
from verification.results import Outcome, Subject, drifted, passed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from catalog import SqlObject


@dataclass(frozen=True)
class Property:
    """A named value."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


@dataclass(frozen=True)
class Difference:
    """A name whose declared and live values differ; None where one side does not have the name."""

    name: str
    declared: str | None
    live: str | None


def differences(declared: Mapping[str, str], live: Mapping[str, str]) -> Iterator[Difference]:
    """The names whose values differ: the declared ones in their order, then those that only the live side has."""
    for name in dict.fromkeys([*declared, *live]):
        if declared.get(name) != live.get(name):
            yield Difference(name, declared.get(name), live.get(name))


@dataclass(frozen=True)
class Aspect[Part]:
    """One property of an object, as the repository declares it and as it is deployed.

    A part is a text or a data class whose ``str`` is its line in the diff. The order of the parts counts.
    """

    object: str
    name: str
    declared: tuple[Part, ...]
    live: tuple[Part, ...]
    action: str

    @property
    def same(self) -> bool:
        """Whether both sides have the same lines, except for trailing spaces."""
        return _lines(self.declared) == _lines(self.live)

    @property
    def diff(self) -> list[str]:
        """A unified diff from the repository to the live system, with credentials masked."""
        title = f"{self.object} ({self.name})"
        before, after = f"repository: {title}", f"live: {title}"
        lines = difflib.unified_diff(_lines(self.declared), _lines(self.live), before, after, lineterm="")
        return masked("\n".join(lines)).splitlines()

    @property
    def outcome(self) -> Outcome:
        """PASS or DRIFT."""
        return self.judged(drifted)

    def judged(self, verdict: Callable[[str, str, str, str], Outcome]) -> Outcome:
        """PASS, or a verdict with the first line that differs on each side.

        Args:
            verdict: makes an outcome of object, expected, found and action, such as ``failed``.
        """
        if self.same:
            return passed(self.object, f"{self.name} as declared")
        changed = [line for line in self.diff[2:] if line[0] in "+-"]
        ours = next((line[1:].strip() for line in changed if line[0] == "-"), "nothing there")
        theirs = next((line[1:].strip() for line in changed if line[0] == "+"), "nothing there")
        return verdict(
            self.object,
            f"{self.name}: {ours or 'an empty line'}",
            f"{self.name}: {theirs or 'an empty line'}",
            self.action,
        )


def _lines(parts: Iterable[object]) -> list[str]:
    return [line.rstrip() for line in "\n".join(map(str, parts)).strip().splitlines()]


def aspect_of[Part](
    subject: Subject, item: SqlObject, name: str, declared: Iterable[Part], live: Iterable[Part]
) -> Aspect[Part]:
    """An aspect of an object that a file of sql/ declares."""
    action = f"Run `{subject.deploy}`. If the change is intended, write it into {item.path} first."
    return Aspect(item.name, name, tuple(declared), tuple(live), action)
