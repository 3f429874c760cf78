"""Los Angeles time: no stored text leaves the zone open, and the days on which the clock changes come out right."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from google.cloud import bigquery

from catalog import CatalogError, Routine, load_catalog
from catalog.loading import CACHE
from verification.results import Check, Outcome, Subject, compared, failed, passed_unless

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from catalog import Catalog, Finding, View

LOS_ANGELES = ZoneInfo("America/Los_Angeles")


def stored_texts(subject: Subject) -> Iterator[Outcome]:
    """Routines and views, as they are stored now, go through the analyzer and the repository's time zone rule."""
    texts = _stored_files(subject)
    found = _findings(texts)
    for name in texts:
        problems = [
            failed(
                name, "the zone is named wherever the clock is read or converted", problem, f"Run `{subject.deploy}`."
            )
            for problem in found.get(name, ())
        ]
        yield from passed_unless(name, "names the zone", problems)


def _stored_files(subject: Subject) -> dict[str, str]:
    """For each stored routine and view its file's DDL, under production names, with the stored text in it."""
    declared = _with_text(subject.catalog)
    production = load_catalog()
    originals = _with_text(production)
    here = f"{subject.environment.project}.{subject.environment.dataset}."
    there = f"{production.project}.{production.dataset}."
    texts = {}
    for name, item in declared.items():
        live = subject.live.routines.get(name) or subject.live.tables.get(name)
        if live is None:
            continue
        stored = live.get("definitionBody") or live.get("view", {}).get("query", "")
        ours = _text(originals[name])
        text = ours if stored.strip() == _text(item).strip() else stored.replace(here, there)
        texts[name] = originals[name].ddl.replace(ours, text)
    return texts


def _with_text(catalog: Catalog) -> dict[str, Routine | View]:
    return {**catalog.routines, **catalog.views}


def _text(item: Routine | View) -> str:
    return item.body if isinstance(item, Routine) else item.query


def _findings(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """What the rule finds, by object; kept by content, since texts seldom change and the analyzer takes its time."""
    code = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "catalog").rglob("*.py"))]
    digest = hashlib.sha256(b"\0".join([*code, json.dumps(texts, sort_keys=True).encode()])).hexdigest()[:24]
    kept = CACHE / f"time-zone-{digest}.json"
    try:
        found: dict[str, list[str]] = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = _analyzed(texts)
        CACHE.mkdir(exist_ok=True)
        kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def _analyzed(texts: Mapping[str, str]) -> dict[str, list[str]]:
    from catalog.loading import analyze_files, read_files  # noqa: PLC0415 - ZetaSQL only where the cache does not answer
    from catalog.rules.time_zone import NamedTimeZone  # noqa: PLC0415 - the same

    rule = NamedTimeZone()
    files = [(path, texts.get(path.stem, text)) for path, text in read_files(load_catalog().folder)]
    try:
        analyzed = analyze_files(files)
    except CatalogError as error:
        return _by_object(error.findings)
    # what does not compile is not understood, so nothing can be said for its zones either
    return _by_object(finding for file in analyzed for finding in file.findings or rule.check(file))


def _by_object(findings: Iterable[Finding]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in findings:
        found.setdefault(finding.path.stem, []).append(f"line {finding.line}: {finding.message}")
    return found


def clock_changes(subject: Subject) -> Iterator[Outcome]:
    """On the two days of this year on which the clock changes, the live system's hours are the zone's."""
    for day in _days_of_change(datetime.now(LOS_ANGELES).year):
        midnight = datetime.combine(day, time(), LOS_ANGELES).astimezone(UTC)
        instants = [midnight + timedelta(hours=hour) for hour in range(26)]
        expected = [local.hour for local in (i.astimezone(LOS_ANGELES) for i in instants) if local.date() == day]
        rows = subject.api.query(
            "the time zone",
            "SELECT EXTRACT(HOUR FROM instant AT TIME ZONE 'America/Los_Angeles') AS hour "
            "FROM UNNEST(@instants) AS instant WHERE DATE(instant, 'America/Los_Angeles') = @day ORDER BY instant",
            [
                bigquery.ArrayQueryParameter("instants", "TIMESTAMP", instants),
                bigquery.ScalarQueryParameter("day", "DATE", day),
            ],
        )
        found = [row["hour"] for row in rows]
        action = "BigQuery's zone data are not this machine's: find out which is out of date."
        yield compared(f"{day:%F}", f"{len(expected)} hours: {expected}", f"{len(found)} hours: {found}", action)


def _days_of_change(year: int) -> list[date]:
    """The days of a year at whose end the clock is another hours from UTC than at their start."""
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    return [day for day in days if _offset(day) != _offset(day + timedelta(days=1))]


def _offset(day: date) -> timedelta | None:
    return datetime.combine(day, time(), LOS_ANGELES).utcoffset()


def los_angeles_time(subject: Subject) -> Iterator[Outcome]:
    """The stored texts, and the days on which the clock changes."""
    yield from stored_texts(subject)
    yield from clock_changes(subject)


CHECKS = (Check("7.1", "Los Angeles time", los_angeles_time),)
