"""No credential of any kind comes out of any place that writes for others, and our own long names do."""

from __future__ import annotations

import gzip
import io
import json
import logging
import random
import sys
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from catalog.files import REPOSITORY
from declared.budgets import ObjectKind
from declared.masking import MASK, LineMask, masked, masked_values
from declared.output import MaskingConsole, MaskingFormatter, mask_failures, write_out
from google.billing import Usage
from operations.deploy import cdktf
from operations.review import cost_report, github
from operations.review.cost import CostChange, Estimate
from operations.review.github import Repository, write_comment, write_drift_issue
from operations.review.plan_markdown import markdown
from operations.review.plan_summary import Costs
from tests.harness.credentials import Credential, credentials, leaks
from tests.operations.plans import change, summary_of, update
from verification.doctor import Diagnosis, Examination, print_examination, print_json
from verification.drift import report as drift_reports
from verification.drift.core import Aspect
from verification.markdown_text import cell, code, element, word
from verification.report import WRITERS, console_of
from verification.results import Check, Outcome, Report, Result, Status, Subject
from verification.running import _run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from catalog import Catalog
    from declared.environment import Environment

SEED = random.SystemRandom().randrange(10**6)
CREDENTIALS = credentials(SEED)
#: Where a credential may be within a text that somebody else wrote.
PLACES = (
    "{}",
    "an error: {} was refused",
    "-- {}\nSELECT 1",
    "'{}'",
    "`{}`,",
    "first\n{}",
    "first\t{}",
    "x%3D{}",
    "\x1b[31m{}\x1b[0m",
)


def texts(credential: Credential) -> list[str]:
    return [place.format(credential.text) for place in PLACES]


def assert_no_leak(output: str) -> None:
    assert leaks(CREDENTIALS, output) == {}, f"seed {SEED}"
    assert MASK[1:12] in output, "the text itself must have come out"


#: Each credential in one place, and each place with several: for what takes long to write.
IN_TURN = [texts(each)[(number + SEED) % len(PLACES)] for number, each in enumerate(CREDENTIALS)]
EVERYTHING = "\n".join(text for each in CREDENTIALS for text in texts(each))


def test_there_are_enough_kinds() -> None:
    assert len(CREDENTIALS) >= 30
    assert len({each.kind for each in CREDENTIALS}) == len(CREDENTIALS)


@pytest.mark.parametrize("credential", CREDENTIALS, ids=lambda each: each.kind)
def test_a_credential_is_masked_wherever_it_is(credential: Credential) -> None:
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it with a failure
    for text in texts(credential):
        assert credential.leaked_in(text)
        for written in (text, json.dumps(text), repr(text), json.dumps(json.dumps(text))):
            found = masked(written)
            assert not credential.leaked_in(found), found
            assert masked(found) == found
        assert json.loads(json.dumps(masked_values({"text": text})))["text"] == masked(text)
        assert not credential.leaked_in("\n".join(map(LineMask(), text.splitlines())))
        for harmless in (cell, code, element, word):
            assert not credential.leaked_in(harmless(text))


@pytest.mark.parametrize("credential", [each for each in CREDENTIALS if each.text == each.secret], ids=lambda c: c.kind)
def test_a_token_that_is_followed_by_more_is_masked_to_its_end(credential: Credential) -> None:
    assert "tail9" not in masked(f"x {credential.text}tail9tail9 y")


