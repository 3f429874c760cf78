"""A plan's summary as one Markdown comment: the danger first, details folded, within GitHub's limit."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from declared.masking import masked
from declared.names import hidden_tag
from google.resources import field_type
from operations.review import cost_report
from operations.review.plan_summary import READ_BY_OTHERS, Costs, lost_guards, takes_data
from operations.review.planned import UNKNOWN, Action, same
from operations.review.sections import Fold, Form, Section, counted, fitted
from verification.markdown_text import cell, code, element, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from operations.review.plan_summary import PlannedGrant, ScheduleRow, Summary, TableRow
    from operations.review.planned import PlannedChange

#: Attributes that contain SQL.
SQL_ATTRIBUTES = ("definition_body", "view.query", "params.query")
NO_COSTS = Costs()
#: The number of users of an object that are named.
NAMED = 12
#: A table with more rows is folded.
LONG_TABLE = 14
TITLES = {
    Action.DESTROY: "Destroy",
    Action.REPLACE: "Replace",
    Action.FORGET: "No longer managed (it stays)",
    Action.CREATE: "Create",
    Action.UPDATE: "Update",
    Action.IMPORT: "Import",
    Action.MOVE: "Move",
}


def markdown(summary: Summary, costs: Costs = NO_COSTS, link: str = "") -> str:
    """The comment. Its first line is a hidden tag by which it is found again.

    Args:
        summary: what the plans say.
        costs: what queries cost.
        link: address of the whole plan: the workflow's run.
    """
    whole = f"[the whole plan]({link})" if link else "`make plan` shows the whole plan"
    run = f" ([run]({link}))" if link else ""
    sections = [
        _masked(section)
        for section in _sections(summary, costs, run)
        if section.heading or section.lines or section.folds
    ]
    return fitted(sections, whole)


def _sections(summary: Summary, costs: Costs, run: str) -> Iterator[Section]:
    environment = summary.environment
    tag = hidden_tag("plan", environment.name)
    yield Section(f"{tag}\n## Plan for {environment.name}: `{environment.project}.{environment.dataset}`", ())
    yield _dangers(summary)
    yield Section("", (f"**{summary.headline}**{run}",))
    yield _access(summary)
    yield _tables(summary.tables)
    for action, title in TITLES.items():
        if changes := summary.of(action):
            yield _group(summary, title, changes)
    yield _schedules(summary.schedules)
    yield _costs(costs)
    yield _outside(summary)


def _masked(section: Section) -> Section:
    """A section without credentials, before it is cut: values are masked one by one, a name with its value is not."""
    folds = tuple(replace(fold, lines=tuple(masked("\n".join(fold.lines)).split("\n"))) for fold in section.folds)
    return replace(section, lines=tuple(map(masked, section.lines)), folds=folds)


def _dangers(summary: Summary) -> Section:
    """Deletions, replacements and lost data, before anything else."""
    destroyed, replaced = summary.of(Action.DESTROY), summary.of(Action.REPLACE)
    rows = [row for row in summary.tables if row.dangerous]
    unguarded = [(change, names) for change in summary.changes if (names := lost_guards(change))]
    if not (destroyed or replaced or rows or unguarded or summary.failures):
        return Section("", ())
    words = [
        f"{counted(len(summary.failures), 'stack')} could not be planned" if summary.failures else "",
        "data would be lost" if summary.loses_data else "",
        f"{counted(len(destroyed), 'object')} destroyed" if destroyed else "",
        f"{counted(len(replaced), 'object')} replaced" if replaced else "",
        f"{counted(len(unguarded), 'object')} no longer guarded" if unguarded else "",
    ]
    refused = " A deployment of this is refused." if summary.refused else ""
    headline = ", ".join(filter(None, words))
    lines = ["> [!CAUTION]", f"> **{headline[0].upper()}{headline[1:]}.**{refused}"]
    for stack, failure in summary.failures.items():
        lines += [f"> - {code(stack)}: {cell(failure.removeprefix('Error: ').partition(chr(10))[0])}"]
    for row in rows:
        what = f"**{cell(row.change.what)}** ({cell(row.change.live)} → {cell(row.change.declared)})"
        lines += [f"> - {code(row.change.table)}: {what}: {row.change.kind}; {cell(row.remark)}"]
    told = {row.change.table for row in rows}
    for change in (*destroyed, *replaced):
        if change.kind == "google_bigquery_table" and change.name in told:
            continue
        because = f" because of {', '.join(map(word, change.replacing))}" if change.replacing else ""
        data = ", with its data" if takes_data(change) else ""
        lines.append(
            f"> - {code(change.address)} is {'destroyed' if change in destroyed else 'replaced'}{because}{data}"
        )
    lines += [
        f"> - {code(change.address)} loses its guard: {', '.join(map(word, names))}" for change, names in unguarded
    ]
    folds = [
        Fold(f"Terraform on {element(stack)}", "text", tuple(failure.splitlines()))
        for stack, failure in summary.failures.items()
    ]
    folds += [
        Fold(
            f"How to do it safely: {element(row.change.table)}, {element(row.change.what)}",
            "sql",
            tuple(row.change.statement.splitlines()),
        )
        for row in rows
    ]
    return Section("", tuple(lines), tuple(folds), Form.QUOTE)


def _access(summary: Summary) -> Section:
    """Roles that are gained first, then roles that are lost."""
    if not summary.gained and not summary.lost:
        return Section("", ())
    gained = [f"> - {_grant(grant)}{f' — **{grant.remark}**' if grant.remark else ''}" for grant in summary.gained]
    lost = [f"- no longer: {_grant(grant)}" for grant in summary.lost]
    widened = ["> [!WARNING]", f"> **Access widens**: {counted(len(summary.gained), 'grant')} more", *gained]
    return Section(
        "",
        (
            *(widened if gained else ()),
            *([""] if gained and lost else ()),
            *(["**Access narrows**", *lost] if lost else ()),
        ),
        form=Form.QUOTE if gained else Form.LIST,
    )


def _grant(grant: PlannedGrant) -> str:
    condition = f" under the condition {code(grant.condition)}" if grant.condition else ""
    return f"{code(grant.member)} has {code(grant.role)} on {code(grant.on)}{condition}"


def _tables(rows: Sequence[TableRow]) -> Section:
    if not rows:
        return Section("", ())
    lines = ["| table | change | live | declared | class | |", "|---|---|---|---|---|---|"]
    for row in rows:
        change = f"{cell(row.change.what)} | {cell(row.change.live)} | {cell(row.change.declared)}"
        lines += [f"| {code(row.change.table)} | {change} | {row.change.kind} | {cell(row.remark)} |"]
    return Section("### Tables, column by column", tuple(lines), form=Form.TABLE)


def _group(summary: Summary, title: str, changes: Sequence[PlannedChange]) -> Section:
    lines = tuple(f"- {_line(summary, change)}" for change in changes)
    folds = tuple(fold for change in changes if (fold := _details(change)))
    return Section(f"### {title} ({len(changes)})", lines, folds)


def _line(summary: Summary, change: PlannedChange) -> str:
    words = code(change.address)
    if change.moved_from:
        words += f", moved from {code(change.moved_from)}"
    if change.attributes:
        words += f": {', '.join(map(word, change.attributes))}"
    if change.only_restores:
        words += " — only reverts a change outside Terraform"
    elif change.restored:
        words += f" — of these {', '.join(map(word, change.restored))} only revert a change outside Terraform"
    if change.replacing:
        words += f" — replaced because of {', '.join(map(word, change.replacing))}"
    if (used := summary.affected.get(change.name)) and change.kind in READ_BY_OTHERS:
        more = f" and {len(used) - NAMED} more" if len(used) > NAMED else ""
        words += f" — used by {', '.join(map(code, used[:NAMED]))}{more}"
    return words


def _details(change: PlannedChange) -> Fold | None:
    title = element(change.address)
    if change.action is Action.CREATE:
        return _created(title, change)
    if not change.attributes:
        return None
    lines = [
        line
        for name in change.attributes
        for line in _difference(name, change.before.get(name), change.after.get(name))
    ]
    return Fold(title, "diff", tuple(lines))


def _created(title: str, change: PlannedChange) -> Fold | None:
    """A new object: SQL as SQL, a table by its columns, anything else by its values."""
    if body := _sql_of(change.after):
        return Fold(title, "sql", tuple(body.splitlines()))
    if change.after.get("schema"):
        return Fold(title, "sql", tuple(_columns(change.after["schema"])))
    values = {name: value for name, value in change.after.items() if value not in (None, "", [], {})}
    return Fold(
        title,
        "yaml",
        tuple(f"{name}: {_text(value)}" for name, value in sorted(values.items()) if value != UNKNOWN),
    )


def _sql_of(values: Mapping[str, Any]) -> str:
    for path in SQL_ATTRIBUTES:
        value: Any = values
        for name in path.split("."):
            value = value[0] if isinstance(value, list) and value else value
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return value
    return ""


def _difference(name: str, before: Any, after: Any) -> Iterator[str]:
    """One attribute's change as lines of a diff; SQL and JSON are compared line by line."""
    if same(before, after):  # both are masked
        yield f"! {name} = {_text(after)}, which changes"
        return
    old, new = _text(before).splitlines(), _text(after).splitlines()
    if len(old) <= 1 and len(new) <= 1:
        yield from (f"- {name} = {line}" for line in old)
        yield from (f"+ {name} = {line}" for line in new)
        return
    yield f"@@ {name} @@"
    yield from list(difflib.unified_diff(old, new, lineterm=""))[2:]  # the first two name files


