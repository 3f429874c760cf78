"""The commands: what must not be done is refused, what exists is adopted, what fails says why."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner

from catalog import load_catalog, retarget
from catalog.cache import cache_folder
from catalog.files import REPOSITORY
from declared.imports import IMPORTS, ImportId, fixed, read_import_ids, write_import_ids
from declared.loading import load_environment
from declared.names import PARTS, Part, stack_names
from declared.schedules import all_schedules
from google.billing import Usage
from google.failures import RequestRefusedError, UnreadableAnswerError
from google.resources import TransferRun
from operations import __main__
from operations.deploy import planning, rollback
from operations.deploy.adoption import EXISTS, NAMED, adoptable
from operations.deploy.cdktf import CdktfRun, StackOutcome
from operations.deploy.deployment import Deployment, print_summary
from operations.deploy.scheduled_runs import ScheduledRun, run_each_schedule
from operations.deploy.seed_job import repeating_variables
from operations.deploy.steps import StepFailedError, apply_with_cdktf, printed, run_module
from operations.deploy.synthesis import synthesize
from tests.harness import synthesis
from tests.harness.commands import invoke
from verification.results import Report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from declared.environment import Environment
    from google.client import GoogleApi

NOON = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


def test_a_guarded_warehouse_is_not_destroyed() -> None:
    console = Console(file=io.StringIO())
    for part in (None, Part.WAREHOUSE):
        with pytest.raises(StepFailedError, match="guards its data") as caught:
            rollback.destroy(load_environment("prod"), console, part, auto_approve=True)
        assert caught.value.exit_code == 2


def test_an_unknown_stack_is_named_with_those_that_exist() -> None:
    done = CliRunner().invoke(__main__.app, ["destroy", "--env", "prod", "--stack", "nope"])
    assert done.exit_code == 2
    assert all(part in done.output for part in PARTS)


def test_a_failing_module_raises_its_output_and_exit_code() -> None:
    with pytest.raises(StepFailedError, match="nope") as caught:
        run_module(load_environment("local"), "local", "nope")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("ends", "exit_code"), [("exit 1", 1), ("exit 2", 2), ("exit 137", 2), ("kill -9 $$", 2)])
def test_a_command_that_ends_in_any_way_is_a_check_that_failed_or_could_not_run(ends: str, exit_code: int) -> None:
    with pytest.raises(StepFailedError) as caught:
        printed(["sh", "-c", ends], {"PATH": "/usr/bin:/bin"})
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize("auto_approve", [True, False])
def test_a_failure_of_cdktf_has_one_exit_code_whether_or_not_it_asks(
    monkeypatch: pytest.MonkeyPatch, auto_approve: bool
) -> None:
    monkeypatch.setattr("operations.deploy.steps.run_cdktf", lambda *_, **__: CdktfRun(1, {}, ("no",)))
    with pytest.raises(StepFailedError) as caught:
        apply_with_cdktf(Console(file=io.StringIO()), ["deploy"], {}, auto_approve, lambda _: "")
    assert caught.value.exit_code == 2


def transfer_config(display_name: str, name: str) -> dict[str, Any]:
    """A transfer config as the service lists it."""
    return {"displayName": display_name, "name": name, "updateTime": "2026-11-24T12:00:00Z"}


class LiveSystem:
    """A stand-in of the live system's reading side, with what a test says that exists."""

    environment = load_environment("local")
    run: ClassVar[dict[str, str]] = {"name": "run", "runTime": "2026-11-24T19:20:00Z"}

    def __init__(
        self,
        tables: set[str],
        routines: set[str],
        configs: list[dict[str, Any]],
        dataset: bool = True,
        *,
        jobs: Sequence[str] = (),
        seeded: bool = True,
    ) -> None:
        self.tables, self.routines, self.configs, self.exists = tables, routines, configs, dataset
        self.jobs, self.seeded = jobs, seeded
        self.started: list[tuple[str, Any]] = []

    def dataset_exists(self) -> bool:
        """Whether the dataset exists."""
        return self.exists

    def dataset(self) -> dict[str, Any] | None:
        """The dataset, to which nobody has access."""
        return {"access": []} if self.exists else None

    def table(self, name: str) -> dict[str, Any] | None:
        """A table that exists."""
        return {"creationTime": "1764000000000"} if name in self.tables else None

    def query(self, _about: str, _sql: str) -> list[SimpleNamespace]:
        """The jobs of BigQuery's history."""
        return [SimpleNamespace(job_id=job, succeeded=self.seeded) for job in self.jobs]

    def iam(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """There is no service account."""
        raise RequestRefusedError(f"{method} {path} {body}: 404")

    def project_policy(self) -> dict[str, Any]:
        """One role is granted on the project."""
        return {"bindings": [{"role": "roles/bigquery.user", "members": ["group:developers@example.com"]}]}

    def table_labels(self) -> set[str]:
        """The tables and views that exist."""
        return self.tables

    def routine_names(self) -> set[str]:
        """The routines that exist."""
        return self.routines

    def transfer_configs(self) -> list[dict[str, Any]]:
        """The transfer configs that exist."""
        return self.configs

    def alert_policies(self) -> list[dict[str, Any]]:
        """There is no alert policy."""
        return []

    def notification_channels(self) -> list[dict[str, Any]]:
        """There is one channel."""
        return [{"displayName": "eros operators", "name": "projects/eros-local/notificationChannels/7"}]

    def data_transfer(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """A run that was started fails."""
        if method == "POST":
            self.started.append((path, body))
            return {"runs": [{**self.run, "state": "PENDING"}]}
        return {**self.run, "state": "FAILED", "errorStatus": {"message": "no table"}}


@pytest.fixture
def local() -> Environment:
    """The settings of the embedded environment."""
    return load_environment("local")


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, ImportId]]:
    """How the import ids of the embedded environment's objects are found: what its stacks say."""
    stacks = synthesis.synthesize(load_environment("local"), load_catalog(), tmp_path_factory.mktemp("synthesis"))
    return {stack: read_import_ids(stacks / stack) for stack in stack_names("local")}


