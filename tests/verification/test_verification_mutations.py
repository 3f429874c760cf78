"""A deployed system passes; every deliberate defect is caught and named; harmless differences are not reported.

Every mutation is applied each time, in batches of compatible ones; `make mutations` tries each alone, with whole runs.
"""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from declared import alerts
from tests.mutations.change import Change, Thing
from tests.mutations.defects import DEFECTS, of_alerts
from tests.mutations.harmless import HARMLESS
from tests.mutations.kinds import DEFINITIONS
from tests.mutations.mutation import Mutation, batches, caught, compatible
from verification.report import table_text
from verification.results import Status
from verification.running import verify
from verification.suites import SUITES, performance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.deployed import Deployed
    from verification.results import Report

MOST_QUERIES = 60
#: Of a table's resource, what changes only when somebody changes it; bytes and instants differ after a restoration.
DEFINED = (
    "type",
    "schema",
    "description",
    "labels",
    "view",
    "timePartitioning",
    "clustering",
    "requirePartitionFilter",
    "expirationTime",
)


@pytest.fixture(scope="module")
def untouched(deployed: Deployed) -> Iterator[Report]:
    """The whole verification of the unchanged system; afterwards every mutation has left it as it was."""
    before = tables(deployed)
    report = verify(deployed.environment)
    yield report
    after = verify(deployed.environment)
    assert [result for result in after.results if result.status is not Status.PASS] == []
    assert tables(deployed) == before


def tables(system: Deployed) -> dict[str, Any]:
    """The number of rows and the definition of every table and view."""
    names = {**system.catalog.tables, **system.catalog.views, **system.catalog.dependencies}
    counts = " UNION ALL ".join(f"SELECT '{name}', COUNT(*) FROM `{{d}}.{name}`" for name in names)
    rows = {row[0]: row[1] for row in system.query(counts)}
    resources = {name: system.rest("GET", f"/tables/{name}") for name in names}
    return {
        name: {"rows": rows[name], **{key: resource.get(key) for key in DEFINED}}
        for name, resource in resources.items()
    }


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_passes_on_a_deployed_system(untouched: Report, suite: str) -> None:
    results = [result for result in untouched.results if result.suite == suite]
    assert results
    assert [result for result in results if result.status is not Status.PASS] == []


def test_the_whole_verification_asks_few_queries_and_has_the_numbered_tests(untouched: Report) -> None:
    numbered = {result.id for result in untouched.results if result.id[0] in "12345678"}
    assert numbered == {check.id for checks in SUITES.values() for check in checks if check.id[0] in "12345678"}
    assert untouched.usage.queries < MOST_QUERIES, "its seconds depend on the machine"


def test_the_report_has_the_bytes_read_and_their_price(untouched: Report) -> None:
    assert untouched.usage.queries > 20
    assert untouched.usage.bytes_read > 0
    assert untouched.usage.dollars > 0
    assert str(untouched.usage) in table_text(untouched)


def test_every_declared_object_is_checked(deployed: Deployed, untouched: Report) -> None:
    """The report has a result for each object that the repository declares."""
    seen = {result.object for result in untouched.results}
    created = {item.name for item in deployed.catalog}
    assert created - seen == set()


@pytest.mark.parametrize("budget", ["FUNCTION_MILLISECONDS", "VIEW_SECONDS"])
def test_an_answer_over_its_time_budget_fails(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, budget: str) -> None:
    monkeypatch.setattr(performance, budget, 0.0)
    failed = [result for result in verify(deployed.environment, ["performance"]).results if result.status == "FAIL"]
    objects = deployed.catalog.views if budget == "VIEW_SECONDS" else deployed.catalog.functions
    assert failed
    assert {result.object for result in failed} <= set(objects)


def test_there_are_enough_mutations_and_each_has_its_own_name() -> None:
    titles = [mutation.title for mutation in (*DEFECTS, *HARMLESS)]
    assert len(DEFECTS) >= 60
    assert len(HARMLESS) >= 20
    assert len({(mutation.title, mutation.named) for mutation in (*DEFECTS, *HARMLESS)}) == len(titles)


@pytest.mark.parametrize("mutations", [DEFECTS, HARMLESS], ids=["defects", "harmless"])
def test_batches_hold_every_mutation_once_and_only_compatible_ones(mutations: tuple[Mutation, ...]) -> None:
    found = batches(mutations)
    assert sorted(m.title for batch in found for m in batch) == sorted(m.title for m in mutations)
    assert all(compatible(one, other) for batch in found for one, other in itertools.combinations(batch, 2))
    assert batches(mutations) == found, "the same batches every time"
    assert len(found) < len(mutations) / 3


