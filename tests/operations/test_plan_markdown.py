"""The comment on a plan: nothing secret is in it, and it is valid Markdown for a plan of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from declared.budgets import ObjectKind
from declared.schedules import Schedule
from operations.review.cost import CostChange, Estimate
from operations.review.github import LONGEST_TEXT, length
from operations.review.plan_markdown import markdown
from operations.review.plan_summary import Costs
from operations.review.sections import Fold, Section, fitted
from tests.operations.plans import change, dropped_column, summary_of, table_state, update
from verification.markdown_text import cell, code

if TYPE_CHECKING:
    from catalog import Catalog
    from declared.environment import Environment

PARSER = MarkdownIt("commonmark").enable("table")


def test_a_routines_body_is_a_diff_and_its_users_are_named(prod: Environment, catalog: Catalog) -> None:
    before = {"definition_body": "BEGIN\n  -- an old remark\n  SELECT 1;\nEND", "etag": "1"}
    after = {"definition_body": "BEGIN\n  SELECT ```2```;\nEND", "etag": "2"}
    text = markdown(summary_of(prod, catalog, update("google_bigquery_routine.wilson_score_bounds", before, after)))
    (fence,) = [token for token in PARSER.parse(text) if token.type == "fence"]
    assert fence.info == "diff"
    assert "-  -- an old remark\n" in fence.content
    assert "+  SELECT ```2```;\n" in fence.content
    line = next(line for line in text.splitlines() if line.startswith("- `google_bigquery_routine"))
    assert ": definition_body" in line
    assert "`caption_performance`" in line.partition("used by")[2]
    assert "etag" not in text


def test_a_removed_comment_is_in_the_diff(prod: Environment, catalog: Catalog) -> None:
    """In a diff it begins with three dashes, as the names of files do."""
    before, after = {"definition_body": "-- a remark\nSELECT 1"}, {"definition_body": "SELECT 1"}
    text = markdown(summary_of(prod, catalog, update("google_bigquery_routine.x", before, after)))
    assert "\n--- a remark\n" in text


@pytest.mark.parametrize("form", ["markdown", "json"])
def test_secrets_are_masked(prod: Environment, catalog: Catalog, form: str) -> None:
    token = "ghp_" + "a1B2" * 10
    key = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"
    summary = summary_of(
        prod,
        catalog,
        update(
            "google_monitoring_notification_channel.operators",
            {"labels": {"email": "a@example.com", "auth_token": "s3cr3t-one"}, "password": "s3cr3t-two"},
            {"labels": {"email": "b@example.com", "auth_token": "s3cr3t-three"}, "password": "s3cr3t-four"},
            before_sensitive={"labels": {"auth_token": True}, "password": True},
            after_sensitive={"labels": {"auth_token": True}, "password": True},
        ),
        change("google_bigquery_routine.x", "create", None, {"definition_body": f"SELECT '{token}', '''{key}'''"}),
    )
    text = markdown(summary) if form == "markdown" else summary.as_json(Costs())
    assert "s3cr3t" not in text
    assert token not in text
    assert "abc" not in text
    assert "b@example.com" in text
    assert "password" in text


def test_schedules_are_shown_with_their_next_runs_in_both_zones(
    prod: Environment, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 8 March 2026 the clocks go from 02:00 to 03:00 in Los Angeles."""
    schedule = Schedule("run_daily_automation", minute=7, hours_la=(3,))
    monkeypatch.setattr("operations.review.plan_summary.schedules_in", lambda _: (schedule,))
    config = {"schedule": schedule.schedule}
    address = "google_bigquery_data_transfer_config.run_daily_automation"
    text = markdown(summary_of(prod, catalog, change(address, "no-op", config, config)))
    row = next(line for line in text.splitlines() if line.startswith("| `run_daily_automation`"))
    assert "| Sun 2026-03-08 03:07 PDT | Sun 2026-03-08 10:07 UTC |" in row
    assert "<summary>Schedules: no change; next runs</summary>" in text
    other = {**config, "params": {"query": "hours 1, 7"}, "disabled": True}
    changed = markdown(summary_of(prod, catalog, update(address, {**config, "params": {"query": "hours 0, 6"}}, other)))
    row = next(line for line in changed.splitlines() if line.startswith("| `run_daily_automation`"))
    assert "(**its query changes**) | **disabled** |" in row
    assert "### Schedules" in changed
    gone = markdown(summary_of(prod, catalog, change(address, "delete", config)))
    assert "### Schedules" in gone
    assert "(destroy)" in gone
    (removed,) = summary_of(prod, catalog, change(address, "delete", config)).schedules
    assert (removed.hours_la, removed.next_la, removed.next_utc) == ("", "", "")


