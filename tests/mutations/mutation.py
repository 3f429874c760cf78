"""A mutation is a change that the verifier must report, or must not report; batches of them are applied together."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.results import NOT_WELL, Status
from verification.running import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from declared.environment import Environment
    from tests.harness.deployed import Deployed
    from tests.mutations.change import Change
    from verification.results import Report, Result

Found = dict["Mutation", list["Result"]]
COULD_NOT_RUN = {Status.ERROR, Status.DENIED}
#: Suites that query the rows of different tables.
QUERIES_OF_ROWS = {"integrity", "monitoring", "caption_keys"}


@dataclass(frozen=True)
class Mutation:
    """A change of a deployed system.

    ``named`` is the object that a result must name, '' where no result may say anything. ``suites`` are those that
    look for it; none means all. ``before_a_plan`` is for what a run of all suites leaves out.
    """

    title: str
    named: str
    change: Change
    suites: tuple[str, ...]
    before_a_plan: bool = False

    def is_named_by(self, result: Result, environment: Environment) -> bool:
        """Whether a result is about the named object or a part of it; any result where no object is named.

        A check that could not run is filed under the dataset or the project when nothing tells what stopped it; then
        it names neither.
        """
        if not self.named:
            return True
        if result.status in COULD_NOT_RUN and result.object in {environment.dataset, environment.project}:
            return False
        return self.named in {result.object, result.object.partition(".")[0]}


def batches(mutations: Iterable[Mutation]) -> list[tuple[Mutation, ...]]:
    """Put each mutation into the first batch in which all others are compatible with it."""
    found: list[list[Mutation]] = []
    for mutation in mutations:
        fitting = (batch for batch in found if all(compatible(mutation, other) for other in batch))
        if batch := next(fitting, None):
            batch.append(mutation)
        else:
            found.append([mutation])
    return [tuple(batch) for batch in found]


def compatible(one: Mutation, other: Mutation) -> bool:
    """Whether two mutations change different things, are reported under different names, and by suites of one kind.

    The suites separate changes of definitions from changes of rows: a query of rows may call a changed routine.
    """
    of_one_kind = one.suites == other.suites or {*one.suites, *other.suites} <= QUERIES_OF_ROWS
    names_differ = not one.named or one.named != other.named
    return of_one_kind and names_differ and not one.change.thing.overlaps(other.change.thing)


def caught(system: Deployed, before: Report, batch: Sequence[Mutation]) -> Found:
    """Apply a batch and return, for each mutation, the results that report it and were green before.

    A mutation that the batch does not show is tried alone. For harmless ones, all are tried alone when the batch
    shows anything.

    Args:
        system: the deployed system.
        before: a verification of the unchanged system.
        batch: compatible mutations.
    """
    found = look(system, before, batch, tuple(dict.fromkeys(suite for each in batch for suite in each.suites)))
    for mutation, results in found.items():
        if len(batch) > 1 and bool(results) != bool(mutation.named):
            found[mutation] = look(system, before, [mutation], mutation.suites)[mutation]
    return found


def look(system: Deployed, before: Report, batch: Sequence[Mutation], suites: Sequence[str]) -> Found:
    """Apply a batch once and attribute the results of some suites; without suites, of a run of all.

    Raises:
        AssertionError: afterwards the system is not as it was before.
    """
    with ExitStack() as stack:
        for mutation in batch:
            stack.enter_context(mutation.change.apply(system))
        bad = _not_green(verify(system.environment, suites), before)
    left = _not_green(verify(system.environment, suites), before)
    assert not left, f"left by {', '.join(mutation.title for mutation in batch)}: {left}"
    return {
        mutation: [result for result in bad if mutation.is_named_by(result, system.environment)] for mutation in batch
    }


def _not_green(now: Report, before: Report) -> list[Result]:
    """The bad results that were not bad before."""
    known = {_key(result) for result in before.results if _is_bad(result)}
    return [result for result in now.results if _is_bad(result) and _key(result) not in known]


def _is_bad(result: Result) -> bool:
    return result.status in {*NOT_WELL, Status.DENIED}


def _key(result: Result) -> tuple[str, str]:
    return result.id, result.object
