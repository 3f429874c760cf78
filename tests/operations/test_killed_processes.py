"""A Terraform or a cdktf that is killed is never a success; a failure says whether the embedded server ended."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from catalog.files import REPOSITORY
from declared.imports import fixed, of_the_seed_job, write_import_ids
from declared.loading import load_environment
from declared.names import Part, stack_name, state_file
from operations.deploy import rollback
from operations.deploy.adoption import Adoption
from operations.deploy.cdktf import run_cdktf
from operations.deploy.states import restore_states
from operations.deploy.steps import StepFailedError, apply_with_cdktf, explained_by_the_server

if TYPE_CHECKING:
    from pathlib import Path

    from operations.deploy.cdktf import CdktfRun

#: Runs each argument's stack, one after the other, and takes every end for a good one: as cdktf does with a kill.
CDKTF = """#!/bin/sh
for stack in a b; do
    mkdir -p "$1/$stack" && cd "$1/$stack" && "{terraform}" apply || true
done
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a stand-in of cdktf runs a stand-in of Terraform for two stacks."""
    cdktf = tmp_path / "cdktf.sh"
    cdktf.write_text(CDKTF.format(terraform=REPOSITORY / "operations" / "terraform.sh"))
    cdktf.chmod(0o755)
    monkeypatch.setattr("operations.deploy.cdktf.COMMAND", cdktf)
    monkeypatch.setattr("operations.deploy.cdktf.LOG", tmp_path / "cdktf.log")
    return tmp_path


def ends(folder: Path, how: str, interactive: bool = False, **more: str) -> CdktfRun:
    """What is known of a run whose Terraform ends like this; it writes the stack's name first."""
    terraform = folder / "terraform"
    terraform.write_text(f'#!/bin/sh\nbasename "$PWD" >>{folder}/started\n{how}\n')
    terraform.chmod(0o755)
    variables = {"PATH": "/usr/bin:/bin", "EROS_TERRAFORM": str(terraform), "HOME": str(folder)}
    return run_cdktf([str(folder)], {**variables, **more}, interactive=interactive)


def started(folder: Path) -> list[str]:
    """The stacks whose Terraform was started."""
    return (folder / "started").read_text().split()


@pytest.mark.parametrize("interactive", [False, True])
@pytest.mark.parametrize("killed", ["kill -9 $$", "kill -9 $PPID", "kill -9 $PPID $$"])
def test_a_killed_terraform_is_a_failure_and_nothing_is_started_after_it(
    run: Path, killed: str, interactive: bool
) -> None:
    found = ends(run, killed, interactive)
    assert found.exit_code == 0, "cdktf does not notice"
    assert found.failed
    assert found.killed == ("Terraform was killed: apply of a",)
    assert "apply of a" in found.explanation
    assert started(run) == ["a"]


def test_a_terraform_that_fails_is_a_failure_and_not_killed(run: Path) -> None:
    found = ends(run, "exit 1")
    assert (found.failed, found.unfinished, found.killed) == (True, ("apply of a",), ())
    assert started(run) == ["a"]


def test_a_terraform_that_ends_well_leaves_nothing(run: Path) -> None:
    found = ends(run, "exit 0")
    assert (found.failed, found.unfinished, found.killed) == (False, (), ())
    assert started(run) == ["a", "b"]


@pytest.mark.parametrize("auto_approve", [True, False])
def test_the_step_fails_with_what_was_killed(run: Path, auto_approve: bool) -> None:
    terraform = run / "terraform"
    terraform.write_text("#!/bin/sh\nkill -9 $$\n")
    terraform.chmod(0o755)
    variables = {**os.environ, "EROS_TERRAFORM": str(terraform)}
    with pytest.raises(StepFailedError, match="Terraform was killed: apply of a") as caught:
        apply_with_cdktf(Console(file=io.StringIO()), [str(run)], variables, auto_approve, lambda _: "")
    assert caught.value.exit_code == 2


def test_a_killed_cdktf_is_named(run: Path) -> None:
    (run / "cdktf.sh").write_text("#!/bin/sh\nkill -9 $$\n")
    assert ends(run, "").explanation == f"cdktf {run} was killed by SIGKILL"


def test_one_stack_replaces_the_resource_that_is_named(run: Path) -> None:
    ends(run, f'echo "$@" >>{run}/arguments', EROS_REPLACE="b terraform_data.one")
    assert (run / "arguments").read_text().splitlines() == ["apply", "apply -replace=terraform_data.one"]


def test_what_still_exists_after_a_rollback_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the seed job, which BigQuery keeps."""
    local = load_environment("local")
    stack = stack_name("local", Part.AUTOMATION)
    declared = {"google_bigquery_routine.one": fixed("one"), "google_bigquery_job.seed": of_the_seed_job("{job}")}
    write_import_ids(tmp_path, declared)
    asked: list[str] = []

    def exists(ids: dict[str, dict[str, object]], _: object) -> Adoption:
        asked.extend(ids[stack])
        return Adoption({stack: {"google_bigquery_routine.one": "one"}}, ())

    monkeypatch.setattr("operations.deploy.rollback.stack_folder", lambda _: tmp_path)
    monkeypatch.setattr("operations.deploy.rollback.adoptable", exists)
    with pytest.raises(StepFailedError, match=r"1 of 1 .* still exist: google_bigquery_routine.one") as caught:
        rollback.nothing_is_left(local, Part.AUTOMATION)
    assert caught.value.exit_code == 1
    assert "`make deploy` adopts" in str(caught.value)
    assert asked == ["google_bigquery_routine.one"]


@pytest.mark.parametrize("cut_off", ["", '{"version": 4, "resou'])
@pytest.mark.parametrize("backup", [None, '{"version": 4}'])
def test_a_state_that_was_cut_off_is_its_backup_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_off: str, backup: str | None
) -> None:
    monkeypatch.setattr("operations.deploy.states.REPOSITORY", tmp_path)
    state, whole = (tmp_path / state_file(stack_name("local", part)) for part in (Part.AUTOMATION, Part.ACCESS))
    state.parent.mkdir(parents=True)
    state.write_text(cut_off)
    whole.write_text('{"version": 4, "serial": 2}')
    if backup:
        state.with_name(f"{state.name}.backup").write_text(backup)
    console = Console(file=io.StringIO())
    restore_states(load_environment("local"), console)
    assert (state.read_text() if state.exists() else None) == backup
    assert whole.read_text() == '{"version": 4, "serial": 2}'


def test_a_failure_after_the_server_s_end_says_so_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = StepFailedError("Plugin did not respond\n" * 100, 2)

    def down(*_: object) -> str:
        raise StepFailedError("The embedded environment is not running.", 1)

    monkeypatch.setattr("operations.deploy.steps.run_module", down)
    with pytest.raises(StepFailedError) as caught, explained_by_the_server(load_environment("local")):
        raise pages
    assert "The embedded server ended" in str(caught.value)
    assert "Plugin" not in str(caught.value)
    assert caught.value.exit_code == 2

    monkeypatch.setattr("operations.deploy.steps.run_module", lambda *_: "up")
    for environment in (load_environment("local"), load_environment("prod")):
        with pytest.raises(StepFailedError, match="Plugin"), explained_by_the_server(environment):
            raise pages