def test_costs_are_shown_with_the_difference_and_a_failure_in_one_line(prod: Environment, catalog: Catalog) -> None:
    base = Estimate("run_daily_automation", ObjectKind.PROCEDURE, 20 << 20, 30 << 20, 3, 30.4)
    proposed = Estimate("run_daily_automation", ObjectKind.PROCEDURE, 3 << 30, 3 << 30, 3, 30.4)
    summary = summary_of(prod, catalog, dropped_column(catalog))
    text = markdown(summary, Costs((CostChange("run_daily_automation", base, proposed),), with_base=True))
    assert "### Cost\n\n1 object; over budget: run\\_daily\\_automation\n" in text
    row = next(line for line in text.splitlines() if line.startswith("| `run_daily_automation`"))
    assert "| 3.00 GB | 3 | $0.018311 | 30.4 | $0.556641 | +2.98 GB | +$0.551" in row
    assert "OVER 2.00 GB" in row
    assert "Not estimated: no answer \\| at all" in markdown(summary, Costs(problem="no answer | at all"))


def test_nothing_to_do_is_said_in_one_line(prod: Environment, catalog: Catalog) -> None:
    table = table_state(catalog, "leases")
    summary = summary_of(prod, catalog, change("google_bigquery_table.leases", "no-op", table, table))
    assert summary.untouched
    assert markdown(summary).splitlines()[3] == "**No changes: the live system is what the repository declares.**"


def test_a_huge_plan_fits_and_stays_markdown(prod: Environment, catalog: Catalog) -> None:
    """With emoji, which GitHub counts twice; the danger is cut last."""
    bodies = [
        update(
            f"google_bigquery_routine.routine_{number}",
            {"definition_body": "\n".join(f"SELECT {line}; -- 🔥" for line in range(200))},
            {"definition_body": "\n".join(f"SELECT {line + number}; -- 💋" for line in range(200))},
        )
        for number in range(1, 120)
    ]
    link = "https://example.com/runs/7"
    text = markdown(summary_of(prod, catalog, *bodies, dropped_column(catalog)), link=link)
    assert LONGEST_TEXT * 0.8 < length(text) <= LONGEST_TEXT
    assert text.count("<details>") == text.count("</details>") > 0
    assert all(token.content.endswith("\n") for token in PARSER.parse(text) if token.type == "fence")
    assert "lines were cut here" in text
    assert f"[the whole plan]({link})" in text
    assert "drop of column" in text
    assert "google_bigquery_routine.routine_119" in text


@given(
    st.lists(
        st.builds(
            Section,
            st.text("ab# ", max_size=9),
            st.lists(st.text("xyz🔥", max_size=3_000), max_size=12).map(tuple),
            st.lists(
                st.builds(
                    Fold, st.just("t"), st.sampled_from(["", "sql"]), st.lists(st.text("`a🔥", max_size=60)).map(tuple)
                ),
                max_size=4,
            ).map(tuple),
        ),
        max_size=6,
    )
)
def test_sections_fit_with_any_content(sections: list[Section]) -> None:
    text = fitted(sections, "L", limit=2_500)
    assert length(text) <= 2_500
    assert text.count("<details>") == text.count("</details>")


@given(st.text(max_size=60))
def test_a_cell_is_one_cell_with_any_content(text: str) -> None:
    row = f"| a | b |\n|---|---|\n| {cell(text)} | {code(text)} |"
    cells = [token for token in PARSER.parse(row) if token.type == "td_open"]
    assert len(cells) == 2
