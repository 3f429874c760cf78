"""The procedures take the declared arguments and have the repository's bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.drift.routines import ArgumentText, procedure_bodies, signatures
from verification.results import Check, Outcome, Subject, compared, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def _each_argument(value: Callable[[ArgumentText], str | None]) -> Callable[[Subject], Iterator[Outcome]]:
    """A check of one property of every argument, in order, of each procedure that exists."""

    def listed(parts: Iterable[ArgumentText | str]) -> str:
        return f"({', '.join(str(value(part)) for part in parts if isinstance(part, ArgumentText))})"

    def check(subject: Subject) -> Iterator[Outcome]:
        for aspect in signatures(subject):
            if aspect.object in subject.catalog.procedures:
                yield compared(aspect.object, listed(aspect.declared), listed(aspect.live), f"Run `{subject.deploy}`.")

    return check


def bodies(subject: Subject) -> Iterator[Outcome]:
    """Each procedure's body is the file's."""
    for aspect in procedure_bodies(subject):
        yield aspect.judged(failed)


CHECKS = (
    Check("5.1", "argument names", _each_argument(lambda argument: argument.name)),
    Check("5.2", "argument modes", _each_argument(lambda argument: argument.mode)),
    Check("5.3", "argument types", _each_argument(lambda argument: argument.type)),
    Check("5.4", "bodies", bodies),
)
