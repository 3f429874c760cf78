"""What is stored is what the repository declares; `python -m verification drift` shows each difference as a diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.drift import READERS
from verification.results import Check, Outcome, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from verification.drift import Aspect


def _check(identity: str, name: str, read: Callable[[Subject], Iterable[Aspect]]) -> Check:
    def run(subject: Subject) -> Iterator[Outcome]:
        for aspect in read(subject):
            yield aspect.outcome

    return Check(identity, name, run, settles="members" in name)


CHECKS = tuple(_check(f"drift.{n}", name, read) for n, (name, read) in enumerate(READERS.items(), start=1))
