"""The procedures take what they are declared to take, and do what the repository says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.resources import standard_type
from verification.comparison import body_difference
from verification.results import Check, Outcome, Subject, compared, passed_unless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from catalog import Argument


def _each_argument(
    declared: Callable[[Argument], str], live: Callable[[Mapping[str, Any]], str]
) -> Callable[[Subject], Iterator[Outcome]]:
    """A check of one property of every argument, in order, of each procedure that stands."""

    def check(subject: Subject) -> Iterator[Outcome]:
        for name, procedure in subject.catalog.procedures.items():
            if resource := subject.live.routines.get(name):
                expected = ", ".join(declared(argument) for argument in procedure.arguments)
                found = ", ".join(live(argument) for argument in resource.get("arguments", []))
                yield compared(name, f"({expected})", f"({found})", f"Run `{subject.deploy}`.")

    return check


def bodies(subject: Subject) -> Iterator[Outcome]:
    """Each procedure's body is the file's."""
    for name, procedure in subject.catalog.procedures.items():
        if resource := subject.live.routines.get(name):
            problems = body_difference(subject, procedure, procedure.body, resource.get("definitionBody", ""))
            yield from passed_unless(name, f"the body of {procedure.path}", problems)


CHECKS = (
    Check("5.1", "argument names", _each_argument(lambda a: a.name, lambda a: a.get("name", "unnamed"))),
    Check("5.2", "argument modes", _each_argument(lambda a: a.mode or "IN", lambda a: a.get("mode", "IN"))),
    Check(
        "5.3", "argument types", _each_argument(lambda a: a.type.sql, lambda a: standard_type(a.get("dataType", {})))
    ),
    Check("5.4", "bodies", bodies),
)
