"""Shows a report to a person, to a program (JSON), or to a continuous integration service (JUnit)."""

from __future__ import annotations

import json
from dataclasses import asdict
from io import StringIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from verification.results import Report, Result, Status

if TYPE_CHECKING:
    from collections.abc import Callable

COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.ERROR: "red", Status.SKIP: "yellow"}
FILE_WIDTH = 100


def as_table(report: Report) -> Group:
    """One line a test; below, each result that is not well, with what to do."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("suite")
    table.add_column("test", overflow="fold")
    table.add_column("results", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("outcome")
    for results in _by_test(report):
        first, worst = results[0], _worst(results)
        outcome = Text(worst, COLOURS[worst])
        table.add_row(first.suite, f"{first.id} {first.name}", str(len(results)), f"{first.duration:.2f}", outcome)
    notable = [_explanation(result) for result in report.results if result.status is not Status.PASS]
    place = f"{report.environment.project}.{report.environment.dataset} ({report.environment.name})"
    return Group(Text(place, "bold"), table, *notable, Text(f"\n{report.headline}", "bold"))


def as_json(report: Report) -> str:
    """The document: environment, start, counts by status, and every result with its fields by name."""
    document = {
        "environment": report.environment.name,
        "project": report.environment.project,
        "dataset": report.environment.dataset,
        "started": report.started,
        "duration": round(report.duration, 3),
        "well": report.well,
        "counts": {status.value: report.count(status) for status in Status},
        "results": [asdict(result) for result in report.results],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_junit(report: Report) -> str:
    """One test suite a suite, one test case a result."""
    root = ET.Element(
        "testsuites", {"name": "verification", **_totals(list(report.results)), "time": f"{report.duration:.3f}"}
    )
    for suite in dict.fromkeys(result.suite for result in report.results):
        results = [result for result in report.results if result.suite == suite]
        seconds = sum(group[0].duration for group in _by_test(report) if group[0].suite == suite)
        totals = {**_totals(results), "skipped": str(sum(r.status is Status.SKIP for r in results))}
        element = ET.SubElement(
            root, "testsuite", {"name": suite, "timestamp": report.started, "time": f"{seconds:.3f}", **totals}
        )
        for result in results:
            _add_case(element, result)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def table_text(report: Report) -> str:
    """The table as plain text, for a file."""
    text = StringIO()
    Console(file=text, width=FILE_WIDTH, highlight=False).print(as_table(report))
    return text.getvalue()


#: How each format is written into a file.
WRITERS: dict[str, Callable[[Report], str]] = {"table": table_text, "json": as_json, "junit": as_junit}


def _by_test(report: Report) -> list[list[Result]]:
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in report.results:
        groups.setdefault((result.suite, result.id), []).append(result)
    return list(groups.values())


def _worst(results: list[Result]) -> Status:
    ranks = [Status.ERROR, Status.FAIL, Status.SKIP, Status.PASS]
    return min((result.status for result in results), key=ranks.index)


def _explanation(result: Result) -> Table:
    title = Text.assemble("\n", (result.status, COLOURS[result.status]), f" {result.id} {result.name}: ")
    title.append(result.object, "bold")
    lines = Table.grid(padding=(0, 1))
    lines.add_column(width=10, justify="right")
    lines.add_column(overflow="fold")
    for label, text in (("expected", result.expected), ("found", result.found), ("to do", result.action)):
        if text:
            lines.add_row(Text(label, "dim"), Text(text))
    block = Table.grid()
    block.add_row(title)
    block.add_row(lines)
    return block


def _totals(results: list[Result]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(result.status is Status.FAIL for result in results)),
        "errors": str(sum(result.status is Status.ERROR for result in results)),
    }


def _add_case(suite: ET.Element, result: Result) -> None:
    name = f"{result.id} {result.name}: {result.object}"
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"verification.{result.suite}",
        name=_printable(name),
        time=f"{result.duration:.3f}",
    )
    details = _printable(f"expected: {result.expected}\nfound: {result.found}\nto do: {result.action}")
    message = _printable(f"{result.object}: expected {result.expected}, found {result.found}")
    match result.status:
        case Status.FAIL:
            ET.SubElement(case, "failure", type="FAIL", message=message).text = details
        case Status.ERROR:
            ET.SubElement(case, "error", type="ERROR", message=message).text = details
        case Status.SKIP:
            ET.SubElement(case, "skipped", message=_printable(result.found))
        case Status.PASS:
            pass


def _printable(text: str) -> str:
    """The text without the control characters that XML cannot hold."""
    return "".join(character for character in text if character in "\t\n\r" or character >= " ")
