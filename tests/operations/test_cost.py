"""The cost of everything before it runs: measured by its proposed SQL on a deployed system, compared with a base."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from declared import budgets
from declared.budgets import ObjectKind
from declared.sizes import MEGABYTE
from google.failures import LiveSystemError, NotPermittedError
from operations import __main__
from operations.deploy.steps import StepFailedError
from operations.review import cost
from operations.review.cost import CostChange, Estimate
from tests.harness.commands import invoke
from tests.harness.faulty_proxy import at_the_deadline, faulty

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog import Catalog, Routine
    from google.billing import DryRun
    from tests.harness.deployed import Deployed


def with_text(catalog: Catalog, name: str, change: Callable[[str], str]) -> Catalog:
    """A catalog in which a table function's or view's text is another."""

    def changed(text: str) -> str:
        assert change(text) != text or not text
        return change(text)

    if name in catalog.views:
        view = catalog.views[name]
        views = {**catalog.views, name: replace(view, ddl=changed(view.ddl), query=changed(view.query))}
        return replace(catalog, views=views)
    function = catalog.table_functions[name]
    other = replace(function, ddl=changed(function.ddl), body=changed(function.body))
    return replace(catalog, table_functions={**catalog.table_functions, name: other})


def reading_texts(sql: str) -> str:
    """account_sizes, reading the messages' texts as well."""
    return sql.replace("      sent.earnings,\n", "      sent.earnings + CHAR_LENGTH(sent.message) AS earnings,\n")


@pytest.fixture(scope="module")
def everything(deployed: Deployed) -> dict[tuple[str, str], Estimate]:
    """The estimate of each object, by kind and name."""
    return {(each.kind, each.name): each for each in cost.estimate(deployed.api, deployed.catalog)}


def bytes_of(deployed: Deployed, expression: str, table: str) -> int:
    (row,) = deployed.query(f"SELECT {expression} AS size FROM `{{d}}.{table}`")
    return int(row.size)


def test_everything_is_estimated_and_within_its_budget(
    deployed: Deployed, everything: dict[tuple[str, str], Estimate]
) -> None:
    catalog = deployed.catalog
    assert len(everything) == len(catalog.routines) + len(catalog.views) + len(catalog.schedules)
    assert {key: each.problem for key, each in everything.items() if each.problem} == {}
    assert [key for key, each in everything.items() if each.over_budget] == []
    assert everything["procedure", "update_caption_performance"].budget == budgets.PERFORMANCE_UPDATE
    assert everything["scheduled query", "run_daily_automation"].budget == budgets.DAILY_AUTOMATION
    assert everything["procedure", "sweep_expired_caption_locks"].budget is None


def test_a_function_reads_nothing_and_costs_nothing(everything: dict[tuple[str, str], Estimate]) -> None:
    functions = [each for (kind, _), each in everything.items() if kind == "function"]
    assert {(each.bytes_read, each.bytes_billed, each.tables, each.dollars) for each in functions} == {(0, 0, 0, 0.0)}


def test_the_columns_that_are_read_count_and_each_table_is_billed_10_megabytes(
    deployed: Deployed, everything: dict[tuple[str, str], Estimate]
) -> None:
    found = everything["table function", "account_sizes"]
    size = bytes_of(
        deployed, "SUM(2 + LENGTH(page_name) + 3 * 8)", "mass_messages"
    )  # sending_time, sent_count, earnings
    assert (found.bytes_read, found.bytes_billed, found.tables) == (size, 10 * MEGABYTE, 1)
    assert found.dollars == pytest.approx(10 / 1024**2 * 6.25)
    view = everything["view", "schedule_recommendations_messages"]
    assert (view.bytes_billed, view.tables) == (40 * MEGABYTE, 4)


def test_calls_per_month_come_from_the_schedules_through_everything_that_is_called(
    everything: dict[tuple[str, str], Estimate],
) -> None:
    calls = {key: round(each.calls_a_month, 1) for key, each in everything.items()}
    assert calls["scheduled query", "update_caption_performance"] == 121.8
    assert calls["procedure", "update_caption_performance"] == 121.8
    assert calls["scheduled query", "sweep_expired_caption_locks"] == 730.5
    # its own schedule, and the daily run
    assert calls["procedure", "sweep_expired_caption_locks"] == 760.9
    # halves are for a day on which all together failed
    assert calls["procedure", "process_creators"] == 30.4
    assert calls["table function", "caption_performance"] == 121.8
    assert calls["procedure", "select_captions_for_creator"] == 0
    update = everything["procedure", "update_caption_performance"]
    assert update.dollars_a_month == pytest.approx(update.dollars * 121.75)


