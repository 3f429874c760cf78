"""The newest day in tables: what it shows, and that an empty system has none."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from typer.testing import CliRunner

from google.failures import LiveSystemError
from operations import __main__, day
from operations.day import print_day
from operations.deploy import deployment

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from google.cloud.bigquery import ScalarQueryParameter

    from google.client import GoogleApi
    from tests.harness.deployed import Deployed

ROWS: dict[str, dict[str, Any]] = {
    "etl_job_runs": {
        "job_name": "run_daily_automation",
        "execution_date": date(2026, 11, 24),
        "job_start_time": datetime(2026, 11, 24, 11, 17, tzinfo=UTC),
        "job_status": "COMPLETED_WITH_ERRORS",
        "creators_processed": 99,
        "creators_failed": 1,
        "job_duration_seconds": 12.25,
        "error_message": "creator a has a hard pattern",
    },
    "schedule_generation_queue": {"page_name": "b", "saturation_pct": None, "status": "PENDING", "creators": 98},
    "creator_performance_reports": {
        "page_name": "b",
        "size_tier": "MICRO",
        "revenue": 1234.5,
        "segment": "BUDGET",
        "risk_level": "LOW",
        "recommended_action": "NO CHANGE",
        "best_trigger": None,
        "best_category": "archive",
        "creators": 99,
    },
    "select_captions_for_creator": {
        "caption_text": "Last chance: 20 % off tonight",
        "price_tier": "mid",
        "has_urgency": True,
        "final_score": 0.81234,
        "debug_info": {
            "thompson_score": 0.9,
            "confidence_lower": 0.21,
            "confidence_upper": 0.94,
            "successes": 2,
            "failures": 1,
            "diversity_bonus": -0.35,
            "budget_penalty": -0.5,
            "segment_multiplier": 1.15,
        },
    },
}


def shown(rows: dict[str, dict[str, Any]]) -> tuple[str, list[tuple[str, list[Any]]]]:
    """What is printed, and the texts of the queries with the values of their parameters."""
    asked: list[tuple[str, list[Any]]] = []

    def query(about: str, sql: str, parameters: Sequence[ScalarQueryParameter] = ()) -> list[Any]:
        asked.append((sql, [parameter.value for parameter in parameters]))
        return [SimpleNamespace(**rows[about])] if about in rows else []

    api = SimpleNamespace(environment=SimpleNamespace(project="p", dataset="d"), query=query)
    console = Console(file=io.StringIO())
    print_day(cast("GoogleApi", api), console)
    return cast("io.StringIO", console.file).getvalue(), asked


def test_a_day_is_shown_with_the_reasons_of_the_choice() -> None:
    text, asked = shown(ROWS)
    for part in (
        "2026-11-24 03:17 PST",
        "COMPLETED_WITH_ERRORS creator a has",
        "98 creators",
        "1,234.5",
        "mid, urgent",
    ):
        assert part in text
    for part in ("Last chance: 20 % off tonight", "0.812", "0.21 to 0.94", "2/1", "-0.35", "-0.50", "x 1.15"):
        assert part in text
    assert "CALL `p.d.select_captions_for_creator`(@page, " in asked[-1][0]
    assert all(sql.count("`p.d.") and "{" not in sql for sql, _ in asked)


def test_a_page_name_is_a_parameter_and_no_text_of_the_query() -> None:
    name = "o'clock"
    queue = {**ROWS["schedule_generation_queue"], "page_name": name}
    _, asked = shown({**ROWS, "schedule_generation_queue": queue})
    assert asked[-1][1] == [name]
    assert name not in asked[-1][0]


def test_a_deployed_day_is_shown_with_captions(deployed: Deployed) -> None:
    console = Console(file=io.StringIO())
    print_day(deployed.api, console)
    text = cast("io.StringIO", console.file).getvalue()
    assert "run_daily_automation" in text
    assert "Captions for " in text


def test_a_deployment_shows_its_summary_although_its_day_cannot_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def fail(*_: object) -> None:
        done.append("day")
        raise LiveSystemError("no answer")

    monkeypatch.setattr(deployment, "deploy", lambda *_: None)
    monkeypatch.setattr(deployment, "print_summary", lambda *_: done.append("summary"))
    monkeypatch.setattr(day, "print_day", fail)
    CliRunner().invoke(__main__.app, ["deploy", "--env", "local"])
    assert done == ["summary", "day"]


def test_a_system_that_never_ran_has_no_day() -> None:
    assert shown({})[0].strip() == "No day has run yet."
