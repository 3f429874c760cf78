"""The deadlines of the operators' commands: each has one, and it ends what waits; nobody who is asked is ended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import requests
from typer.core import TyperGroup
from typer.main import get_command

from google.waiting import current_limit
from operations import __main__ as operations
from operations.deploy import deployment, rollback
from operations.deploy.steps import StepFailedError
from operations.review import github
from tests.harness.commands import invoke
from tests.harness.faulty_proxy import faulty
from verification.drift.report import DriftReport, as_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Without a service to wait for.
IMMEDIATE = {"environment-schema"}


def commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its words."""
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}".strip())
    else:
        yield path, command


ALL = dict(commands(get_command(operations.app)))


@pytest.mark.parametrize("name", sorted(set(ALL) - IMMEDIATE))
def test_every_command_has_a_deadline_of_a_day_at_most(name: str) -> None:
    (option,) = [each for each in ALL[name].params if "--deadline" in each.opts]
    assert 60 <= option.default <= 86_400


@pytest.mark.parametrize("command", ["comment --pull-request 7", "drift-issue --link l"])
def test_github_that_never_answers_ends_the_command_at_its_deadline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    report = as_json(DriftReport("local", "eros-local", "d", 1, ()))
    (file := tmp_path / "text").write_text(report if "drift" in command else "<!-- eros -->\n")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/n")
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    with faulty("", "/", "silent") as address:
        monkeypatch.setenv("GITHUB_API_URL", address)
        arguments = (*command.split(), "--file", str(file), "--deadline", "0.3")
        ended = invoke(operations.app, operations.KNOWN, *arguments)
    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"no answer within the 0.3 s of --deadline; waited for GET {address}/repos/o/n/")


def test_github_s_pages_that_lead_to_each_other_are_no_endless_list(monkeypatch: pytest.MonkeyPatch) -> None:
    page = requests.Response()
    page.status_code, page._content = 200, b"[]"  # noqa: SLF001 - as requests itself fills it
    page.headers["Link"] = '<https://github.example.com/2>; rel="next"'
    pages = iter([page] * 3)
    monkeypatch.setattr(github, "_request", lambda *_: next(pages))
    repository = github.Repository("https://github.example.com", "o/n", "t")
    with pytest.raises(StepFailedError, match="answers, but not as GitHub's API does"):
        github.write_comment(repository, 7, "<!-- eros -->\n")


def test_a_summary_is_not_written_to_what_waits_for_a_reader(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    for place in (pipe, tmp_path):
        with pytest.raises(StepFailedError, match=f"{place}: not writable: it is not a file") as caught:
            operations._write_file(place, "text")  # noqa: SLF001 - the option --output
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "approved", "expected"), [("prod", True, 9), ("prod", False, None), ("local", False, 9)]
)
@pytest.mark.parametrize("command", ["deploy", "destroy", "bootstrap"])
def test_only_while_nobody_is_asked_there_is_a_deadline(
    monkeypatch: pytest.MonkeyPatch, command: str, name: str, approved: bool, expected: float | None
) -> None:
    """The embedded environment asks nobody; its bootstrap does."""
    limits: list[float] = []

    class SeenError(Exception):
        """The command has begun."""

    def begin(*_: Any, **__: Any) -> None:
        limits.append(current_limit().seconds)
        raise SeenError

    monkeypatch.setattr(deployment, "deploy", begin)
    monkeypatch.setattr(rollback, "destroy", begin)
    monkeypatch.setattr(operations, "make_bootstrap", begin)
    approve = ["--auto-approve"] if approved else []
    invoke(operations.app, (SeenError,), command, "--env", name, "--deadline", "9", *approve)
    asked = expected is None or (command == "bootstrap" and not approved)
    assert limits == [float("inf") if asked else 9]
