"""Previews: what is deleted by name and what is left alone, what is swept, and that runs take turns."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner

from declared.environment import Environment, EnvironmentFileError
from declared.loading import load_environment
from google.failures import NotPermittedError, RequestRefusedError
from operations.__main__ import app
from operations.deploy import previews
from operations.deploy.cdktf import own_turn
from operations.deploy.previews import existing, remove_what_is_left, sweep, template_of
from operations.deploy.steps import StepFailedError

if TYPE_CHECKING:
    from pathlib import Path

    from google.client import GoogleApi

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PROJECT = "projects/eros-local"


def account(number: int | str) -> str:
    """The service account of a preview's number; of ``local`` for an empty text."""
    return f"eros-pr{number}-etl@eros-local.iam.gserviceaccount.com" if number else load_environment().service_account


class Project:
    """A stand-in of a project's APIs with the objects of several environments."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.sets: dict[str, dict[str, Any]] = {}
        self.policy: dict[str, Any] = {"etag": "1", "bindings": []}
        self.refusals = 0

    def add(self, environment: Environment, made: datetime = NOW) -> None:
        """What an environment has in the project."""
        system, key = environment.system, environment.name
        self.sets[environment.dataset] = {
            "labels": environment.dataset_labels,
            "creationTime": str(int(made.timestamp() * 1000)),
        }
        self.held |= {
            f"configs/{key}": {
                "displayName": f"{system} run_daily_automation",
                "updateTime": "2026-11-24T12:00:00Z",
            },
            f"policies/{key}": {"displayName": f"{system}: failed", "userLabels": {"system": system}},
            f"channels/{key}": {"displayName": f"{system} operators", "userLabels": {"system": system}},
            f"accounts/{key}": {"email": environment.service_account},
        }
        self.policy["bindings"].append(
            {"role": "roles/bigquery.jobUser", "members": [f"serviceAccount:{environment.service_account}"]}
        )

    def _kind(self, kind: str) -> list[dict[str, Any]]:
        return [{**value, "name": name} for name, value in self.held.items() if name.startswith(kind)]

    def transfer_configs(self) -> list[dict[str, Any]]:
        """The transfer configs that exist."""
        return self._kind("configs/")

    def alert_policies(self) -> list[dict[str, Any]]:
        """The alert policies that exist."""
        return self._kind("policies/")

    def notification_channels(self) -> list[dict[str, Any]]:
        """The notification channels that exist."""
        return self._kind("channels/")

    def service_accounts(self) -> dict[str, str]:
        """The service accounts that exist."""
        return {account["email"]: account["name"] for account in self._kind("accounts/")}

    def datasets(self) -> dict[str, dict[str, str]]:
        """The datasets that exist, with their labels."""
        return {name: resource["labels"] for name, resource in self.sets.items()}

    def dataset(self, name: str) -> dict[str, Any] | None:
        """A dataset."""
        return self.sets.get(name)

    def dataset_exists(self) -> bool:
        """Whether the dataset of number 7 exists."""
        return "eros_scheduling_brain_pr7" in self.sets

    def delete_dataset(self) -> None:
        """Delete the dataset of number 7."""
        del self.sets["eros_scheduling_brain_pr7"]

    def delete(self, method: str, name: str) -> None:
        """Delete what has a name."""
        assert method == "DELETE"
        del self.held[name]

    data_transfer = monitoring = iam = delete

    def project_policy(self) -> dict[str, Any]:
        """The project's policy."""
        return self.policy

    def resource_manager(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Set the policy, unless someone else did meanwhile."""
        assert (method, path) == ("POST", f"{PROJECT}:setIamPolicy")
        if self.refusals:
            self.refusals -= 1
            raise RequestRefusedError("409 There were concurrent policy changes.")
        self.policy = body["policy"]


@pytest.fixture
def project() -> Project:
    """A project in which ``local`` and the previews 7 and 77 exist."""
    there = Project()
    for name in ("local", "preview-local-7", "preview-local-77"):
        there.add(load_environment(name))
    return there


def output_of(console: Console) -> str:
    """What was printed to a console."""
    return cast("io.StringIO", console.file).getvalue()


@pytest.fixture
def console() -> Console:
    """A console whose output can be read."""
    return Console(file=io.StringIO(), width=160)


def test_what_has_a_previews_name_is_deleted_and_its_neighbours_stay(project: Project) -> None:
    deleted = f"deleted:serviceAccount:{account(7)}?uid=123"
    project.policy["bindings"].append({"role": "roles/viewer", "members": [deleted, "user:ann@example.com"]})
    project.refusals = 2
    removed = list(remove_what_is_left(load_environment("preview-local-7"), cast("GoogleApi", project)))
    assert removed == [
        *("eros-pr7 run_daily_automation", "eros-pr7: failed", "eros-pr7 operators"),
        *(f"roles of {account(7)}", account(7), "eros_scheduling_brain_pr7"),
    ]
    assert not [name for name in project.held if name.endswith("local-7")]
    assert len([name for name in project.held if name.endswith(("/local", "local-77"))]) == 8
    assert set(project.sets) == {"eros_scheduling_brain", "eros_scheduling_brain_pr77"}
    assert project.policy == {
        "etag": "1",
        "bindings": [
            {"role": "roles/bigquery.jobUser", "members": [f"serviceAccount:{account('')}"]},
            {"role": "roles/bigquery.jobUser", "members": [f"serviceAccount:{account(77)}"]},
            {"role": "roles/viewer", "members": ["user:ann@example.com"]},
        ],
    }
    assert list(remove_what_is_left(load_environment("preview-local-7"), cast("GoogleApi", project))) == []


def test_a_policy_that_others_keep_changing_is_given_up(project: Project) -> None:
    project.refusals = previews.ATTEMPTS
    with pytest.raises(RequestRefusedError, match="concurrent"):
        list(remove_what_is_left(load_environment("preview-local-7"), cast("GoogleApi", project)))
    assert account(7) in project.service_accounts()


def test_only_a_preview_is_deleted_by_name(project: Project) -> None:
    before = dict(project.held)
    with pytest.raises(StepFailedError, match="local is not a preview"):
        list(remove_what_is_left(load_environment("local"), cast("GoogleApi", project)))
    assert project.held == before


def test_the_sweep_takes_down_what_has_expired_and_remnants(
    project: Project, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = NOW - timedelta(days=7)
    project.add(load_environment("preview-local-8"), made)
    project.add(load_environment("preview-local-9"), made + timedelta(minutes=1))
    project.add(load_environment("preview-local-10"))
    del project.sets["eros_scheduling_brain_pr10"]
    theirs = {"labels": {"environment": "theirs"}, "creationTime": "0"}
    project.sets |= {"eros_scheduling_brain_pr11": theirs, "another_pr12": theirs}
    taken_down = []
    monkeypatch.setattr(previews, "bring_up", lambda *_: None)
    monkeypatch.setattr(previews, "GoogleApi", lambda _: project)
    monkeypatch.setattr(previews, "down", lambda environment, _: taken_down.append(environment.name))
    sweep("preview-local", console, NOW)
    assert taken_down == ["preview-local-8", "preview-local-10"]
    printed = output_of(console)
    assert "preview-local-8 expired on 2026-11-25 12:00 UTC" in printed
    assert "preview-local-9 exists until 2026-11-25 12:01 UTC" in printed
    assert "preview-local-10 no longer has a dataset" in printed
    assert "preview-local-7 exists until 2026-12-02 12:00 UTC" in printed


@pytest.mark.parametrize(
    "failure", [StepFailedError("Error: no", 2), RequestRefusedError("Error: no"), NotPermittedError("Error: no")]
)
def test_one_that_cannot_be_deleted_does_not_stop_the_others(
    project: Project, console: Console, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    tried = []

    def down(environment: Environment, _console: Console) -> None:
        tried.append(environment.name)
        if environment.number == 7:
            raise failure

    monkeypatch.setattr(previews, "bring_up", lambda *_: None)
    monkeypatch.setattr(previews, "GoogleApi", lambda _: project)
    monkeypatch.setattr(previews, "down", down)
    with pytest.raises(StepFailedError, match="not deleted: preview-local-7") as caught:
        sweep("preview-local", console, NOW + timedelta(days=8))
    assert tried == ["preview-local-7", "preview-local-77"]
    assert caught.value.exit_code == 1
    assert "Error: no" in output_of(console)


def test_a_project_without_previews_has_no_existing_ones() -> None:
    there = Project()
    there.add(load_environment("local"))
    assert existing("preview-local", cast("GoogleApi", there)) == []


def test_an_environment_means_the_previews_in_its_project() -> None:
    assert template_of("local") == template_of("preview-local") == "preview-local"
    assert template_of("staging") == "preview"
    with pytest.raises(EnvironmentFileError, match=r"'prod' has no previews .*preview in the project of staging"):
        template_of("prod")


@pytest.mark.parametrize("number", ["0", "seven", "1000000", "7.5"])
def test_a_number_that_is_none_is_refused_in_words(number: str) -> None:
    done = CliRunner().invoke(app, ["preview", "down", number])
    assert done.exit_code == 2
    assert "Invalid value for 'NUMBER'" in done.output


def test_runs_in_one_checkout_take_turns_and_say_for_whom_they_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.deploy.cdktf.TURN", tmp_path / "turn" / "lock")
    said: list[str] = []
    waiting, order = threading.Event(), []

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    def second() -> None:
        with own_turn("the second", say):
            order.append("second")

    other = threading.Thread(target=second)
    with own_turn("cdktf deploy * of local", said.append):
        other.start()
        assert waiting.wait(10)
        order.append("first")
    other.join(10)
    assert order == ["first", "second"]
    assert said == ["Waiting for another run in this checkout to end: cdktf deploy * of local"]
    with own_turn("the third", said.append):
        assert len(said) == 1
