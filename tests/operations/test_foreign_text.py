"""What others wrote stays text in comments, summaries, issues and logs: no markup, mention, link or command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from rich.table import Table
from rich.text import Text

from declared.output import MaskingConsole, write_out
from operations.review.plan_markdown import markdown
from operations.review.plan_summary import Costs
from tests.operations.plans import change, summary_of, update
from verification.drift.core import Aspect
from verification.drift.report import as_text, drift_report
from verification.markdown_text import cell, code, element, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog import Catalog
    from declared.environment import Environment

TEXTS = (
    "@example-org/team",
    "fixes #12 and example-org/a#12 and GH-12",
    "a\nb\r\nc",
    "`a` ``b",
    "$(touch MARK) ${{ github.token }}",
    "<img src=x onerror=alert(1)><!-- x",
    "</details></summary></code><h1>",
    "[a](https://example.com) ![b](https://example.com/b.png)",
    "https://example.com www.example.com ftp://example.com someone@example.com",
    ":tada: $x^2$",
    "| a | b |",
    "> [!CAUTION]",
    "\n\n# heading\n\n- item",
    "**a** __b__ ~~c~~ *d* _e_ \\",
    "::error::failed",
    "  ::set-output name=a::b",
    "::stop-commands::pause",
    "x ##[add-mask]y",
    "x\n::add-path::/tmp",
)
#: What GitHub makes of the text that is left in the rendered HTML, outside code.
MENTION = re.compile(r"(?<![\w`])@\w")
REFERENCE = re.compile(r"#\d|\bGH-\d", re.IGNORECASE)
LINK = re.compile(r"\w+://\w|\bwww\.\w|\w@\w")
EMOJI = re.compile(r":[a-z+-][\w+-]*:")
FORMULA = re.compile(r"\$[^\s\d<]")
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
#: What a cell may become: its own break of a mention or a link, its own dollar, and nothing else.
OWN = re.compile(r"<!-- -->|<span>\$</span>|</?p>|<br>")


def visible(rendered: str) -> list[str]:
    """The pieces of text outside code, as GitHub's filters see them."""
    return re.split(r"<[^>]*>", re.sub(r"<code.*?</code>", "", rendered, flags=re.DOTALL))


def assert_text(rendered: str) -> None:
    for pattern in (MENTION, REFERENCE, LINK, EMOJI, FORMULA):
        for piece in visible(rendered):
            assert not pattern.search(piece), f"{pattern.pattern} in {piece!r}"
    assert not re.search(r"<(a|img|h1|ul|li|em|strong|s|script)\b", re.sub(r"<code.*?</code>", "", rendered))


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_a_line_is_text(text: str) -> None:
    for form in (cell, code, word):
        written = form(text)
        assert "\n" not in written
        assert_text(PARSER.render(f"x {written} y"))
    assert "\n" not in element(text)
    assert_text(PARSER.render(f"<details><summary>{element(text)}</summary>\n\nx\n\n</details>"))
    assert not re.search("<", OWN.sub("", PARSER.render(f"x {cell(text)} y")))


def test_a_name_in_a_sentence_is_not_decorated() -> None:
    assert word("definition_body") == "definition_body"
    assert word("@team") == "`@team`"
    assert word("a b") == "`a b`"


@pytest.mark.parametrize("text", TEXTS)
def test_a_plan_with_foreign_text_is_text(prod: Environment, catalog: Catalog, text: str) -> None:
    summary = summary_of(
        prod,
        catalog,
        change(f'google_x.a["{text}"]', "create", None, {"name": text}),
        change(f"google_x.{text}", "delete create", {"a": text}, {"a": "b"}, replace_paths=[[text]]),
        update("google_bigquery_routine.x", {text: "a", "description": text}, {text: "b", "description": "c"}),
        outside=(update("google_x.y", {text: "a"}, {text: "b"}),),
    )
    rendered = PARSER.render(markdown(summary, Costs(problem=text)))
    folded = re.sub(r"<pre>.*?</pre>", "", rendered, flags=re.DOTALL)
    assert folded.count("<details>") == folded.count("</details>")
    for piece in visible(folded):
        for pattern in (MENTION, REFERENCE, LINK, EMOJI, FORMULA):
            assert not pattern.search(piece), f"{pattern.pattern} in {piece!r}"
    assert not re.search(r"<(a|img|h1|script)\b", re.sub(r"<code.*?</code>", "", folded, flags=re.DOTALL))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return lambda: "".join(capsys.readouterr())


@pytest.mark.parametrize("text", TEXTS)
def test_no_line_of_a_log_is_a_command(prod: Environment, said: Callable[[], str], text: str) -> None:
    for width in (10, 30, 80):
        console = MaskingConsole(width=width)
        console.print(text, markup=False)
        console.print(f"a word before {text}", markup=False)
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_row(Text(text))
        console.print(table)
    write_out(as_text(drift_report(prod, [Aspect("a", "body", ("x",), (text,), text)])))
    write_out(text)
    output = said()
    assert not COMMAND.search(output), output
    assert "".join(text.split())[:2] in "".join(output.split())


def test_elsewhere_the_text_is_unchanged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    write_out("::error::a")
    MaskingConsole().print("::error::b")
    assert capsys.readouterr().out == "::error::a::error::b\n"
