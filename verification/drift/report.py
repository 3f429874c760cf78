"""The drift report: unified diffs for a person, JSON for the command that keeps the issue at GitHub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from declared.masking import masked, masked_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from declared.environment import Environment
    from verification.drift.core import Aspect


@dataclass(frozen=True)
class DriftedAspect:
    """One property that differs: a unified diff by lines, with credentials masked, and what to do about it."""

    object: str
    name: str
    diff: tuple[str, ...]
    action: str


@dataclass(frozen=True)
class DriftReport:
    """What has drifted in an environment; ``aspects`` is how many properties were compared."""

    environment: str
    project: str
    dataset: str
    aspects: int
    drifted: tuple[DriftedAspect, ...]

    @property
    def headline(self) -> str:
        """How much has drifted, in one line."""
        return f"{len(self.drifted)} of {self.aspects} declared aspects have drifted"


_DOCUMENT: TypeAdapter[DriftReport] = TypeAdapter(DriftReport)


def drift_report(environment: Environment, aspects: Sequence[Aspect[Any]]) -> DriftReport:
    """The report of what :func:`verification.drift.read_drift` read."""
    drifted = (
        DriftedAspect(masked(aspect.object), masked(aspect.name), tuple(aspect.diff), masked(aspect.action))
        for aspect in aspects
        if not aspect.same
    )
    return DriftReport(environment.name, environment.project, environment.dataset, len(aspects), tuple(drifted))


def diffs(report: DriftReport) -> str:
    """Every diff, each with what to do about it as a comment."""
    return "\n".join("\n".join([*aspect.diff, f"# {aspect.action}", ""]) for aspect in report.drifted)


def as_text(report: DriftReport) -> str:
    """The diffs, then one line that counts them."""
    return "\n".join([*([diffs(report)] if report.drifted else []), report.headline, ""])


def as_json(report: DriftReport) -> str:
    """The document that docs/drift-report.schema.json describes."""
    return json.dumps(masked_values(_DOCUMENT.dump_python(report, mode="json")), indent=2, ensure_ascii=False) + "\n"


def read_json(text: str) -> DriftReport:
    """A report as :func:`as_json` wrote it.

    Raises:
        ValueError: the text is not such a report, or only a part of it.
    """
    try:
        return _DOCUMENT.validate_json(text, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def json_schema() -> str:
    """The JSON schema of the document."""
    return json.dumps(_DOCUMENT.json_schema(mode="serialization"), indent=2) + "\n"


#: How each format is written.
WRITERS: dict[str, Callable[[DriftReport], str]] = {"text": as_text, "json": as_json}
