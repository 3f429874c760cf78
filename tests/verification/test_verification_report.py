"""Reports: a table that a person can read at 100 columns, JSON with a fixed schema, JUnit that parses."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from stacks.environment import load_environment
from verification.report import as_json, as_junit, table_text
from verification.results import Report, Result, Status

LONG = "CALL `eros-local.eros_scheduling_brain.seed_holiday_calendar`(2025, 2028); " * 5


@pytest.fixture
def report() -> Report:
    results = (
        Result("1.2", "existence", "tables exist", "leases", Status.PASS, "table", "table", "", 0.01),
        Result("1.2", "existence", "tables exist", "etl_job_runs", Status.FAIL, "table", "missing", LONG, 0.01),
        Result("6.1", "integrity", "holidays", "holiday_calendar", Status.ERROR, "a < b & c", "\x00[bold]x", "", 0.2),
        Result("6.2", "integrity", "statistics", "caption_bandit_stats", Status.SKIP, "rows", "no table", "", 0.1),
    )
    return Report(load_environment("local"), "2026-07-01T12:00:00+00:00", 0.31, results)


def test_the_table_names_what_is_not_well_and_fits_100_columns(report: Report) -> None:
    text = table_text(report)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "FAIL 1.2 tables exist: etl_job_runs" in text
    assert "[bold]x" in text
    assert text.strip().splitlines()[-1] == "3 tests, 4 results: 1 PASS, 1 FAIL, 1 ERROR, 1 SKIP in 0.3 s"
    assert "leases" not in text


def test_the_json_schema_is_stable(report: Report) -> None:
    document = json.loads(as_json(report))
    assert {key: type(value).__name__ for key, value in document.items()} == {
        "environment": "str",
        "project": "str",
        "dataset": "str",
        "started": "str",
        "duration": "float",
        "well": "bool",
        "counts": "dict",
        "results": "list",
    }
    assert document["counts"] == {"PASS": 1, "FAIL": 1, "ERROR": 1, "SKIP": 1}
    assert document["results"][1] == {
        "id": "1.2",
        "suite": "existence",
        "name": "tables exist",
        "object": "etl_job_runs",
        "status": "FAIL",
        "expected": "table",
        "found": "missing",
        "action": LONG,
        "duration": 0.01,
    }


def test_junit_counts_and_names_every_result(report: Report) -> None:
    root = ET.fromstring(as_junit(report))  # noqa: S314 - written a moment ago
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "1")
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["existence", "integrity"]
    assert suites["integrity"].get("skipped") == "1"
    cases = [case.get("name") for case in suites["existence"]]
    assert cases == ["1.2 tables exist: leases", "1.2 tables exist: etl_job_runs"]
    failure = suites["existence"][1].find("failure")
    assert failure is not None
    assert "etl_job_runs" in str(failure.get("message"))
    assert "to do" in str(failure.text)
    assert suites["integrity"][0].find("error") is not None
    assert suites["integrity"][1].find("skipped") is not None