def test_a_key_that_was_cut_is_masked() -> None:
    key = next(each for each in CREDENTIALS if each.kind == "private key")
    cut = key.text[: len(key.text) // 2]
    assert not key.leaked_in(masked(cut))
    assert "description" in masked(json.dumps({"a": cut, "description": "stays"}))


def test_a_value_is_masked_by_its_name() -> None:
    found = masked_values({"labels": {"db_password": "short one", "team": "a"}, "tokens": ["b"], "n": 1})
    assert found == {"labels": {"db_password": MASK, "team": "a"}, "tokens": [MASK], "n": 1}
    assert masked_values({"password": {"value": ["b", 1], "c": ""}}) == {"password": {"value": [MASK, 1], "c": ""}}
    found = masked_values({"env": [{"name": "DB_PASSWORD", "value": "b"}, {"name": "TEAM", "value": "b"}]})
    assert found == {"env": [{"name": "DB_PASSWORD", "value": MASK}, {"name": "TEAM", "value": "b"}]}


def test_a_value_on_the_line_after_its_name_is_masked_line_by_line() -> None:
    lines = ["a", "password = <<-EOT", "  short", "EOT", "token: |", "  short", "b"]
    assert list(map(LineMask(), lines)) == ["a", lines[1], MASK, "EOT", lines[4], MASK, "b"]


OURS = (
    "d61b5c9f2a7e4c1b8f3a6d5e4c3b2a1908f7e6d5c4b3a2918f7e6d5c4b3a2f1e",
    "de0fac2e4500dabe0009e67214ff5f5447ce83dd",
    "job_4f1d2c3b-5a69-4788-97a6-b5c4d3e2f1a0",
    "projects/100000000001/locations/us/transferConfigs/65f0c1d2-0000-2c3d-8e4f-14c14ef1a2b3/runs/65f0c1d2-0000-2c3d",
    "google_bigquery_routine.select_captions_for_creator",
    'google_project_iam_member.eros_operator["user:someone@example.com"]',
    "eros-scheduler@of-scheduler-proj.iam.gserviceaccount.com",
    "projects/of-scheduler-proj/serviceAccounts/eros-scheduler@of-scheduler-proj.iam.gserviceaccount.com",
    "caption_key = 9b74c9897bac770ffc029102a200c5de9b74c9897bac770ffc029102a200c5de",
    "bmVpdGhlciBvZiB0aGVzZSBpcyBhIHNlY3JldCwgaXQgaXMgYSBzZW50ZW5jZQ==",
    "https://example.com/example-org/eros-infrastructure/actions/runs/12345678901",
    "permissions: id-token: write; NOT_A_PASSWORD; the secret of a good caption; bearer of news",
    "Syntax error: unexpected token: SELECT; all checks pass: existence; the page_token: nothing",
    "SELECT 1 FROM customers a WHERE a.token = customer_id",
    "secret = projects/eros/secrets/x1/versions/1",
    "https://host:443?m=a@example.com and https://host:443#a@example.com",
    "token = (known after apply), password = (sensitive value), password = ${var.password}, --password-file x1",
)


@pytest.mark.parametrize("text", OURS)
def test_our_own_long_names_stay_readable(text: str) -> None:
    assert masked(text) == text
    assert masked_values({"name": text}) == {"name": text}


def test_no_text_of_the_repository_is_masked(catalog: Catalog) -> None:
    for file in sorted(
        [*catalog.folder.rglob("*.sql"), *(REPOSITORY / "docs").rglob("*.md"), *REPOSITORY.glob("*.md")]
    ):
        text = file.read_text(encoding="utf-8")
        assert masked(text) == text, file
        lines = text.splitlines()
        assert list(map(LineMask(), lines)) == lines, file


@pytest.mark.parametrize("recorded", ["provider_plans", "provider_traffic"])
def test_nothing_that_google_and_terraform_answered_is_masked(recorded: str) -> None:
    text = gzip.decompress((REPOSITORY / "tests" / "data" / f"{recorded}.json.gz").read_bytes()).decode()
    assert masked(text) == text
    assert masked_values(json.loads(text)) == json.loads(text)


def test_the_comment_of_an_ordinary_plan_has_no_mask(prod: Environment, catalog: Catalog) -> None:
    routines = [
        change(f"google_bigquery_routine.{name}", "create", None, {"definition_body": routine.ddl, "routine_id": name})
        for name, routine in catalog.routines.items()
    ]
    summary = summary_of(prod, catalog, *routines)
    assert MASK not in markdown(summary)
    assert MASK not in summary.as_json(Costs())


UNITS = (
    *("a", "A", "0", " ", "/", "=", "-", "eyJ", "sk-", "://", "password=", "Bearer ", "-----BEGIN PRIVATE KEY-----"),
    *("%3D", "\\n", "\\", "\x1b[31m", 'password="', "password\t", "<password>", "--", "token:", "curl -u a:"),
)


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_text_of_anything_is_masked_in_linear_time(unit: str) -> None:
    """Ten times the text may take ten times as long, with room for a busy machine; a hundred times is quadratic."""

    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        started = time.process_time()
        masked(text)
        return time.process_time() - started

    assert seconds(100_000) < 40 * max(seconds(10_000), 0.01)


# Every place that writes for others.


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    monkeypatch.setenv("COLUMNS", "60")
    return lambda: "".join(capsys.readouterr())


@pytest.mark.parametrize("credential", CREDENTIALS, ids=lambda each: each.kind)
def test_a_plan_shows_no_credential(prod: Environment, catalog: Catalog, credential: Credential) -> None:
    text = credential.text
    address = f'google_storage_bucket_object.a["{text}"]'
    label = {"labels": {"a": text, text: "b"}, "name": text}
    summary = summary_of(
        prod,
        catalog,
        change(address, "create", None, label),
        update("google_bigquery_routine.x", {"definition_body": f"-- {text}\nSELECT 1"}, {"definition_body": "a"}),
        update("google_bigquery_table.y", {"description": "a", "schedule": text}, {"description": text}),
        update(f"google_x.{text}", {text: "a"}, {text: "b"}),
        outside=(update(address, {"name": "a"}, {"name": text}),),
    )
    summary = replace(summary, failures={"eros-prod-access": f"Error: {text}\n{text}"})
    costs = Costs(changes=(cost_of(text),), problem="")
    for output in (
        markdown(summary, costs),
        markdown(summary, Costs(problem=text)),
        summary.as_json(costs),
    ):
        assert not credential.leaked_in(output), f"seed {SEED}"
        assert "masked" in output
    json.loads(summary.as_json(costs))


def cost_of(text: str) -> CostChange:
    return CostChange(text, None, Estimate(text, ObjectKind.PROCEDURE, 0, 0, 0, 0.0, problem=text))


def test_costs_show_no_credential(screen: Callable[[], str]) -> None:
    changes = [cost_of(text) for text in IN_TURN]
    MaskingConsole(width=200).print(cost_report.table(changes, with_base=False))
    for output in (screen(), cost_report.markdown(changes, with_base=False), cost_report.as_json(changes, False)):
        assert_no_leak(output)


def aspects() -> list[Aspect[str]]:
    return [Aspect(text, "body", ("SELECT 1",), (text,), f"Run {text}") for text in IN_TURN]


@pytest.mark.parametrize("form", drift_reports.WRITERS)
def test_a_drift_report_shows_no_credential(prod: Environment, form: str, screen: Callable[[], str]) -> None:
    write_out(drift_reports.WRITERS[form](drift_reports.drift_report(prod, aspects())))
    assert_no_leak(screen())


def test_an_issue_and_a_comment_show_no_credential(prod: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def send(_repository: Repository, _method: str, _path: str, _permission: str, content: Any) -> dict[str, str]:
        sent.append(content)
        return {"html_url": "https://example.com"}

    monkeypatch.setattr(github, "_every", lambda *_: iter(()))
    monkeypatch.setattr(github, "_send", send)
    repository = Repository("https://example.com", "example-org/a", "t")
    report = drift_reports.drift_report(prod, aspects()[:2])
    raw = replace(report, drifted=tuple(replace(each, action=EVERYTHING) for each in report.drifted))
    write_drift_issue(repository, prod.name, json.dumps(asdict(raw)), "a")
    write_comment(repository, 1, f"<!-- a -->\n{EVERYTHING}")
    assert len(sent) == 2
    for content in sent:
        assert_no_leak(json.dumps(content, ensure_ascii=False))


def results(prod: Environment) -> tuple[Result, ...]:
    def run(_subject: Subject) -> Iterator[Outcome]:
        for each in CREDENTIALS:
            for status in (Status.FAIL, Status.ERROR, Status.WARN, Status.SKIP, Status.DRIFT):
                yield Outcome(each.text, status, f"a {each.text}", f"b {each.text}", f"c {each.text}")
        raise ValueError(EVERYTHING)

    subject: Any = type("Asked", (), {"environment": prod, "catalog": ()})()
    return tuple(_run("existence", Check("1.1", "exists", run), subject))


@pytest.mark.parametrize("form", WRITERS)
def test_a_verification_report_shows_no_credential(prod: Environment, form: str, tmp_path: Path) -> None:
    report = Report(prod, "2026-01-01", 1.0, results(prod), Usage())
    file = tmp_path / "report"
    file.write_text(WRITERS[form](report), encoding="utf-8")
    assert_no_leak(file.read_text(encoding="utf-8"))
    if form == "json":
        json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("write", [print_examination, print_json])
def test_the_doctor_shows_no_credential(write: Callable[..., None], screen: Callable[[], str]) -> None:
    found = [Diagnosis(f"case {i}", "title", [{"found": each.text}], [each.text]) for i, each in enumerate(CREDENTIALS)]
    found += [Diagnosis("u", each.text, [], [], unknown=each.text) for each in CREDENTIALS]
    write(Examination("prod", found, [{"scheduled query": each.text} for each in CREDENTIALS[:10]]), console_of(60))
    assert_no_leak(screen())


def test_the_log_of_a_deployment_and_its_errors_show_no_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    box = ["╷", "│ Error: refused", *(f"│ {line}" for line in EVERYTHING.splitlines()), "╵"]
    said.write_text("".join(f"eros-prod-access  {line}\n" for line in box), encoding="utf-8")
    command = tmp_path / "cdktf"
    command.write_text(f"#!/bin/sh\ncat '{said}'\nexit 1\n", encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setattr(cdktf, "COMMAND", command)
    monkeypatch.setattr(cdktf, "LOG", tmp_path / "cdktf.log")
    shown: list[str] = []
    run = cdktf.run_cdktf(["deploy"], {}, lambda _stack, text: shown.append(text))
    assert_no_leak(cdktf.LOG.read_text(encoding="utf-8"))
    assert_no_leak("\n".join(shown))
    assert_no_leak(run.explanation)


def test_a_console_masks_before_it_wraps(screen: Callable[[], str]) -> None:
    console = MaskingConsole(width=30)
    for each in CREDENTIALS:
        console.print(each.text, markup=False)
    assert_no_leak(screen())


def test_a_log_and_tracebacks_show_no_credential(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for hook in ("sys.excepthook", "threading.excepthook"):
        monkeypatch.setattr(hook, None)
    mask_failures()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(MaskingFormatter("%(message)s"))
    log = logging.getLogger("masked")
    log.propagate = False
    log.addHandler(handler)
    try:
        int(EVERYTHING)
    except ValueError as error:
        log.exception("failed: %s", EVERYTHING)
        sys.excepthook(type(error), error, error.__traceback__)
    assert "Traceback" in stream.getvalue()
    assert_no_leak(stream.getvalue())
    assert_no_leak(capsys.readouterr().err)
