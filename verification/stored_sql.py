"""Checks the stored routines and views by the house rules, with the analyzer."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from catalog import CatalogError, Routine, cache, load_catalog
from verification.results import Outcome, Subject, failed, passed_unless

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog import Catalog, View

#: The analyzer's findings by object: the name of the rule and the message.
Findings = dict[str, list[tuple[str, str]]]
#: One analysis per process at a time; a second caller finds the result in the cache.
ONE_ANALYSIS = Lock()
TIME_ZONE, DIVISION = "time-zone", "safe-divide"


def stored_texts_keep(rule: str, expected: str, subject: Subject) -> Iterator[Outcome]:
    """One outcome for each stored routine and view, or one for each line that breaks a rule.

    A text that does not compile breaks every rule.

    Args:
        rule: the rule's name, ``TIME_ZONE`` or ``DIVISION``.
        expected: the rule in words.
        subject: the environment to check.
    """
    texts = _stored_files(subject)
    with ONE_ANALYSIS:
        found = _findings(texts)
    others = {TIME_ZONE, DIVISION} - {rule}
    for name in texts:
        problems = [
            failed(name, expected, message, f"Run `{subject.deploy}`.")
            for broken, message in found.get(name, ())
            if broken not in others
        ]
        yield from passed_unless(name, expected, problems)


def _stored_files(subject: Subject) -> dict[str, str]:
    """The DDL of each stored routine and view: the file's, under production names, with the stored text in it."""
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


def _findings(texts: Mapping[str, str]) -> Findings:
    """The findings, cached by content: texts seldom change and the analyzer is slow."""
    key = cache.key("stored", sorted(texts.items()))
    found = cache.read(key, Findings)
    if found is None:
        found = _analyzed(texts)
        cache.write(key, found)
    return found


def _analyzed(texts: Mapping[str, str]) -> Findings:
    from catalog.check import analyze_files  # noqa: PLC0415 - ZetaSQL only where the cache does not answer
    from catalog.declarations import SCRIPTS  # noqa: PLC0415 - the same
    from catalog.files import read_files  # noqa: PLC0415 - the same
    from catalog.rules.division import SafeDivision  # noqa: PLC0415 - the same
    from catalog.rules.time_zone import NamedTimeZone  # noqa: PLC0415 - the same

    files, changed = [], set()
    for path, text in read_files(load_catalog().folder):
        # a schedule has the name of its procedure
        stored = None if path.parent.name in SCRIPTS else texts.get(path.stem)
        if stored is not None and stored not in text:  # the file also holds a comment and tests
            changed.add(path)
            text = stored  # noqa: PLW2901 - the file as it is stored
        files.append((path, text))
    try:
        # `make check` has checked the texts of the repository
        analyzed = analyze_files(files, changed)
        findings = [
            finding
            for file in analyzed
            for finding in file.findings or {*NamedTimeZone().check(file), *SafeDivision().check(file)}
        ]
    except CatalogError as error:
        findings = error.findings
    found: Findings = {}
    for finding in findings:
        found.setdefault(finding.path.stem, []).append((finding.rule, f"line {finding.line}: {finding.message}"))
    return found
