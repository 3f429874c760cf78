"""Compares stored SQL text with the repository's."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from verification.results import Outcome, Subject, failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from catalog import SqlObject


def body_difference(subject: Subject, declared: SqlObject, expected: str, found: str) -> Iterator[Outcome]:
    """The first line in which a stored text is another than the file's; blanks at line ends count for nothing.

    Args:
        subject: what is verified.
        declared: the object, for its name and file.
        expected: the text that the repository declares.
        found: the text that is stored.
    """
    pairs = zip_longest(_lines(expected), _lines(found))
    for number, (ours, theirs) in enumerate(pairs, start=1):
        if ours != theirs:
            yield failed(
                declared.name,
                f"line {number} of its text: {_shown(ours)}",
                f"line {number} of its text: {_shown(theirs)}",
                f"Run `{subject.deploy}`; if the change was meant, write it into {declared.path} first.",
            )
            return


def declared_labels(resource: Mapping[str, Any]) -> dict[str, str]:
    """The labels of an API resource that somebody gave it: not the goog-… ones, which Terraform and Google add."""
    return {key: value for key, value in resource.get("labels", {}).items() if not key.startswith("goog-")}


def label_pairs(labels: Mapping[str, str]) -> str:
    """Labels as one line, in an order that depends on nothing else."""
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "no labels"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def _shown(line: str | None) -> str:
    return "the text has ended" if line is None else line.strip() or "an empty line"