def test_a_changed_table_function_is_measured_by_its_text_in_all_that_call_it(deployed: Deployed) -> None:
    proposed = with_text(deployed.catalog, "account_sizes", reading_texts)
    assert cost.changed_objects(deployed.catalog, proposed) == {"account_sizes"}
    callers = {"classify_account_size", "creator_reports", "analyze_creator_performance", "process_creators"}
    assert cost.dependent_objects(proposed, {"account_sizes"}) == {*callers, "run_daily_automation"}
    changes = {(each.kind, each.name): each for each in cost.compare(deployed.api, deployed.catalog, proposed)}
    assert {name for _, name in changes} == {"account_sizes", *callers, "run_daily_automation"}
    texts = bytes_of(deployed, "SUM(2 + BYTE_LENGTH(message))", "mass_messages")
    for name in ("account_sizes", "classify_account_size"):
        assert changes[ObjectKind.TABLE_FUNCTION, name].bytes_difference == texts
    # the reports read the texts anyway
    assert changes[ObjectKind.TABLE_FUNCTION, "creator_reports"].bytes_difference == 0


def test_a_partition_filter_counts_and_one_that_is_dropped_costs(deployed: Deployed) -> None:
    def without_filter(sql: str) -> str:
        start = sql.find("    WHERE calendar.holiday_date >=")
        return sql[:start] + sql[sql.find("  ),\n  days_with_their_figures") :] if start >= 0 else sql

    proposed = with_text(deployed.catalog, "day_deviations", without_filter)
    catalogs = (deployed.catalog, proposed)
    ((before,), (after,)) = (cost.estimate(deployed.api, each, {"day_deviations"}) for each in catalogs)
    (rows,) = deployed.query(
        """SELECT COUNT(*) AS all_of_them, COUNTIF(EXTRACT(YEAR FROM holiday_date) IN (
          EXTRACT(YEAR FROM DATE_SUB(today, INTERVAL 90 DAY)), EXTRACT(YEAR FROM DATE_SUB(today, INTERVAL 1 DAY))
        )) AS in_the_window
        FROM `{d}.holiday_calendar`, (SELECT CURRENT_DATE('America/Los_Angeles') AS today)"""
    )
    assert rows.all_of_them > rows.in_the_window > 0
    assert after.bytes_read - before.bytes_read == 8 * (rows.all_of_them - rows.in_the_window)


def test_a_view_is_measured_by_its_proposed_text(deployed: Deployed) -> None:
    def with_a_column_more(sql: str) -> str:
        return (
            sql.replace("  slot.page_name,\n", "  CONCAT(slot.page_name, bank.caption_key) AS page_name,\n", 1)
            .replace(
                "WHERE slot.is_active",
                "JOIN `{d}.caption_bank` AS bank ON bank.caption_id = slot.caption_id\nWHERE slot.is_active",
            )
            .replace("{d}", deployed.dataset)
        )

    name = "schedule_recommendations_messages"
    proposed = with_text(deployed.catalog, name, with_a_column_more)
    (change,) = cost.compare(deployed.api, deployed.catalog, proposed)
    assert (change.name, change.kind) == (name, "view")
    assert change.bytes_difference == bytes_of(deployed, "SUM(2 + LENGTH(caption_key))", "caption_bank")


def test_the_base_is_estimated_at_the_hours_of_its_own_guard(deployed: Deployed) -> None:
    name = "update_caption_performance"
    query = deployed.catalog.schedules[name]
    ours = f"IN ({', '.join(map(str, query.hours_la))})"
    assert ours in query.query
    hours = tuple(hour + 1 for hour in query.hours_la[:-1])
    text = query.query.replace(ours, f"IN ({', '.join(map(str, hours))})")
    schedules = {**deployed.catalog.schedules, name: replace(query, query=text, hours_la=hours)}
    base = replace(deployed.catalog, schedules=schedules)
    changes = {(each.kind, each.name): each for each in cost.compare(deployed.api, base, deployed.catalog)}
    change = changes[ObjectKind.SCHEDULED_QUERY, name]
    assert change.base is not None
    assert change.proposed is not None
    assert change.base.calls_a_month / len(hours) == change.proposed.calls_a_month / len(query.hours_la)
    assert change.base.bytes_read == change.proposed.bytes_read > 0


def test_a_scheduled_query_that_a_change_removes_has_its_estimate_on_the_base(deployed: Deployed) -> None:
    query = deployed.catalog.schedules["sweep_expired_caption_locks"]
    removed = replace(query, name="was_removed", path=query.path.with_stem("was_removed"))
    base = replace(deployed.catalog, schedules={**deployed.catalog.schedules, removed.name: removed})
    (change,) = cost.compare(deployed.api, base, deployed.catalog)
    assert (change.name, change.proposed) == ("was_removed", None)
    assert change.base is not None
    assert change.base.calls_a_month > 0


def test_what_is_not_deployed_yet_is_written_out(deployed: Deployed) -> None:
    """A new function, and one of another signature, are measured in what calls them."""
    catalog = deployed.catalog
    old = catalog.functions["conversion_interval"]

    def renamed(item: Routine) -> Routine:
        ddl = item.ddl.replace("conversion_interval`", "interval_of`")
        return replace(item, name="interval_of", path=item.path.with_stem("interval_of"), ddl=ddl)

    functions = {**catalog.functions, "interval_of": renamed(old)}
    proposed = with_text(
        replace(catalog, functions=functions),
        "analyze_trigger_performance",
        lambda sql: sql.replace("conversion_interval`", "interval_of`"),
    )
    assert cost.changed_objects(catalog, proposed) == {"interval_of", "analyze_trigger_performance"}
    found = {each.name: each for each in cost.estimate(deployed.api, proposed, cost.changed_objects(catalog, proposed))}
    assert [each.problem for each in found.values()] == ["", ""]
    (before,) = cost.estimate(deployed.api, catalog, {"analyze_trigger_performance"})
    assert found["analyze_trigger_performance"].bytes_read == before.bytes_read > 0


