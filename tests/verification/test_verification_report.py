"""Reports: a table of at most 100 columns, JSON with a fixed schema, JUnit that parses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import TypeAdapter

from catalog.files import REPOSITORY
from declared.loading import load_environment
from declared.sizes import MEGABYTE
from google.billing import Usage
from verification.report import Document, as_json, as_junit, as_markdown, json_schema, table_text
from verification.results import Report, Result, Status

LONG = "CALL `eros-local.eros_scheduling_brain.seed_holiday_calendar`(2025, 2028); " * 5


WORST_FIRST = ["ERROR", "FAIL", "DRIFT", "LATE", "DENIED", "WARN", "SKIP"]


@pytest.fixture
def report() -> Report:
    results = (
        Result("1.2", "existence", "tables exist", "leases", Status.PASS, "table", "table", "", 0.01),
        Result("1.2", "existence", "tables exist", "etl_job_runs", Status.FAIL, "table", "missing", LONG, 0.01),
        Result("6.1", "integrity", "holidays", "holiday_calendar", Status.ERROR, "a < b & c", "\x00[bold]x", "", 0.2),
        Result("6.2", "integrity", "statistics", "caption_bandit_stats", Status.SKIP, "rows", "no table", "", 0.1),
        Result("drift.5", "drift", "labels", "leases", Status.DRIFT, "labels: a=b", "labels: a=c|d", "Ask @ops.", 0.1),
        Result("0.6", "preflight", "changes", "leases", Status.WARN, "none", "clustering", "ALTER …\nthen", 0.1),
        Result("7.1", "view", "rows", "alerts", Status.LATE, "the check ends", "no answer", "Again.", 0.1),
        Result("access.3", "access", "roles", "eros-local", Status.DENIED, "can be made", "403 no", "Ask.", 0.1),
    )
    usage = Usage(queries=3, bytes_read=21 * MEGABYTE, bytes_billed=30 * MEGABYTE)
    return Report(load_environment("local"), "2026-07-01T12:00:00+00:00", 0.31, results, usage)


def test_the_table_names_what_is_not_pass_and_fits_100_columns(report: Report) -> None:
    text = table_text(report)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "FAIL 1.2 tables exist: etl_job_runs" in text
    assert "[bold]x" in text
    assert [line.strip() for line in text.strip().splitlines()[-2:]] == [
        "3 queries read 21.0 MB, $0.00018",
        "7 tests, 8 results: 1 PASS, 1 SKIP, 1 WARN, 1 DENIED, 1 LATE, 1 DRIFT, 1 FAIL, 1 ERROR in 0.3 s",
    ]
    shown = [line.split()[0] for line in text.splitlines() if line.split()[:1] and line.split()[0] in set(Status)]
    assert shown == ["ERROR", "FAIL", "DRIFT", "LATE", "DENIED", "WARN", "SKIP"], (
        "the worst first, drift is not a failure"
    )


def test_the_exit_code_is_that_of_the_worst_status(report: Report) -> None:
    def code(*statuses: Status) -> int:
        results = tuple(result for result in report.results if result.status in statuses)
        return replace(report, results=results).exit_code

    assert code(Status.PASS, Status.SKIP, Status.WARN) == 0
    assert [code(Status.PASS, bad) for bad in (Status.FAIL, Status.ERROR, Status.DRIFT)] == [1, 1, 1]
    assert code(Status.PASS, Status.DENIED) == 2
    assert code(Status.DENIED, Status.DRIFT) == 1
    assert code(Status.LATE) == 2
    assert code(Status.LATE, Status.FAIL) == 2, "what is not known may be worse"
    assert replace(report, results=report.results[:1]).well
    assert not report.well


def test_the_json_schema_is_stable(report: Report) -> None:
    document = json.loads(as_json(report))
    assert {key: type(value).__name__ for key, value in document.items()} == {
        "environment": "str",
        "project": "str",
        "dataset": "str",
        "started": "str",
        "duration": "float",
        "well": "bool",
        "exit_code": "int",
        "counts": "dict",
        "queries": "int",
        "bytes_read": "int",
        "dollars": "float",
        "results": "list",
    }
    assert document["counts"] == {status.value: 1 for status in Status}
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


def test_the_json_schema_is_documented_and_describes_the_report(report: Report) -> None:
    documented = (REPOSITORY / "docs" / "verification-report.schema.json").read_text()
    assert documented == json_schema(), "write it again: python -m verification --print-schema"
    assert TypeAdapter(Document).validate_json(as_json(report), extra="forbid").results == report.results


def test_markdown_starts_with_the_failures_and_breaks_no_table(report: Report) -> None:
    text = as_markdown(report)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings[0].endswith("not all checks pass")
    assert [heading.split()[1] for heading in headings[1:]] == [
        "ERROR",
        "FAIL",
        "DRIFT",
        "LATE",
        "DENIED",
        "WARN",
        "SKIP",
    ]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "expected" not in line]
    assert all(len(re.split(r"(?<!\\)\|", row)) - 2 == 5 for row in rows)
    assert "a=c\\|d" in text
    assert "Ask @<!-- -->ops." in text
    assert "ALTER …<br>then" in text
    assert "a &lt; b &amp; c" in text


def test_junit_matches_the_common_schema(report: Report) -> None:
    import xmlschema  # noqa: PLC0415 - takes 0.3 s

    schema = xmlschema.XMLSchema(str(Path(__file__).parent / "junit.xsd"))
    schema.validate(as_junit(report))
    broken = as_junit(report).replace("<failure", "<failed").replace("</failure", "</failed")
    assert not schema.is_valid(broken)


def test_junit_counts_and_names_every_result(report: Report) -> None:
    root = ET.fromstring(as_junit(report))  # noqa: S314 - written a moment ago
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("8", "2", "3")
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["existence", "integrity", "drift", "preflight", "view", "access"]
    assert suites["integrity"].get("skipped") == "1"
    cases = [case.get("name") for case in suites["existence"]]
    assert cases == ["1.2 tables exist: leases", "1.2 tables exist: etl_job_runs"]
    failure = suites["existence"][1].find("failure")
    assert failure is not None
    assert "etl_job_runs" in str(failure.get("message"))
    assert "to do" in str(failure.text)
    assert suites["integrity"][0].find("error") is not None
    assert suites["integrity"][1].find("skipped") is not None
