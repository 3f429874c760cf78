"""Each house rule: what it catches, and where; what it lets pass."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import pytest

import catalog.rules
from catalog.analysis import AnalyzedFile, analyze
from catalog.declarations import declare
from catalog.files import REPOSITORY
from catalog.model import signature_of
from catalog.namespace import Namespace
from catalog.rules import ALL_RULES, Rule, broken_rules
from catalog.rules.division import SafeDivision
from catalog.rules.documentation import Documented
from catalog.rules.names import DistinctNames, PrefixedNames
from catalog.rules.page import house_rules
from catalog.rules.qualified import QualifiedNames
from catalog.rules.regular_expressions import UnicodeExpressions
from catalog.rules.retention import OneRetention
from catalog.rules.select_star import NamedColumns
from catalog.rules.session_settings import NoSessionSettings
from catalog.rules.time_zone import NamedTimeZone
from catalog.source import SourceFile

if TYPE_CHECKING:
    from catalog import Finding

DATASET = "of-scheduler-proj.eros_scheduling_brain"
MESSAGES = f"""-- The messages.
CREATE TABLE IF NOT EXISTS `{DATASET}.messages` (
  page_name STRING, sent_at TIMESTAMP, sent_on DATE, clock DATETIME, price FLOAT64, sent INT64
);
"""


def analyzed(folder: str, name: str, text: str) -> AnalyzedFile:
    """A file, compiled together with the table ``messages``."""
    table = declare(SourceFile(Path("sql/dependencies/messages.sql"), MESSAGES), "dependencies")
    source = SourceFile(Path(f"sql/{folder}/{name}.sql"), text)
    item = declare(source, folder)
    file = analyze(source, folder, item, Namespace(tuple(filter(None, map(signature_of, (table, item))))))
    assert file.findings == [], "the example must compile"
    return file


def found(rule: Rule, folder: str, name: str, text: str) -> list[Finding]:
    """What a rule finds in a file."""
    return list(rule.check(analyzed(folder, name, text)))


def procedure(body: str, arguments: str = "") -> tuple[str, str, str]:
    """A procedure's file."""
    text = f"-- A step.\nCREATE OR REPLACE PROCEDURE `{DATASET}.step`({arguments})\nBEGIN\n{body}\nEND;\n"
    return "procedures", "step", text


def view(query: str) -> tuple[str, str, str]:
    """A view's file; the query begins in line 3."""
    return "views", "shown", f"-- Shown.\nCREATE OR REPLACE VIEW `{DATASET}.shown` AS\n{query};\n"


def function(expression: str, arguments: str = "p_text STRING", returns: str = "STRING") -> tuple[str, str, str]:
    """A function's file; the expression is in line 3."""
    head = f"-- Made.\nCREATE OR REPLACE FUNCTION `{DATASET}.made`({arguments}) RETURNS {returns} AS (\n"
    return "functions", "made", f"{head}{expression}\n);\n"


FROM = f"FROM `{DATASET}.messages`"


def test_every_rule_class_is_applied_under_its_own_name() -> None:
    modules = [import_module(f"catalog.rules.{module.name}") for module in iter_modules(catalog.rules.__path__)]
    classes = {
        item
        for module in modules
        for item in vars(module).values()
        if isinstance(item, type) and hasattr(item, "check") and item is not Rule
    }
    assert {type(rule) for rule in ALL_RULES} == classes
    assert len({rule.name for rule in ALL_RULES}) == len(classes)


def test_a_place_that_is_resolved_twice_is_reported_once() -> None:
    body = f"FOR row IN (SELECT price {FROM}) DO\nSELECT DATE(sent_at) AS sent_on {FROM};\nEND FOR;"
    findings = broken_rules(analyzed(*procedure(body)))
    assert [finding.rule for finding in findings].count("time-zone") == 1
    assert list(findings) == sorted(set(findings))


def test_the_page_of_house_rules_is_what_the_rules_say() -> None:
    page = REPOSITORY / "docs" / "house-rules.md"
    assert page.read_text(encoding="utf-8") == house_rules(), "run: python -m catalog rules > docs/house-rules.md"
    assert house_rules().count("\n## ") == len(ALL_RULES) + 1


def test_an_example_that_its_rule_does_not_find_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SafeDivision, "check", lambda _rule, _file: iter(()))
    with pytest.raises(ValueError, match="the example of safe-divide"):
        house_rules()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT price FROM messages",
        "SELECT price FROM `eros_scheduling_brain.messages`",
        "SELECT price FROM `messages` AS m",
    ],
)
def test_a_table_without_project_or_dataset_is_caught(query: str) -> None:
    (finding,) = found(QualifiedNames(), *view(query))
    assert (finding.line, finding.column) == (3, 19)
    assert f"`{DATASET}.messages`" in finding.message


