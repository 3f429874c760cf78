"""The page of house rules, made from the rules themselves: each example is compiled and checked against its rule."""

from __future__ import annotations

from inspect import getdoc
from pathlib import Path

from catalog.analysis import AnalyzedFile, analyze
from catalog.declarations import declare
from catalog.model import PREFIX, signature_of
from catalog.namespace import Namespace
from catalog.rules import ALL_RULES, Rule
from catalog.source import SourceFile

NAME = "example"
#: The table that the examples read.
MESSAGES = f"""CREATE TABLE IF NOT EXISTS `{PREFIX}messages` (
  page_name STRING, sent_at TIMESTAMP, sent_on DATE, price FLOAT64, sent INT64
);"""
FRAMES = {
    "tables": "{text}",
    "views": f"-- An example.\nCREATE OR REPLACE VIEW `{PREFIX}{NAME}` AS\n{{text}};\n",
    "procedures": f"-- An example.\nCREATE OR REPLACE PROCEDURE `{PREFIX}{NAME}`()\nBEGIN\n{{text}}\nEND;\n",
    "functions": f"-- An example.\nCREATE OR REPLACE FUNCTION `{PREFIX}{NAME}`(p_text STRING) RETURNS STRING AS (\n"
    "{text}\n);\n",
}
HEAD = """# House rules

<!-- Made by `python -m catalog rules > docs/house-rules.md`; change the rules in catalog/rules/, not this page. -->

`python -m catalog check` compiles every SQL file and applies these rules to it, on the parse tree or on what the
analyzer resolved, never by text search. A finding is one line, `file:line:column rule message`; `--format json` gives
the same as JSON. A rule without findings prints nothing. With any finding the exit code is 1.

A rule is a class in `catalog/rules/`, listed in `ALL_RULES`. Its docstring and its example make its section here.
"""
TAIL = """## Other findings

These come before the rules. A file that has one is not checked against the rules, because its meaning is unknown.

| finding | meaning |
|---|---|
| `folder` | the file is in a folder that the catalog does not know, or there is no SQL file |
| `unreadable` | the file is not UTF-8, or cannot be opened |
| `syntax` | the parser does not understand the text |
| `declaration` | the file does not begin with the statement that its folder expects, or declares a second object |
| `file-name` | the object's name is not the file's name |
| `semantic` | the analyzer refuses a statement: an unknown name, a wrong type, a call that matches no signature |
| `cycle` | objects need each other, so they cannot be created in any order |
"""


def house_rules() -> str:
    """The page, in Markdown.

    Raises:
        ValueError: an example does not compile, its wrong text has no finding, or its right text has one.
    """
    return "\n".join([HEAD, *(_section(rule) for rule in ALL_RULES), TAIL])


def _section(rule: Rule) -> str:
    findings = _findings(rule, rule.example.wrong)
    if not findings or _findings(rule, rule.example.right):
        raise ValueError(f"the example of {rule.name} must have findings in its wrong text and none in its right text")
    said = "\n".join(findings)
    return (
        f"## {rule.name}\n\n{getdoc(rule)}\n\n"
        f"Found:\n\n```sql\n{rule.example.wrong}\n```\n\n```text\n{said}\n```\n\n"
        f"Fixed:\n\n```sql\n{rule.example.right}\n```\n"
    )


def _findings(rule: Rule, text: str) -> list[str]:
    """The findings of a rule in an example, without their places: those are places in the frame around it."""
    file = _analyzed(rule.example.folder, FRAMES[rule.example.folder].format(text=text))
    if file.findings:
        raise ValueError(f"the example of {rule.name} does not compile: {file.findings[0]}")
    return list(dict.fromkeys(f"{finding.rule} {finding.message}" for finding in rule.check(file)))


def _analyzed(folder: str, text: str) -> AnalyzedFile:
    table = declare(SourceFile(Path("sql/dependencies/messages.sql"), MESSAGES), "dependencies")
    source = SourceFile(Path(f"sql/{folder}/{NAME}.sql"), text)
    item = declare(source, folder)
    return analyze(source, folder, item, Namespace(tuple(filter(None, map(signature_of, (table, item))))))
