"""What is deployed is what the repository declares; `python -m verification drift` shows each difference as a diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verification.drift import READERS, Reader
from verification.results import Check, Outcome, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator


def _check(reader: Reader) -> Check:
    def run(subject: Subject) -> Iterator[Outcome]:
        for aspect in reader.read(subject):
            yield aspect.outcome

    return Check(reader.id, reader.title, run, settles=reader.settles)


CHECKS = tuple(_check(reader) for reader in READERS)