def test_an_unqualified_target_of_dml_is_caught() -> None:
    assert len(found(QualifiedNames(), *procedure("DELETE FROM messages WHERE TRUE;"))) == 1


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT price {FROM}",
        f"WITH cheap AS (SELECT price {FROM}) SELECT cheap.price FROM cheap",
        "SELECT n FROM UNNEST([1, 2]) AS n",
        f"SELECT ABS(price) AS price {FROM}",
    ],
)
def test_qualified_names_ctes_arrays_and_built_in_functions_pass(query: str) -> None:
    assert found(QualifiedNames(), *view(query)) == []


def test_a_temporary_table_needs_no_project() -> None:
    body = f"CREATE TEMP TABLE kept AS SELECT price {FROM};\nDELETE FROM kept WHERE price = 0;"
    assert found(QualifiedNames(), *procedure(body)) == []


def test_a_session_setting_is_caught_at_its_place() -> None:
    source = SourceFile(Path("sql/procedures/step.sql"), procedure("SET @@query_timeout_ms = 5;")[2])
    file = AnalyzedFile(source, "procedures", declare(source, "procedures"))
    (finding,) = [f for f in NoSessionSettings().check(file) if "SET" in f.message]
    assert (finding.line, finding.rule) == (4, "session-settings")
    reading = SourceFile(source.path, procedure("SELECT @@maximum_bytes_billed;")[2])
    (read,) = NoSessionSettings().check(AnalyzedFile(reading, "procedures", declare(reading, "procedures")))
    assert "@@maximum_bytes_billed" in read.message


def test_reading_the_state_of_the_script_passes() -> None:
    body = "BEGIN\nSELECT @@row_count, @@script.job_id;\nEXCEPTION WHEN ERROR THEN\nSELECT @@error.message;\nEND;"
    assert found(NoSessionSettings(), *procedure(body)) == []


@pytest.mark.parametrize("expression", ["price / sent", "1 / 2", "DIV(sent, sent)", "MOD(sent, 0)", "mod(sent, sent)"])
def test_a_division_that_may_fail_is_caught(expression: str) -> None:
    (finding,) = found(SafeDivision(), *view(f"SELECT {expression} AS share {FROM}"))
    assert (finding.line, finding.column) == (3, 8)


@pytest.mark.parametrize("expression", ["SAFE_DIVIDE(price, sent)", "DIV(sent, 7)", "MOD(sent, 0x10)", "price * 0.5"])
def test_safe_divisions_pass(expression: str) -> None:
    assert found(SafeDivision(), *view(f"SELECT {expression} AS share {FROM}")) == []


@pytest.mark.parametrize(
    "expression",
    [
        "DATE(sent_at)",
        "DATETIME(sent_at)",
        "TIME(sent_at)",
        "STRING(sent_at)",
        "EXTRACT(HOUR FROM sent_at)",
        "EXTRACT(DATE FROM sent_at)",
        "FORMAT_TIMESTAMP('%F', sent_at)",
        "PARSE_TIMESTAMP('%F', page_name)",
        "TIMESTAMP(sent_on)",
        "TIMESTAMP(page_name)",
        "TIMESTAMP(clock)",
        "TIMESTAMP_TRUNC(sent_at, DAY)",
        "TIMESTAMP_TRUNC(sent_at, WEEK)",
        "CAST(sent_at AS DATE)",
        "CAST(sent_at AS STRING)",
        "SAFE_CAST(page_name AS TIMESTAMP)",
        "CURRENT_DATE()",
        "CURRENT_DATE",
        "CURRENT_DATE('UTC')",
        "CURRENT_DATETIME()",
        "CURRENT_TIME()",
        "TIMESTAMP '2026-01-01 00:00:00'",
    ],
)
def test_a_conversion_without_a_zone_is_caught(expression: str) -> None:
    (finding,) = found(NamedTimeZone(), *view(f"SELECT {expression} AS moment {FROM}"))
    assert (finding.line, finding.column, finding.rule) == (3, 8, "time-zone")


