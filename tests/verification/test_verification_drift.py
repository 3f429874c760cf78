"""`python -m verification drift`: every difference as a unified diff, and nothing where there is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from typer.testing import CliRunner

from declared.loading import load_environment
from declared.roles import PROJECT_ROLES, members_of, workflow_grants
from tests.mutations.defects import SWEEP, dataset_access, replaced, routine_changed, schedule_patched, table_patched
from verification import __main__ as command_line
from verification.drift import Aspect, project_members
from verification.running import verify

if TYPE_CHECKING:
    import pytest
    from typer.testing import Result as CliResult

    from tests.harness.deployed import Deployed
    from verification.results import Result, Subject


def drift(system: Deployed, monkeypatch: pytest.MonkeyPatch) -> CliResult:
    monkeypatch.setattr(command_line, "load_environment", lambda _name: system.environment)
    return CliRunner().invoke(command_line.app, ["drift"])


def test_no_drift(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = drift(deployed, monkeypatch)
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout.startswith("0 of ")


def test_a_changed_body_is_a_diff_of_its_lines(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    with routine_changed(SWEEP, lambda r: replaced("days_past > 7", "days_past > 8", r), deployed):
        outcome = drift(deployed, monkeypatch)
    assert outcome.exit_code == 1
    lines = outcome.stdout.splitlines()
    assert lines[:2] == [f"--- repository: {SWEEP} (body)", f"+++ live: {SWEEP} (body)"]
    assert [line.strip() for line in lines if line.startswith(("-  ", "+  "))] == [
        "-              COUNTIF(days_past > 7),",
        "+              COUNTIF(days_past > 8),",
    ]
    assert lines[-1].startswith("1 of ")


def test_tables_schedules_and_members_have_diffs_too(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = {"role": "READER", "userByEmail": "stranger@example.com"}
    with (
        table_patched("etl_job_runs", {"clustering": {"fields": ["job_status"]}}, deployed),
        schedule_patched(SWEEP, {"disabled": True}, deployed),
        dataset_access(lambda entries: [*entries, stranger], deployed),
    ):
        printed = drift(deployed, monkeypatch).stdout
    assert "-cluster: job_name, job_status\n+cluster: job_status" in printed
    assert "-state: enabled\n+state: disabled" in printed
    assert "+roles/bigquery.dataViewer user:stranger@example.com" in printed


def test_a_known_grant_is_no_drift(deployed: Deployed) -> None:
    known = "roles/bigquery.dataOwner user:owner@example.com"
    environment = deployed.environment
    owner = {"role": "OWNER", "userByEmail": "owner@example.com"}

    def members(known: tuple[str, ...]) -> list[Result]:
        there = environment.model_copy(update={"members": environment.members.model_copy(update={"known": known})})
        return [result for result in verify(there, tests=["drift.11"]).results if result.status == "DRIFT"]

    with dataset_access(lambda entries: [*entries, owner], deployed):
        assert [result.found for result in members(())] == [f"members: {known}"]
        assert members((known,)) == []


def test_a_preview_that_stands_beside_is_no_drift_and_nothing_else_is_taken_for_one(deployed: Deployed) -> None:
    project = deployed.environment.project
    for number in (7, 8):
        deployed.api.iam("POST", f"projects/{project}/serviceAccounts", {"accountId": f"eros-pr{number}-etl"})
    seven, eight = (f"serviceAccount:eros-pr{n}-etl@{project}.iam.gserviceaccount.com" for n in (7, 8))
    theirs = "serviceAccount:eros-pr7-etl@another-project.iam.gserviceaccount.com"
    before = deployed.api.project_policy()

    def drifted(*granted: tuple[str, str]) -> list[str]:
        bindings = [{"role": role, "members": [member]} for role, member in granted]
        deployed.set_project_policy({**before, "bindings": [*before["bindings"], *bindings]})
        results = verify(deployed.environment, tests=["drift.12"]).results
        return [result.found for result in results if result.status == "DRIFT"]

    try:
        assert drifted(("roles/bigquery.jobUser", seven), ("roles/bigquery.jobUser", eight)) == []
        for role, member in (("roles/bigquery.dataEditor", seven), ("roles/bigquery.jobUser", theirs)):
            assert drifted((role, member)) == [f"members: {role} {member}"]
    finally:
        deployed.set_project_policy(before)
        for member in (seven, eight):
            deployed.api.iam("DELETE", f"projects/{project}/serviceAccounts/{member.partition(':')[2]}")


def test_what_the_bootstrap_grants_to_workflows_is_no_drift_and_others_grants_to_them_are() -> None:
    environment = load_environment("prod")

    def members(*more: tuple[str, str]) -> Aspect:
        granted = [*members_of(environment, PROJECT_ROLES), *workflow_grants(environment), *more]
        policy = {"bindings": [{"role": role, "members": [member]} for role, member in granted]}
        api = SimpleNamespace(project_policy=lambda: policy)
        (aspect,) = project_members(cast("Subject", SimpleNamespace(environment=environment, api=api, deploy="x")))
        return aspect

    assert members().same
    planner = f"serviceAccount:{environment.planner}"
    assert f"+roles/bigquery.admin {planner}" in members(("roles/bigquery.admin", planner)).diff


def test_what_is_missing_is_drift(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "selection_problem"
    deployed.rest("DELETE", f"/routines/{name}")
    try:
        outcome = drift(deployed, monkeypatch)
    finally:
        deployed.rest("POST", "/routines", deployed.routine(deployed.catalog.routines[name]))
    assert f"--- repository: {name} (existence)" in outcome.stdout
    assert "-stands\n+missing" in outcome.stdout


def test_blanks_at_line_ends_are_no_difference() -> None:
    assert Aspect("a", "body", "SELECT 1\nFROM b", "SELECT 1  \nFROM b\n\n", "").same
    assert not Aspect("a", "body", "SELECT 1\nFROM b", "SELECT 1\n FROM b", "").same
