"""One comment per tag and one issue per environment, among other texts; refusals say what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from google.failures import LateAnswerError
from google.waiting import time_limit
from operations.__main__ import KNOWN, app
from operations.deploy.steps import StepFailedError
from operations.review.github import LONGEST_TEXT, repository_of, write_comment, write_drift_issue
from tests.harness.commands import invoke
from tests.harness.faulty_proxy import faulty
from tests.harness.github_server import BOT, GitHub, github_server
from verification.drift.report import DriftedAspect, DriftReport, as_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAG = "<!-- eros-plan prod -->"
LINK = "https://github.example.com/runs/1"
LEASES = DriftedAspect(
    "leases",
    "labels",
    ("--- repository: leases (labels)", "+++ live: leases (labels)", "@@ -1 +1 @@", "-system=eros", "+system=other"),
    "Run `make deploy`.",
)


@pytest.fixture
def github() -> Iterator[GitHub]:
    with github_server() as server:
        yield server


def comment(github: GitHub, text: str, number: int = 7) -> str:
    return write_comment(repository_of(github.variables), number, text)


def report(*drifted: DriftedAspect, environment: str = "prod") -> str:
    """What `python -m verification drift --format json` prints."""
    return as_json(DriftReport(environment, "a-project", "a_dataset", 140, drifted))


def aspect(*diff: str) -> DriftedAspect:
    return DriftedAspect("leases", "labels", diff, "Run `make deploy`.")


DRIFTED, WELL = report(LEASES), report()


def drift(github: GitHub, text: str, environment: str = "prod", link: str = LINK) -> str:
    return write_drift_issue(repository_of(github.variables), environment, text, link)


def test_a_comment_is_written_once_and_then_updated_in_place(github: GitHub) -> None:
    assert comment(github, f"{TAG}\nfirst") == "Comment written: https://github.example.com/comment/1"
    assert comment(github, f"{TAG}\nsecond") == "Comment updated: https://github.example.com/comment/1"
    assert [item["body"] for item in github.comments] == [f"{TAG}\nsecond"]


def test_comments_of_other_tags_pull_requests_and_people_do_not_change(github: GitHub) -> None:
    others = [
        github.comment(7, "<!-- eros-plan staging -->\nold"),
        github.comment(8, f"{TAG}\nold"),
        github.comment(7, f"{TAG}\nold", "somebody"),
        github.comment(7, f"quoted: {TAG}"),
        github.comment(7, f"> \n{TAG}\nold"),
    ]
    before = [dict(item) for item in others]
    assert comment(github, f"{TAG}\nnew").startswith("Comment written")
    assert github.comments[:-1] == before


def test_a_comment_on_a_later_page_is_found(github: GitHub) -> None:
    for number in range(4):
        github.comment(7, f"talk {number}", "somebody")
    mine = github.comment(7, f"{TAG}\r\nold")  # a browser's line ends
    comment(github, f"{TAG}\nnew")
    assert mine["body"] == f"{TAG}\nnew"
    assert len(github.comments) == 5


def test_a_person_updates_their_own_comment_and_a_workflow_s(github: GitHub) -> None:
    github.user = "operator"
    own = github.comment(7, f"{TAG}\nold", "operator")
    comment(github, f"{TAG}\nnew")
    assert own["body"] == f"{TAG}\nnew"
    by_workflow = github.comment(8, f"{TAG}\nold", BOT)
    comment(github, f"{TAG}\nnew", 8)
    assert by_workflow["body"] == f"{TAG}\nnew"


@pytest.mark.parametrize("text", ["", "# Plan", f"  text {TAG}", "<!-- -->\nnothing named"])
def test_a_text_without_a_tag_is_not_written(github: GitHub, text: str) -> None:
    with pytest.raises(StepFailedError, match="hidden tag") as caught:
        comment(github, text)
    assert caught.value.exit_code == 2
    assert not github.requests


def test_a_comment_that_github_would_refuse_for_its_length_is_not_sent(github: GitHub) -> None:
    longest = f"{TAG}\n".ljust(LONGEST_TEXT, "é")
    assert comment(github, longest).startswith("Comment written")
    with pytest.raises(StepFailedError, match="65,536"):
        comment(github, longest + "é")
    assert github.comments[0]["body"] == longest


def test_drift_opens_one_issue_updates_it_and_closes_it(github: GitHub) -> None:
    assert drift(github, DRIFTED) == "Issue opened: https://github.example.com/issue/1"
    (issue,) = github.issues
    assert issue["title"] == "Drift in prod"
    assert issue["labels"] == ["drift"]
    assert issue["body"].startswith("<!-- eros-drift prod -->\n")
    for part in (
        "1 of 140",
        "make deploy ENV=prod",
        f"[run]({LINK})",
        "```diff\n--- repository: leases",
        "+system=other",
    ):
        assert part in issue["body"]

    more = DRIFTED.replace("other", "another")
    assert drift(github, more, link=f"{LINK}2") == "Issue updated: https://github.example.com/issue/1"
    assert "+system=another" in issue["body"]
    assert f"{LINK}2" in issue["body"]
    assert github.open_issues == [issue]
    assert not github.comments, "an update sends no notification"

    assert drift(github, WELL) == "No drift in prod; issues closed: 1"
    assert not github.open_issues
    assert [(said["issue"], LINK in said["body"]) for said in github.comments] == [(1, True)]

    drift(github, DRIFTED)
    assert [found["number"] for found in github.open_issues] == [2], "what drifts again is a new issue"


def test_without_drift_nothing_is_opened(github: GitHub) -> None:
    assert drift(github, WELL) == "No drift in prod; issues closed: 0"
    assert github.issues == []


def test_two_open_issues_of_one_environment_become_one(github: GitHub) -> None:
    drift(github, DRIFTED)
    twin = github.issue(github.issues[0]["body"])
    assert drift(github, DRIFTED) == "Issue updated: https://github.example.com/issue/1"
    assert twin["state"] == "closed"
    assert [said["body"] for said in github.comments] == ["The same as #1."]


def test_external_issues_and_pull_requests_do_not_change(github: GitHub) -> None:
    drift(github, report(LEASES, environment="staging"), "staging")
    github.issue("<!-- eros-drift prod -->\ncopied", "somebody")
    github.issue("<!-- eros-drift prod -->", pull_request={})
    github.issue(None)
    github.issue("<!-- eros-drift prod -->", state="closed")
    before = [dict(issue) for issue in github.issues]
    assert drift(github, WELL) == "No drift in prod; issues closed: 0"
    assert drift(github, DRIFTED).startswith("Issue opened")
    assert github.issues[:-1] == before


def test_a_long_report_is_cut_at_a_line_and_says_where_the_rest_is(github: GitHub) -> None:
    drift(github, report(aspect(*(f"+line {number:06} é" for number in range(6_000)))))
    body = github.issues[0]["body"]
    assert len(body) <= LONGEST_TEXT
    shown = re.findall(r"^\+line .*$", body, re.MULTILINE)
    assert len(shown) > 4_000
    assert all(len(line) == 14 for line in shown)
    assert "cut here: `python -m verification drift --env prod` shows all of it\n```\n" in body
    assert "1 of 140" in body


def test_a_report_with_backticks_stays_within_its_block(github: GitHub) -> None:
    drift(github, report(aspect("+```", "+````sql")))
    assert "`````diff\n+```\n+````sql\n# Run `make deploy`.\n`````\n" in github.issues[0]["body"]


def test_a_report_holds_no_credential_and_no_more_than_fits(github: GitHub) -> None:
    """Somebody may have written one into a routine by hand; and GitHub counts an emoji twice."""
    token = "ghp_" + "a1B2" * 10
    drift(github, report(aspect(f"+SELECT '{token}'", f"+{'🔥' * 70_000}")))
    body = github.issues[0]["body"]
    assert token not in body
    assert len(body.encode("utf-16-le")) // 2 <= 65_535
    assert "cut here" in body


@pytest.mark.parametrize("text", ["", "no credentials", DRIFTED[:-20], "{}"])
def test_an_incomplete_report_changes_nothing(github: GitHub, text: str) -> None:
    github.issue("<!-- eros-drift prod -->")
    with pytest.raises(StepFailedError, match="python -m verification drift"):
        drift(github, text)
    assert github.requests == []


def test_a_report_of_another_environment_changes_nothing(github: GitHub) -> None:
    with pytest.raises(StepFailedError, match="is of staging, not of prod"):
        drift(github, report(LEASES, environment="staging"))
    assert github.requests == []


@pytest.mark.parametrize(
    ("status", "headers", "advice"),
    [
        (401, {}, "GITHUB_TOKEN is not valid"),
        (403, {}, "needs `pull-requests: write`"),
        (403, {"x-ratelimit-remaining": "0"}, "in an hour"),
        (429, {"retry-after": "60"}, "in an hour"),
        (404, {}, "does not exist in example/eros"),
        (410, {}, "switched off"),
        (422, {}, "GitHub rejected"),
        (502, {}, "later"),
    ],
)
def test_a_refusal_says_what_was_asked_what_github_said_and_what_to_do(
    github: GitHub, status: int, headers: dict[str, str], advice: str
) -> None:
    github.refusal = (status, headers, b'{"message": "Its own words"}')
    with pytest.raises(StepFailedError, match=advice) as caught:
        comment(github, TAG)
    assert caught.value.exit_code == 2
    assert f"GET {github.address}/repos/example/eros/issues/7/comments" in str(caught.value)
    assert f"{status} Its own words" in str(caught.value)


def test_the_issue_s_job_needs_its_own_permission(github: GitHub) -> None:
    github.refusal = (403, {}, b"<html>no JSON</html>")
    with pytest.raises(StepFailedError, match="needs `issues: write`"):
        drift(github, DRIFTED)


def test_an_address_that_does_not_answer_is_named() -> None:
    variables = {"GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t"}
    with pytest.raises(StepFailedError, match=r"127\.0\.0\.1:9 does not answer"):
        write_comment(repository_of(variables), 1, TAG)


@pytest.mark.parametrize("answer", ["null", "7", '"text"', "[7]", "{", "[" * 10_000 + "]" * 10_000])
def test_an_answer_of_another_form_is_a_sentence(answer: str) -> None:
    with faulty("", "/", answer) as address:
        repository = repository_of({"GITHUB_API_URL": address, "GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t"})
        with pytest.raises(StepFailedError, match="but not as GitHub's API does") as caught:
            write_comment(repository, 1, TAG)
    assert caught.value.exit_code == 2


def test_an_answer_that_trickles_in_ends_with_the_deadline() -> None:
    with faulty("", "/", "drip") as address, time_limit(0.5):
        repository = repository_of({"GITHUB_API_URL": address, "GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t"})
        with pytest.raises(LateAnswerError, match="waited for GET"):
            write_comment(repository, 1, TAG)


def test_missing_variables_are_named_in_one_line_and_exit_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "plan.md"
    text.write_text(TAG)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    done = invoke(app, KNOWN, "comment", "--pull-request", "7", "--file", str(text))
    assert done.exit_code == 2
    assert "GITHUB_REPOSITORY and GITHUB_TOKEN not set" in done.stderr


def test_github_s_own_address_is_the_default_and_the_token_is_not_shown() -> None:
    repository = repository_of({"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "ghs_x"})
    assert repository.api == "https://api.github.com"
    assert "ghs_x" not in repr(repository)


def test_the_commands_read_their_files(github: GitHub, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text(f"{TAG}\ntext")
    drifted = report(LEASES, environment="staging").encode()
    (tmp_path / "drift.json").write_bytes(drifted.replace(b"system=other", b"system=\xff"))
    commands = (
        ["comment", "--pull-request", "7", "--file", str(tmp_path / "plan.md")],
        ["drift-issue", "--env", "staging", "--file", str(tmp_path / "drift.json"), "--link", LINK],
    )
    for command in commands:
        done = CliRunner().invoke(app, command, env=github.variables)
        assert done.exit_code == 0, done.output
    assert github.comments[0]["body"] == f"{TAG}\ntext"
    assert github.issues[0]["title"] == "Drift in staging"
    missing = CliRunner().invoke(app, ["comment", "--pull-request", "7", "--file", "nowhere.md"])
    assert missing.exit_code == 2