@pytest.mark.parametrize(
    "expression",
    [
        "DATE(sent_at, 'America/Los_Angeles')",
        "DATETIME(sent_at, 'America/Los_Angeles')",
        "DATE(2026, 1, 1)",
        "DATE(clock)",
        "EXTRACT(HOUR FROM sent_at AT TIME ZONE 'America/Los_Angeles')",
        "EXTRACT(YEAR FROM sent_on)",
        "FORMAT_TIMESTAMP('%F', sent_at, 'America/Los_Angeles')",
        "PARSE_TIMESTAMP('%F', page_name, 'America/Los_Angeles')",
        "TIMESTAMP(sent_on, 'America/Los_Angeles')",
        "TIMESTAMP_TRUNC(sent_at, HOUR)",
        "TIMESTAMP_TRUNC(sent_at, DAY, 'America/Los_Angeles')",
        "CURRENT_DATE('America/Los_Angeles')",
        "CURRENT_TIMESTAMP()",
        "TIMESTAMP_DIFF(sent_at, sent_at, DAY)",
        "TIMESTAMP_SUB(sent_at, INTERVAL 7 DAY)",
        "CAST(sent_on AS STRING)",
        "TIMESTAMP '2026-01-01 00:00:00+00'",
        "TIMESTAMP '2026-01-01 00:00:00 America/Los_Angeles'",
    ],
)
def test_a_conversion_with_its_zone_passes(expression: str) -> None:
    assert found(NamedTimeZone(), *view(f"SELECT {expression} AS moment {FROM}")) == []


def test_partitioning_by_the_date_of_an_instant_passes() -> None:
    text = f"-- Kept.\nCREATE TABLE IF NOT EXISTS `{DATASET}.kept` (moment TIMESTAMP) PARTITION BY DATE(moment);\n"
    assert found(NamedTimeZone(), "tables", "kept", text) == []


@pytest.mark.parametrize("star", ["*", "m.*", "* EXCEPT (price)", "m.* REPLACE (1 AS sent)"])
def test_a_star_is_caught(star: str) -> None:
    (finding,) = found(NamedColumns(), *view(f"SELECT {star} {FROM} AS m"))
    assert (finding.line, finding.column) == (3, 8)


@pytest.mark.parametrize("query", [f"SELECT COUNT(*) AS n {FROM}", f"SELECT price * 2 AS double_price {FROM}"])
def test_counting_and_multiplying_pass(query: str) -> None:
    assert found(NamedColumns(), *view(query)) == []


def test_a_variable_that_a_column_hides_is_caught() -> None:
    body = f"DECLARE price FLOAT64 DEFAULT 1;\nDELETE {FROM} WHERE price = 0;"
    (finding,) = found(DistinctNames(), *procedure(body))
    assert (finding.line, finding.column) == (5, 70)
    assert "the column wins" in finding.message


def test_an_argument_that_a_column_hides_is_caught() -> None:
    expression = f"(SELECT MAX(page_name) {FROM} WHERE page_name = 'x')"
    assert found(DistinctNames(), *function(expression, "page_name STRING"))


def test_distinct_names_pass() -> None:
    body = f"DECLARE v_price FLOAT64 DEFAULT 1;\nDELETE {FROM} AS m WHERE m.price = v_price;"
    assert found(DistinctNames(), *procedure(body)) == []


def test_names_without_their_prefix_are_caught() -> None:
    findings = found(PrefixedNames(), *procedure("DECLARE total INT64;\nSET total = days;", "days INT64"))
    assert [(finding.line, finding.message[:40]) for finding in findings] == [
        (2, "an argument of a procedure begins with p"),
        (4, "a variable begins with v_: v_total"),
    ]


def test_prefixed_and_frozen_names_pass() -> None:
    assert found(PrefixedNames(), *procedure("DECLARE v_total INT64;\nSET v_total = p_days;", "p_days INT64")) == []
    text = f"-- Key.\nCREATE OR REPLACE FUNCTION `{DATASET}.caption_key`(message STRING) RETURNS STRING AS (message);\n"
    assert found(PrefixedNames(), "functions", "caption_key", text) == []


@pytest.mark.parametrize("pattern", [r"r'[a-z]+'", r"r'\w'", r"r'[^0-9]'", r"'\\d'", r"r'[[:alpha:]]'", r'r"\bnew\b"'])
def test_a_pattern_that_knows_ascii_only_is_caught(pattern: str) -> None:
    (finding,) = found(UnicodeExpressions(), *function(f"REGEXP_REPLACE(p_text, {pattern}, '')"))
    assert (finding.line, finding.column) == (3, 24)