@pytest.mark.cdktf
def test_everything_that_exists_and_is_declared_can_be_adopted(declared: dict[str, dict[str, ImportId]]) -> None:
    config = transfer_config("eros sweep_expired_caption_locks", "projects/1/locations/us/transferConfigs/7")
    live = LiveSystem({"leases", "mass_messages"}, {"caption_key", "sweep_expired_caption_locks"}, [config])
    dataset = "projects/eros-local/datasets/eros_scheduling_brain"
    adoption = adoptable(declared, cast("GoogleApi", live))
    assert adoption.found == {
        "eros-local-warehouse": {
            "google_bigquery_dataset.eros_scheduling_brain": dataset,
            "google_bigquery_table.leases": f"{dataset}/tables/leases",
        },
        "eros-local-routines": {"google_bigquery_routine.caption_key": f"{dataset}/routines/caption_key"},
        "eros-local-access": {
            "google_project_iam_member.bigquery_user_group_developers_example_com": (
                "eros-local roles/bigquery.user group:developers@example.com"
            )
        },
        "eros-local-automation": {
            "google_bigquery_routine.sweep_expired_caption_locks": f"{dataset}/routines/sweep_expired_caption_locks",
            "google_bigquery_data_transfer_config.sweep_expired_caption_locks": config["name"],
        },
        "eros-local-monitoring": {
            "google_monitoring_notification_channel.operators": "projects/eros-local/notificationChannels/7"
        },
    }
    assert "google_service_account.etl" in adoption.missing
    everything = sum(map(len, declared.values()))
    assert len(adoption.missing) == everything - 7
    assert str(adoption).startswith(f"7 of {everything} declared objects exist; these would be created: ")


@pytest.mark.cdktf
def test_every_declared_object_has_an_import_id(declared: dict[str, dict[str, ImportId]], local: Environment) -> None:
    """Terraform would create what has none a second time."""
    catalog = retarget(load_catalog(), local.project, local.dataset)
    addresses = [address for stack in declared.values() for address in stack]
    names = [address.partition(".")[2] for address in addresses]
    assert len(set(addresses)) == len(addresses)
    assert {*catalog.tables, *catalog.routines, *catalog.views, local.dataset} <= set(names)
    for address in addresses:
        assert address.partition(".")[0] in {*EXISTS, *NAMED, "google_bigquery_job", "terraform_data"}