def test_texts_and_calls_of_live_objects_are_estimated_alike(
    deployed: Deployed, everything: dict[tuple[str, str], Estimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = deployed.catalog
    monkeypatch.setattr(
        cost, "_written_out", lambda _api, _catalog: {*catalog.functions, *catalog.table_functions, *catalog.views}
    )
    names = {"captioned_messages", "classify_account_size", "select_captions_for_creator", "update_caption_performance"}
    for found in cost.estimate(deployed.api, catalog, names):
        assert found == everything[found.kind, found.name]


def test_a_failed_dry_run_is_shown_and_stops_nothing(deployed: Deployed) -> None:
    proposed = with_text(
        deployed.catalog, "account_sizes", lambda sql: sql.replace("sent.earnings,", "sent.no_such_column AS earnings,")
    )
    found = cost.estimate(deployed.api, proposed, {"account_sizes", "classify_account_size", "candidate_captions"})
    problems = {each.name: each.problem for each in found}
    assert problems.pop("candidate_captions") == ""
    assert all("no_such_column" in problem and "http" not in problem for problem in problems.values())
    assert [each.bytes_billed for each in found if each.problem] == [0, 0]


def test_a_missing_permission_is_shown_too(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(about: str, _sql: str) -> DryRun:
        raise NotPermittedError(f"dry run of {about}: 403 Access Denied")

    monkeypatch.setattr(deployed.api, "dry_run", refuse)
    (found,) = cost.estimate(deployed.api, deployed.catalog, {"account_sizes"})
    assert found.problem == "dry run of account_sizes: 403 Access Denied"


def test_without_a_dataset_there_is_nothing_to_estimate(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployed.api, "dataset", lambda: None)
    with pytest.raises(LiveSystemError, match="`make deploy`"):
        cost.estimate(deployed.api, deployed.catalog)


def test_the_base_is_what_git_has(deployed: Deployed) -> None:
    base = cost.base_catalog("HEAD", deployed.environment)
    assert (base.project, base.dataset) == (deployed.catalog.project, deployed.catalog.dataset)
    assert base.procedures["update_caption_performance"].calls >= {"begin_job_run", "end_job_run"}
    for ref in ("no-such-revision", "--help"):
        with pytest.raises(StepFailedError, match="git does not know this revision") as failed:
            cost.base_catalog(ref, deployed.environment)
        assert failed.value.exit_code == 2


def test_everything_is_compared_and_what_did_not_change_is_equal(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposed = with_text(deployed.catalog, "account_sizes", reading_texts)

    def estimated(name: str, read: int) -> Estimate:
        return Estimate(name, ObjectKind.TABLE_FUNCTION, read, read, 1, 1.0, "")

    def estimates(_api: object, catalog: Catalog, names: set[str] | None, _known: object) -> list[Estimate]:
        read = {"account_sizes": 2 if catalog is proposed else 1, "candidate_captions": 3}
        return [estimated(name, size) for name, size in read.items() if names is None or name in names]

    monkeypatch.setattr(cost, "_estimates", estimates)
    grown = CostChange("account_sizes", estimated("account_sizes", 1), estimated("account_sizes", 2))
    same = CostChange("candidate_captions", *[estimated("candidate_captions", 3)] * 2)
    assert cost.compare_everything(deployed.api, deployed.catalog, proposed) == [grown, same]
    assert cost.compare(deployed.api, deployed.catalog, proposed) == [grown]


@pytest.mark.parametrize("fault", ["503", "429", "cut", "silent", "drip"])
def test_dry_runs_that_do_not_answer_end_with_the_deadline(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """A status or a cut answer ends the command; of what hangs, the report says which objects have no estimate."""
    hangs = fault in {"silent", "drip"}
    on_fault = at_the_deadline if hangs else lambda: None
    with faulty(str(deployed.environment.endpoint), "/jobs", fault, on_fault) as endpoint:
        there = deployed.environment.model_copy(update={"endpoint": endpoint})
        monkeypatch.setattr(__main__, "load_environment", lambda _name: there)
        began = time.monotonic()
        ended = invoke(__main__.app, __main__.KNOWN, "cost", "--format", "json")
    assert time.monotonic() - began < 30
    assert ended.exit_code == 2, ended.output
    if hangs:
        problems = [each["proposed"]["problem"] for each in json.loads(ended.stdout)]
        assert any("no answer within the 120 s of --deadline" in problem for problem in problems)
        assert "not complete: no answer within the 120 s of --deadline; waited for POST /bigquery/" in ended.stderr
    else:
        assert ended.stdout == ""
        assert len(ended.stderr.splitlines()) == 1