@pytest.mark.parametrize(
    "pattern", [r"r'[\pL\pM]+'", r"r'\p{Nd}'", r"r'[\pZ\t\n]+'", r"r'[\x{FE00}-\x{FE0F}]'", "p_text"]
)
def test_unicode_patterns_and_patterns_that_are_data_pass(pattern: str) -> None:
    assert found(UnicodeExpressions(), *function(f"REGEXP_REPLACE(p_text, {pattern}, '')")) == []


def test_missing_documentation_is_caught() -> None:
    text = f"CREATE TABLE IF NOT EXISTS `{DATASET}.kept` (moment TIMESTAMP);\n"
    messages = [finding.message for finding in found(Documented(), "tables", "kept", text)]
    assert messages == [
        "begin with a comment: what, inputs, guarantees, cost",
        "kept has no OPTIONS (description = '…')",
        "column moment has no description",
        "kept has no label 'system'",
        "kept has no label 'component'",
        "kept has no label 'retention'",
    ]


def test_a_documented_table_and_a_commented_dependency_pass() -> None:
    text = (
        f"-- Kept.\nCREATE TABLE IF NOT EXISTS `{DATASET}.kept` (moment TIMESTAMP OPTIONS (description = 'When.'))\n"
        "OPTIONS (description = 'Kept.', "
        "labels = [('system', 'eros'), ('component', 'test'), ('retention', 'none')]);\n"
    )
    assert found(Documented(), "tables", "kept", text) == []
    dependency = f"-- Theirs.\nCREATE TABLE IF NOT EXISTS `{DATASET}.theirs` (moment TIMESTAMP);\n"
    assert found(Documented(), "dependencies", "theirs", dependency) == []


def kept(
    comment: str = "rows expire after 90 days", days: float | None = 90, label: str = "90d", says: str = ""
) -> str:
    """A table's file with some spellings of its retention."""
    option = f"partition_expiration_days = {days}, " if days else ""
    return (
        f"-- Kept.\n--\n-- Guarantees: {comment}.\nCREATE TABLE IF NOT EXISTS `{DATASET}.kept` (moment TIMESTAMP)\n"
        f"PARTITION BY DATE(moment)\n"
        f"OPTIONS (description = 'Kept. {says}', {option}labels = [('retention', '{label}')]);\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (kept(days=30), ["the label retention is '90d'", "the comment says 'expire after 90 days'"]),
        (kept(label="30d"), ["the label retention is '30d'"]),
        (kept(label="90 days"), ["the label retention is '90 days'"]),
        (kept(label="none"), ["the label retention is 'none'"]),
        (kept(comment="rows expire after 3 years"), ["the comment says 'expire after 3 years'"]),
        (kept(comment="rows\n--   expire after\n--   30 days"), ["the comment says 'expire after 30 days'"]),
        (kept(comment="rows never expire"), ["the comment says 'never expire'"]),
        (kept(comment="rows expire"), ["the comment does not say when rows expire"]),
        (kept(comment="an append-only table"), ["the comment does not say when rows expire"]),
        (kept(says="Rows expire after 30 days."), ["the description says 'expire after 30 days'"]),
        (kept(days=None), ["the label retention is '90d'", "the comment says 'expire after 90 days'"]),
        (kept(comment="rows expire after 6 years", days=2190, label="6y"), ["the label", "the comment"]),
    ],
)
def test_a_retention_that_is_spelled_differently_is_caught(text: str, said: list[str]) -> None:
    findings = found(OneRetention(), "tables", "kept", text)
    assert [finding.line for finding in findings] == [text[: text.index("CREATE")].count("\n") + 1] * len(said)
    for finding, beginning in zip(findings, said, strict=True):
        assert finding.message.startswith(beginning)
        assert "partition_expiration_days" in finding.message


@pytest.mark.parametrize(
    "text",
    [
        kept(),
        kept(comment="a row expires 90 days after its last update", says="Rows expire after 90 days."),
        kept(comment="rows expire after 6 years", days=2192, label="6y"),
        kept(comment="rows expire after 1 day", days=1, label="1d"),
        kept(comment="rows never expire", days=None, label="none"),
        kept(comment="a lock expires at night; rows expire after 90 days"),
    ],
)
def test_a_retention_that_is_the_same_everywhere_passes(text: str) -> None:
    assert found(OneRetention(), "tables", "kept", text) == []


def test_only_owned_tables_have_a_retention() -> None:
    dependency = f"-- Theirs.\nCREATE TABLE IF NOT EXISTS `{DATASET}.theirs` (moment TIMESTAMP);\n"
    assert found(OneRetention(), "dependencies", "theirs", dependency) == []