@pytest.mark.cdktf
def test_a_lost_state_adopts_the_seed_job_of_the_calendar_that_exists(
    declared: dict[str, dict[str, ImportId]],
) -> None:
    """With it, the resource whose id is in the job's id: otherwise the seed would run again under another id."""
    generation = "f627a400-9025-cf1a-3116-a11276e2ebfd"
    live = LiveSystem({"holiday_calendar"}, set(), [], jobs=[f"seed_holiday_calendar_0123456789ab_{generation}"])
    automation = adoptable(declared, cast("GoogleApi", live)).found["eros-local-automation"]
    assert automation == {
        "terraform_data.holiday_seed": generation,
        "google_bigquery_job.seed_holiday_calendar": (
            f"projects/eros-local/jobs/seed_holiday_calendar_0123456789ab_{generation}/location/US"
        ),
    }


@pytest.mark.cdktf
def test_a_seed_job_that_did_not_succeed_is_repeated_not_adopted(declared: dict[str, dict[str, ImportId]]) -> None:
    jobs = ["seed_holiday_calendar_0123456789ab_f627a400-9025-cf1a-3116-a11276e2ebfd"]
    failed = cast("GoogleApi", LiveSystem({"holiday_calendar"}, set(), [], jobs=jobs, seeded=False))
    assert not adoptable(declared, failed).found["eros-local-automation"]
    assert repeating_variables(failed) == {"EROS_REPLACE": "eros-local-automation terraform_data.holiday_seed"}
    for live in (LiveSystem({"holiday_calendar"}, set(), [], jobs=jobs), LiveSystem({"holiday_calendar"}, set(), [])):
        assert repeating_variables(cast("GoogleApi", live)) == {}


