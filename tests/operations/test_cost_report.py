"""The report of costs: what is over its budget, for people and for programs. Nothing here needs a server."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from typer.testing import CliRunner

from declared import budgets
from declared.budgets import Budget, ObjectKind
from declared.sizes import MEGABYTE
from operations import __main__
from operations.review import cost, cost_report
from operations.review.cost import CostChange, Estimate


def estimated(name: str = "update_caption_performance", read: int = MEGABYTE, problem: str = "") -> Estimate:
    return Estimate(name, ObjectKind.PROCEDURE, read, 10 * MEGABYTE, 1, 121.75, problem)


def test_a_budget_is_of_what_is_read_and_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not estimated().over_budget
    assert not estimated("begin_job_run", read=1024**4).over_budget
    for budget in (Budget("tight", MEGABYTE - 1, 1.0), Budget("cheap", 1024**4, 0.000005)):
        monkeypatch.setitem(budgets.BY_NAME, "update_caption_performance", budget)
        assert estimated().over_budget
    # the minimum that is billed breaks no budget
    monkeypatch.setitem(budgets.BY_NAME, "update_caption_performance", Budget("least", MEGABYTE, 0.00001))
    assert estimated().dollars > 0.00001
    assert not estimated().over_budget


@pytest.fixture
def changes() -> list[CostChange]:
    """One that grew beyond its budget, one that is new, one that is gone and one that could not be measured."""
    return [
        CostChange("update_caption_performance", estimated(), estimated(read=6 * 1024 * MEGABYTE)),
        CostChange("begin_job_run", None, estimated("begin_job_run")),
        CostChange("end_job_run", estimated("end_job_run"), None),
        CostChange("a | b", estimated("a | b"), estimated("a | b", problem="400 no such column")),
    ]


def test_the_report_for_people(changes: list[CostChange]) -> None:
    console = Console(width=cost_report.LOG_WIDTH, record=True, file=None, quiet=True)
    with console.capture():
        console.print(cost_report.table(changes, with_base=True))
    grown = "| `update_caption_performance` | procedure | 6.00 GB | 1 | $0.00006 | 121.8 | $0.007257"
    lines = cost_report.markdown(changes, with_base=True).splitlines()
    assert lines[0] == "4 objects; over budget: update\\_caption\\_performance; not estimated: 1"
    assert lines[4:] == [
        f"{grown} | +6.00 GB | = | OVER 5.00 GB, $0.025 |",
        "| `begin_job_run` | procedure | 1.0 MB | 1 | $0.00006 | 121.8 | $0.007257 | +1.0 MB | +$0.007257 |  |",
        "| `end_job_run` | procedure | removed |  |  |  |  | -1.0 MB | -$0.007257 |  |",
        "| `a \\| b` | procedure | not known |  |  |  |  | not known |  | 400 no such column |",
    ]


@pytest.mark.parametrize(
    ("estimates", "said"),
    [
        ([(MEGABYTE, "")], "1 object; scheduled queries: $0.007257 per month; all within their budgets"),
        (
            [(MEGABYTE, ""), (0, "refused")],
            (
                "2 objects; scheduled queries: $0.007257 per month without 1 not estimated; "
                "what was estimated is within its budget; not estimated: 1"
            ),
        ),
        ([(0, "refused")], "1 object; scheduled queries: not known; not estimated: 1"),
    ],
)
def test_only_what_is_known_is_within_its_budget(estimates: list[tuple[int, str]], said: str) -> None:
    changes = [
        CostChange(f"q{read}", None, replace(estimated(f"q{read}", read, problem), kind=ObjectKind.SCHEDULED_QUERY))
        for read, problem in estimates
    ]
    assert cost_report.markdown(changes, with_base=False).splitlines()[0] == said


def test_a_failed_dry_runs_message_is_not_markup() -> None:
    said = "400 `x` <details><summary>![](https://example.com/a.png)\n| @org/team [/red] #1"
    change = CostChange("a` | <b>", None, estimated("a` | <b>", problem=said))
    row = cost_report.markdown([change], with_base=False)
    rendered = MarkdownIt("commonmark").enable("table").render(row)
    assert rendered.count("<td") == len(cost_report.COLUMNS)
    assert not re.search("<(details|summary|img|b)[ >]", rendered)
    assert "@<!-- -->org/team" in row
    console = Console(width=400)
    with console.capture() as shown:
        console.print(cost_report.table([change], with_base=False))
    assert "@org/team [/red] #1" in shown.get()


def test_a_minimum_above_a_budgets_price_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(budgets.BY_NAME, "update_caption_performance", Budget("least", MEGABYTE, 0.00001))
    row = cost_report.markdown([CostChange("q", None, estimated())], with_base=False).splitlines()[-1]
    assert row.endswith("| within 1.0 MB; $0.00006 with the minimum of 10 MB per table, over $0.00001 |")


def test_the_report_for_programs(changes: list[CostChange]) -> None:
    first, new, gone, _ = json.loads(cost_report.as_json(changes, with_base=True))
    assert first["proposed"]["over_budget"] is True
    assert first["proposed"]["budget"]["name"] == "performance update"
    assert first["bytes_difference"] == 6 * 1024 * MEGABYTE - MEGABYTE
    assert (new["base"], gone["proposed"]) == (None, None)
    (plain, *_) = json.loads(cost_report.as_json(changes, with_base=False))
    assert plain.keys() == {"name", "kind", "proposed"}


def test_the_command_compares_with_a_revision(monkeypatch: pytest.MonkeyPatch, changes: list[CostChange]) -> None:
    monkeypatch.setattr(cost, "base_catalog", lambda ref, _environment: ref)
    monkeypatch.setattr(cost, "compare_everything", lambda _api, base, _proposed: changes if base == "main" else [])
    done = CliRunner().invoke(__main__.app, ["cost", "--env", "local", "--base", "main", "--format", "markdown"])
    assert done.output.rstrip() == cost_report.markdown(changes, with_base=True)
    assert done.exit_code == 1


@pytest.mark.parametrize(
    ("read", "problem", "exit_code"), [(MEGABYTE, "", 0), (6 * 1024 * MEGABYTE, "", 1), (0, "400 no such column", 1)]
)
@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_the_command_fails_when_something_is_over_its_budget_or_not_known(
    monkeypatch: pytest.MonkeyPatch, read: int, problem: str, exit_code: int, form: str
) -> None:
    monkeypatch.setattr(cost, "estimate", lambda _api, _catalog: [estimated(read=read, problem=problem)])
    done = CliRunner().invoke(__main__.app, ["cost", "--env", "local", "--format", form])
    assert done.exit_code == exit_code, done.output
    assert "update_caption_performance" in done.output.replace("\\_", "_")
