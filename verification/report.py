"""Writes a report for a person, a program (JSON) or a continuous integration service (JUnit)."""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pydantic import TypeAdapter
from rich.console import Group
from rich.table import Table
from rich.text import Text

from declared.masking import masked_values
from declared.output import MaskingConsole
from verification.markdown_text import cell
from verification.results import INCOMPLETE, Report, Result, Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLOURS = {
    Status.PASS: "green",
    Status.SKIP: "yellow",
    Status.WARN: "yellow",
    Status.LATE: "magenta",
    Status.DENIED: "magenta",
    Status.DRIFT: "cyan",
    Status.FAIL: "red",
    Status.ERROR: "red",
}
FILE_WIDTH = 100


def console_of(width: int, stderr: bool = False) -> MaskingConsole:
    """The terminal; where there is none, a console of so many columns: a file has no width of its own."""
    console = MaskingConsole(stderr=stderr, highlight=False)
    return console if console.is_terminal else MaskingConsole(stderr=stderr, highlight=False, width=width)


def refuse_what_is_no_file(file: Path) -> None:
    """Refuse to write to a pipe, which would wait for a reader, or to a folder; streams in ``/dev`` are read already.

    Raises:
        OSError: it exists, and is none of these.
    """
    if file.exists() and not (file.is_file() or file.is_char_device() or file.is_relative_to("/dev")):
        raise OSError(errno.EINVAL, "it is not a file", str(file))


@dataclass(frozen=True)
class Document:
    """The verification's report as JSON."""

    environment: str
    project: str
    dataset: str
    started: str
    duration: float
    well: bool
    exit_code: int
    counts: dict[Status, int]
    queries: int
    bytes_read: int
    dollars: float
    results: tuple[Result, ...]


def as_table(report: Report) -> Group:
    """One line per test; below, each result that is not PASS, with what to do."""
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
    notable = [_explanation(result) for result in _notable(report)]
    place = f"{report.environment.project}.{report.environment.dataset} ({report.environment.name})"
    return Group(Text(place, "bold"), table, *notable, Text(f"\n{report.usage}"), Text(report.headline, "bold"))


def as_json(report: Report) -> str:
    """The document that docs/verification-report.schema.json describes."""
    document = Document(
        environment=report.environment.name,
        project=report.environment.project,
        dataset=report.environment.dataset,
        started=report.started,
        duration=round(report.duration, 3),
        well=report.well,
        exit_code=report.exit_code,
        counts={status: report.count(status) for status in Status},
        queries=report.usage.queries,
        bytes_read=report.usage.bytes_read,
        dollars=round(report.usage.dollars, 6),
        results=report.results,
    )
    content = masked_values(TypeAdapter(Document).dump_python(document, mode="json"))
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def json_schema() -> str:
    """The JSON schema of the document."""
    return json.dumps(TypeAdapter(Document).json_schema(mode="serialization"), indent=2) + "\n"


def as_markdown(report: Report) -> str:
    """For a comment or a summary: one line of counts, each result that is not PASS, and the tests, folded."""
    place = f"`{report.environment.project}.{report.environment.dataset}` ({report.environment.name})"
    lines = [
        f"### Verification of {place}: {'all checks pass' if report.well else 'not all checks pass'}",
        "",
        f"{report.headline}; {report.usage}",
        "",
    ]
    for status in (Status.ERROR, Status.FAIL, Status.DRIFT, Status.LATE, Status.DENIED, Status.WARN, Status.SKIP):
        results = [result for result in report.results if result.status is status]
        if results:
            lines += [f"#### {status} ({len(results)})", ""]
            lines += ["| test | object | expected | found | to do |", "|---|---|---|---|---|"]
            for result in results:
                cells = (f"{result.id} {result.name}", result.object, result.expected, result.found, result.action)
                lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
            lines.append("")
    lines += ["<details><summary>Every test</summary>", "", "| suite | test | results | seconds | outcome |"]
    lines.append("|---|---|---:|---:|---|")
    for results in _by_test(report):
        first = results[0]
        name = _cell(f"{first.id} {first.name}")
        lines.append(f"| {first.suite} | {name} | {len(results)} | {first.duration:.2f} | {_worst(results)} |")
    return "\n".join([*lines, "", "</details>", ""])


def _cell(text: str) -> str:
    """A text of several lines for a cell of a table."""
    return "<br>".join(cell(line) for line in text.splitlines())


def as_junit(report: Report) -> str:
    """One JUnit suite per suite, one test case per result."""
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
    MaskingConsole(file=text, width=FILE_WIDTH, highlight=False).print(as_table(report))
    return text.getvalue()


#: How each format is written into a file.
WRITERS: dict[str, Callable[[Report], str]] = {
    "table": table_text,
    "json": as_json,
    "junit": as_junit,
    "markdown": as_markdown,
}


def _by_test(report: Report) -> list[list[Result]]:
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in report.results:
        groups.setdefault((result.suite, result.id), []).append(result)
    return list(groups.values())


def _worst(results: list[Result]) -> Status:
    return min((result.status for result in results), key=list(Status).index)


def _notable(report: Report) -> list[Result]:
    """The results that are not PASS, the worst status first."""
    order = list(Status).index
    return sorted((r for r in report.results if r.status is not Status.PASS), key=lambda result: order(result.status))


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
        "failures": str(sum(result.status in {Status.FAIL, Status.DRIFT} for result in results)),
        "errors": str(sum(result.status in {Status.ERROR, *INCOMPLETE} for result in results)),
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
        case Status.FAIL | Status.DRIFT:
            ET.SubElement(case, "failure", type=result.status, message=message).text = details
        case Status.ERROR | Status.LATE | Status.DENIED:
            ET.SubElement(case, "error", type=result.status, message=message).text = details
        case Status.WARN:
            ET.SubElement(case, "system-out").text = details
        case Status.SKIP:
            ET.SubElement(case, "skipped", message=_printable(result.found))
        case Status.PASS:
            pass


def _printable(text: str) -> str:
    """The text without the control characters that XML cannot hold."""
    return "".join(character for character in text if character in "\t\n\r" or character >= " ")