def _text(value: Any) -> str:
    """A value for a person: a schema by its columns, a block by its values, SQL unchanged."""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, str):
        if value.startswith("[{") and '"name"' in value:
            return "\n".join(_columns(value))
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return _text(value[0])
    if isinstance(value, list):
        return "\n".join(json.dumps(item, sort_keys=True, ensure_ascii=False) for item in value)
    if isinstance(value, dict):
        lines = []
        for key, item in sorted(value.items()):
            if text := _text(item):
                lines += [f"{key}:", *text.splitlines()] if "\n" in text else [f"{key} = {text}"]
        return "\n".join(lines)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _columns(schema: str) -> list[str]:
    """A line per column; a schema of another form as it is."""
    try:
        return [_column(field) for field in json.loads(schema)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return [str(schema)]


def _column(field: Mapping[str, Any]) -> str:
    required = " NOT NULL" if field.get("mode") == "REQUIRED" else ""
    default = f" DEFAULT {field['defaultValueExpression']}" if field.get("defaultValueExpression") else ""
    return f"{field['name']} {field_type(field)}{required}{default}  -- {field.get('description', '')}"


def _schedules(rows: Sequence[ScheduleRow]) -> Section:
    """The scheduled queries with their next runs; folded if none of them changes."""
    if not rows:
        return Section("", ())
    lines = [
        "| scheduled query | schedule (UTC) | works in Los Angeles at | next work in Los Angeles | in UTC |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        moved = row.before and row.after and row.before != row.after
        schedule = f"~~{cell(row.before)}~~ → **{cell(row.after)}**" if moved else cell(row.after or row.before)
        if "params" in row.changes:
            schedule += " (**its query changes**)"
        if row.disabled:
            after = ("**disabled**", "", "")
        else:
            after = (row.hours_la, row.next_la, row.next_utc) if row.next_la else (f"({row.action})", "", "")
        lines.append(f"| {code(row.name)} | {schedule} | {' | '.join(after)} |")
    if any(row.changed for row in rows):
        return Section("### Schedules", tuple(lines), form=Form.TABLE)
    return Section("", (), (Fold("Schedules: no change; next runs", "", tuple(lines)),))


def _costs(costs: Costs) -> Section:
    """The headline, with what is over its budget or not estimated; a long table is folded."""
    if costs.problem:
        return Section("### Cost", (f"Not estimated: {cell(costs.problem)}",))
    if not costs.changes:
        return Section("", ())
    title = cell(cost_report.headline(costs.changes))
    rows = cost_report.markdown_rows(costs.changes, costs.with_base)
    if len(rows) <= LONG_TABLE:
        return Section("### Cost", (title, "", *rows))
    return Section("### Cost", (title,), (Fold("each object, and what uses it", "", tuple(rows)),))


def _outside(summary: Summary) -> Section:
    """Changes outside Terraform, apart from what this change plans."""
    if not summary.outside:
        return Section("", ())
    lines = ["Changed outside Terraform since the last deployment; a deployment reverts what is declared:"]
    folds = []
    for change in summary.outside:
        lines.append(f"- {code(change.address)}: {'gone' if change.gone else ', '.join(map(word, change.found))}")
        if not change.gone:
            differences = [
                line for name in change.found for line in _difference(name, change.left[name], change.found[name])
            ]
            folds.append(
                Fold(
                    f"{element(change.address)}, as it was deployed and is now",
                    "diff",
                    tuple(differences),
                )
            )
    return Section("### Changed outside Terraform", tuple(lines), tuple(folds))