def test_mutations_that_hide_each_other_are_not_compatible() -> None:
    def mutation(kind: str, name: str, named: str, *suites: str) -> Mutation:
        return Mutation("a change", named, Change(Thing(kind, name), lambda _system: nullcontext()), suites)

    table = mutation("table", "leases", "leases", "schema")
    assert compatible(table, mutation("table", "captions", "captions", "schema"))
    assert not compatible(table, mutation("table", "leases", "other", "schema")), "the same thing"
    assert not compatible(table, mutation("table", "", "other", "schema")), "every table"
    assert not compatible(table, mutation("routine", "leases", "leases", "schema")), "the same name in the results"
    assert not compatible(table, mutation("table", "captions", "captions", "integrity")), "other suites"
    rows = mutation("rows", "leases", "leases", "monitoring")
    assert compatible(rows, mutation("rows", "caption_bank", "caption_bank", "caption_keys")), "suites of rows"


def name(batch: tuple[Mutation, ...]) -> str:
    """The number of mutations and the first of them."""
    return f"{len(batch)}: {batch[0].title}"


@pytest.mark.parametrize("batch", batches(DEFECTS), ids=name)
def test_each_defect_of_a_batch_is_caught_and_named_with_what_to_do(
    deployed: Deployed, untouched: Report, batch: tuple[Mutation, ...]
) -> None:
    found = caught(deployed, untouched, batch)
    assert [mutation.title for mutation, results in found.items() if not results] == []
    for result in itertools.chain.from_iterable(found.values()):
        assert result.expected != result.found
        assert result.action


@pytest.mark.parametrize("batch", batches(HARMLESS), ids=name)
def test_harmless_differences_are_not_reported(
    deployed: Deployed, untouched: Report, batch: tuple[Mutation, ...]
) -> None:
    found = caught(deployed, untouched, batch)
    assert {mutation.title: results for mutation, results in found.items() if results} == {}


def test_a_missed_mutation_is_tried_alone_and_stays_missed(deployed: Deployed, untouched: Report) -> None:
    """A defect that changes nothing is missed, and the others of its batch are still caught."""
    real = next(mutation for mutation in DEFECTS if mutation.suites == DEFINITIONS)
    applied = []

    @contextmanager
    def nothing(_system: Deployed) -> Iterator[None]:
        applied.append(True)
        yield

    idle = replace(real, title="changes nothing", named="leases", change=Change(Thing("table", "leases"), nothing))
    found = caught(deployed, untouched, (real, idle))
    assert found[real]
    assert not found[idle]
    assert len(applied) == 2, "once in the batch, once alone"


def test_what_was_red_before_is_not_credited_to_a_mutation(deployed: Deployed, untouched: Report) -> None:
    real = next(mutation for mutation in DEFECTS if mutation.suites == DEFINITIONS)
    (first, *_) = caught(deployed, untouched, (real,))[real]
    red = tuple(replace(first, id=check.id) for checks in SUITES.values() for check in checks)
    assert caught(deployed, replace(untouched, results=red), (real,))[real] == []


def test_a_third_alert_breaks_no_deliberate_defect(
    deployed: Deployed, untouched: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defects find their alerts by name, no matter where an added alert is in the list."""
    third = replace(alerts.ALERTS[0], name="added", title="an added alert")
    monkeypatch.setattr(alerts, "ALERTS", (third, *alerts.ALERTS))
    before = verify(deployed.environment, DEFINITIONS)
    assert {result.object for result in before.results if result.status is not Status.PASS} == {"added"}
    for batch in batches(of_alerts(alerts.ALERTS)):
        assert all(caught(deployed, before, batch).values())


def test_an_error_that_names_nothing_catches_no_defect(deployed: Deployed, untouched: Report) -> None:
    """What another mutation of the batch broke is filed under the dataset, or under the project."""
    environment = deployed.environment
    for named in (environment.dataset, environment.project):
        mutation = Mutation("a change", named, Change(Thing("dataset"), lambda _system: nullcontext()), ())
        failed = replace(untouched.results[0], object=named, status=Status.FAIL)
        assert mutation.is_named_by(failed, environment)
        for status in (Status.ERROR, Status.DENIED):
            assert not mutation.is_named_by(replace(failed, status=status), environment)


def test_a_batch_that_leaves_something_fails(deployed: Deployed, untouched: Report) -> None:
    real = next(mutation for mutation in DEFECTS if mutation.suites == DEFINITIONS)
    with ExitStack() as left:

        def stays(system: Deployed) -> AbstractContextManager[None]:
            left.enter_context(real.change.apply(system))
            return nullcontext()

        with pytest.raises(AssertionError, match="left by stays"):
            caught(deployed, untouched, [replace(real, title="stays", change=Change(real.change.thing, stays))])
