"""`python -m verification drift`: every difference as a unified diff, as text and as JSON."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from catalog.files import REPOSITORY
from catalog.rules.division import SafeDivision
from catalog.rules.time_zone import NamedTimeZone
from declared.loading import load_environment
from declared.roles import PROJECT_ROLES, members_of, workflow_grants
from declared.schedules import all_schedules
from google.client import GoogleApi
from google.failures import RequestRefusedError
from tests.harness.commands import invoke
from tests.mutations.change import body_replaced, dataset_access, schedule_added, schedule_patched, table_patched
from tests.mutations.kinds import SWEEP
from verification import __main__ as command_line
from verification.drift import READERS, Aspect
from verification.drift.grants import project_members
from verification.drift.report import as_json, drift_report, json_schema, read_json
from verification.results import Status
from verification.running import verify
from verification.stored_sql import DIVISION, TIME_ZONE
from verification.suites import performance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harness.commands import Ended
    from tests.harness.deployed import Deployed
    from verification.results import Result, Subject


def drift(system: Deployed, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Ended:
    monkeypatch.setattr(command_line, "load_environment", lambda _name: system.environment)
    return invoke(command_line.app, command_line.KNOWN, "drift", *arguments)


def test_no_drift(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = drift(deployed, monkeypatch)
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout.startswith("0 of ")


def test_a_changed_body_is_a_diff_of_its_lines(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    with body_replaced(SWEEP, "days_past > 7", "days_past > 8").apply(deployed):
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
        table_patched("etl_job_runs", {"clustering": {"fields": ["job_status"]}}).apply(deployed),
        schedule_patched(SWEEP, {"disabled": True}).apply(deployed),
        dataset_access(lambda entries: [*entries, stranger]).apply(deployed),
    ):
        printed = drift(deployed, monkeypatch).stdout
    assert "-cluster: job_name, job_status\n+cluster: job_status" in printed
    assert "-state: enabled\n+state: disabled" in printed
    assert "+roles/bigquery.dataViewer user:stranger@example.com" in printed


def test_a_known_grant_is_not_drift(deployed: Deployed) -> None:
    known = "roles/bigquery.dataOwner user:owner@example.com"
    environment = deployed.environment
    owner = {"role": "OWNER", "userByEmail": "owner@example.com"}

    def members(known: tuple[str, ...]) -> list[Result]:
        there = environment.model_copy(update={"members": environment.members.model_copy(update={"known": known})})
        return [result for result in verify(there, tests=["drift.11"]).results if result.status == "DRIFT"]

    with dataset_access(lambda entries: [*entries, owner]).apply(deployed):
        assert [result.found for result in members(())] == [f"members: {known}"]
        assert members((known,)) == []


def test_the_grants_of_previews_are_not_drift_and_similar_ones_are(deployed: Deployed) -> None:
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


def test_grants_of_the_bootstrap_to_workflows_are_not_drift_and_other_grants_to_them_are() -> None:
    environment = load_environment("prod")

    def members(*more: tuple[str, str]) -> Aspect[Any]:
        granted = [*members_of(environment, PROJECT_ROLES), *workflow_grants(environment), *more]
        policy = {"bindings": [{"role": role, "members": [member]} for role, member in granted]}
        api = SimpleNamespace(project_policy=lambda: policy)
        (aspect,) = project_members(cast("Subject", SimpleNamespace(environment=environment, api=api, deploy="x")))
        return aspect

    assert members().same
    planner = f"serviceAccount:{environment.planner}"
    assert f"+roles/bigquery.admin {planner}" in members(("roles/bigquery.admin", planner)).diff


def test_a_missing_object_is_drift(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "selection_problem"
    deployed.rest("DELETE", f"/routines/{name}")
    try:
        outcome = drift(deployed, monkeypatch)
    finally:
        deployed.rest("POST", "/routines", deployed.routine(deployed.catalog.routines[name]))
    assert f"--- repository: {name} (existence)" in outcome.stdout
    assert "-exists\n+missing" in outcome.stdout


def test_blanks_at_line_ends_are_not_a_difference() -> None:
    assert Aspect("a", "body", ("SELECT 1\nFROM b",), ("SELECT 1  \nFROM b\n\n",), "").same
    assert not Aspect("a", "body", ("SELECT 1\nFROM b",), ("SELECT 1\n FROM b",), "").same


def test_the_json_report_has_the_same_diffs_as_the_text(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    with body_replaced(SWEEP, "days_past > 7", "days_past > 8").apply(deployed):
        text = drift(deployed, monkeypatch)
        outcome = drift(deployed, monkeypatch, "--format", "json")
    assert outcome.exit_code == 1
    report = read_json(outcome.stdout)
    (drifted,) = report.drifted
    assert (report.environment, drifted.object, drifted.name) == ("local", SWEEP, "body")
    assert report.aspects > 100
    assert text.stdout == "\n".join([*drifted.diff, f"# {drifted.action}", "", report.headline, ""])
    assert as_json(report) == outcome.stdout


def test_the_json_report_of_no_drift_is_complete(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = drift(deployed, monkeypatch, "--format", "json")
    assert outcome.exit_code == 0, outcome.output
    assert read_json(outcome.stdout).drifted == ()


def test_the_json_schema_is_documented() -> None:
    documented = (REPOSITORY / "docs" / "drift-report.schema.json").read_text()
    assert documented == json_schema(), "write it again: python -m verification drift --print-schema"
    assert invoke(command_line.app, command_line.KNOWN, "drift", "--print-schema").stdout == documented


def test_a_report_holds_no_credential() -> None:
    token = "ghp_" + "a1B2" * 10
    aspect = Aspect("a", "body", ("SELECT 1",), (f"SELECT '{token}'",), "")
    report = as_json(drift_report(load_environment("prod"), [aspect]))
    assert token not in report
    assert "masked" in report


@pytest.mark.parametrize("text", ["", "no credentials", '{"environment": "prod"', '{"environment": "prod"}'])
def test_a_part_of_a_report_is_not_a_report(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_json(text)


def test_an_unknown_format_is_reported(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = drift(deployed, monkeypatch, "--format", "yaml")
    assert outcome.exit_code == 2
    assert "write one of text, json" in outcome.stderr


def test_the_ids_of_the_readers_never_change() -> None:
    """A new reader is added here with the next free number; the others keep theirs."""
    assert {reader.id: reader.read.__name__ for reader in READERS} == {
        "drift.1": "function_bodies",
        "drift.2": "signatures",
        "drift.3": "view_queries",
        "drift.4": "descriptions",
        "drift.5": "labels",
        "drift.6": "procedure_bodies",
        "drift.7": "columns",
        "drift.8": "layouts",
        "drift.9": "dataset",
        "drift.10": "schedules",
        "drift.11": "dataset_members",
        "drift.12": "project_members",
        "drift.13": "service_account_members",
        "drift.14": "audit_logs",
        "drift.15": "alert_policies",
    }
    assert {reader.id for reader in READERS if reader.settles} == {"drift.11", "drift.12", "drift.13"}


def test_the_rules_that_the_verifier_selects_by_name_exist() -> None:
    assert {NamedTimeZone.name, SafeDivision.name} == {TIME_ZONE, DIVISION}


def test_an_owner_that_the_caller_may_not_know_is_skipped_and_is_not_drift(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = GoogleApi.data_transfer

    def without_owner(api: GoogleApi, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        hidden = {"serviceAccountName", "ownerInfo"}
        return {key: value for key, value in answered(api, method, path, body).items() if key not in hidden}

    monkeypatch.setattr(GoogleApi, "data_transfer", without_owner)
    results = verify(deployed.environment, ["schedules"], ["drift.10"]).results
    assert {result.status for result in results if result.id == "drift.10"} == {Status.PASS}
    assert sorted(result.object for result in results if result.status is Status.SKIP) == sorted(
        schedule.name for schedule in all_schedules()
    )


def test_an_undeclared_config_of_the_same_name_hides_no_declared_one(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = GoogleApi.transfer_configs

    def undeclared_last(api: GoogleApi) -> list[dict[str, Any]]:
        return sorted(listed(api), key=lambda config: str(config["displayName"]) == SWEEP)

    monkeypatch.setattr(GoogleApi, "transfer_configs", undeclared_last)
    undeclared = schedule_added(SWEEP, SWEEP, f"CALL `{{d}}.{SWEEP}`()")
    with undeclared.apply(deployed), schedule_patched(SWEEP, {"disabled": True}).apply(deployed):
        results = verify(deployed.environment, tests=["schedules.1"]).results
    assert [(result.object, result.found) for result in results if result.status is not Status.PASS] == [
        (SWEEP, "state: disabled")
    ]


def test_a_function_without_arguments_to_try_is_skipped_for_that_reason(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(performance.ARGUMENTS, "FLOAT64")
    nothing = SimpleNamespace(routines=set(deployed.catalog.functions), tables=set())
    subject = cast("Subject", SimpleNamespace(catalog=deployed.catalog, live=nothing, api=deployed.api, path=str))
    monkeypatch.setattr(performance, "_best", lambda *_: (0.0, 0))
    skipped = {outcome.object: outcome.found for outcome in performance.functions(subject) if outcome.status == "SKIP"}
    with_float = {
        name
        for name, function in deployed.catalog.functions.items()
        if "FLOAT64" in {argument.type.sql for argument in function.arguments}
    }
    assert with_float
    assert skipped == dict.fromkeys(with_float, "no arguments of type FLOAT64 are declared here")


def test_a_refused_query_is_reported_under_the_object_that_it_is_about(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No matter what the message names: here another object, which comes first."""

    def refused(_api: GoogleApi, about: str, *_: Any) -> list[Any]:
        raise RequestRefusedError("400 leases: no such column", about)

    monkeypatch.setattr(GoogleApi, "query", refused)
    (result,) = verify(deployed.environment, tests=["caption_keys.1"]).results
    assert (result.status, result.object) == (Status.ERROR, "caption_bank")