def test_a_synthesis_with_adoption_writes_import_blocks(
    local: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of the caller's is ignored: a second import block for an object is an error of Terraform's."""
    variables: list[dict[str, str]] = []
    path = "projects/p/datasets/d/tables"
    for stack in stack_names("local"):
        folder = tmp_path / "stacks" / stack
        folder.mkdir(parents=True)
        tables = ("leases", "missing") if stack.endswith("warehouse") else ()
        write_import_ids(folder, {f"google_bigquery_table.{name}": fixed(f"{path}/{name}") for name in tables})
    monkeypatch.setenv("EROS_ADOPT", "a-file-of-the-caller.json")
    monkeypatch.setattr("operations.deploy.synthesis.OUTPUT", tmp_path)
    monkeypatch.setattr("operations.deploy.synthesis.printed", lambda _, given: variables.append(given))
    monkeypatch.setattr("operations.deploy.synthesis.GoogleApi", lambda _: LiveSystem({"leases"}, set(), []))
    for adopt in (True, False):
        synthesize(local, Console(file=io.StringIO()), adopt)
    assert ["EROS_ADOPT" in given for given in variables] == [False, True]
    assert {given["CDKTF_OUTDIR"] for given in variables} == {str(tmp_path)}
    (written,) = tmp_path.glob(f"stacks/*/{IMPORTS}")
    assert written.parent.name == "eros-local-warehouse"
    assert json.loads(written.read_text()) == {
        "import": [{"to": "google_bigquery_table.leases", "id": f"{path}/leases"}]
    }


@pytest.mark.cdktf
def test_of_a_dataset_that_does_not_exist_nothing_is_adopted(declared: dict[str, dict[str, ImportId]]) -> None:
    live = LiveSystem(set(), set(), [], dataset=False)
    found = adoptable(declared, cast("GoogleApi", live)).found
    assert not any(found[f"eros-local-{part}"] for part in ("warehouse", "routines", "automation"))


def test_a_run_that_fails_says_why_and_a_missing_config_is_an_outcome() -> None:
    live = LiveSystem(set(), set(), [transfer_config(all_schedules()[0].display_name, "config")])
    failed, missing, *_ = run_each_schedule(cast("GoogleApi", live), NOON)
    assert (failed.state, failed.message, failed.succeeded) == ("FAILED", "no table", False)
    assert live.started == [("config:startManualRuns", {"requestedRunTime": "2026-11-24T19:20:00+00:00"})]
    assert missing.state == "MISSING"
    assert "deploy the automation stack" in missing.message


@pytest.mark.parametrize("answer", [{}, {"runs": []}, {"runs": [{"name": "run"}]}, {"runs": None}])
def test_an_answer_of_another_form_is_an_error(answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveSystem(set(), set(), [transfer_config(all_schedules()[0].display_name, "config")])
    monkeypatch.setattr(live, "data_transfer", lambda *_: answer)
    with pytest.raises(UnreadableAnswerError, match=r"a run of eros .*: the answer is not readable"):
        next(run_each_schedule(cast("GoogleApi", live), NOON))


@pytest.mark.cdktf
def test_a_transfer_config_without_a_name_is_an_error_in_words(declared: dict[str, dict[str, ImportId]]) -> None:
    live = LiveSystem(set(), set(), [{"displayName": "somebody's"}])
    with pytest.raises(UnreadableAnswerError, match="the scheduled queries: the answer is not readable: KeyError"):
        adoptable(declared, cast("GoogleApi", live))


def test_a_run_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveSystem(set(), set(), [transfer_config(all_schedules()[0].display_name, "config")])
    monkeypatch.setattr("operations.deploy.scheduled_runs.LONGEST_RUN", timedelta(0))
    run = next(run_each_schedule(cast("GoogleApi", live), NOON))
    assert (run.state, run.succeeded, run.message) == ("PENDING", False, "it has not ended after 0 s: run")


def test_the_summary_says_that_nothing_changed_only_when_nothing_did(local: Environment) -> None:
    run = ScheduledRun(all_schedules()[0], NOON, TransferRun("run", "SUCCEEDED", NOON, ""), 1.0)
    for stacks, expected in (({"a": StackOutcome("a")}, True), ({"a": StackOutcome("a", changed=["x"])}, False)):
        console = Console(file=io.StringIO(), width=120)
        report = Report(local, "2026-11-24T12:00:00+00:00", 0.2, (), Usage())
        print_summary(
            local,
            Deployment(CdktfRun(0, stacks, ()), (run,), report),
            console,
        )
        text = cast("io.StringIO", console.file).getvalue()
        assert ("Nothing was changed" in text) is expected
        assert "2026-11-24 12:00 PST" in text
        assert "0 tests, 0 results" in text


def test_production_without_credentials_ends_with_words_and_exit_code_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "operations", "deploy", "--env", "prod"],
        cwd=REPOSITORY,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "NO_GCE_CHECK": "true",
            "XDG_CACHE_HOME": str((cache_folder() or tmp_path).parent),  # compiling the analyzer is not what is tested
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "credentials" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unknown_environment_is_named_with_those_that_exist() -> None:
    done = invoke(__main__.app, __main__.KNOWN, "plan", "--env", "nope")
    assert done.exit_code == 2
    assert "local, prod, staging" in " ".join(done.stderr.split())


def test_one_stack_that_cannot_be_planned_does_not_stop_the_others(
    local: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Dangerous changes may be in any of them; and no older plan remains that looks like a new one."""
    old = tmp_path / "eros-local-monitoring" / "plan"
    old.parent.mkdir()
    old.touch()
    planned = []

    def run(command: list[str], _variables: dict[str, str]) -> str:
        planned.append(command[-1])
        if command[-1].endswith("warehouse"):
            raise StepFailedError("Error: Instance cannot be destroyed", 2)
        if command[-1].endswith(("routines", "access")):
            raise StepFailedError("Error: no credentials", 2)
        return "No changes."

    monkeypatch.setattr("operations.deploy.planning.printed", run)
    monkeypatch.setattr("operations.deploy.synthesis.printed", run)
    monkeypatch.setattr("operations.deploy.planning.stack_folder", lambda stack: tmp_path / stack)
    with pytest.raises(StepFailedError) as caught:
        planning._plans(local, Console(file=io.StringIO()), adopt=False)  # noqa: SLF001 - without preflight and server
    assert planned == ["main.py", *(f"eros-local-{part}" for part in PARTS)]
    assert str(caught.value) == (
        "eros-local-warehouse:\nError: Instance cannot be destroyed\n\n"
        "eros-local-routines, eros-local-access:\nError: no credentials"
    )
    assert not old.exists()


def test_a_plan_that_changes_no_object_is_shown_whole(
    local: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whether a plan is empty is Terraform's exit code, not its words."""
    said = "Changes to Outputs:\n  + place = 1"
    monkeypatch.setattr("operations.deploy.planning.printed", lambda *_: said)
    monkeypatch.setattr("operations.deploy.planning.synthesize", lambda *_: None)
    monkeypatch.setattr("operations.deploy.planning.stack_folder", lambda stack: tmp_path / stack)
    shown = io.StringIO()
    planning._plans(local, Console(file=shown, width=100), adopt=False)  # noqa: SLF001 - without preflight and server
    assert shown.getvalue().count("changes of no object") == shown.getvalue().count(said) == len(PARTS)
