"""The synthesized configuration, by address and attribute."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from catalog import load_catalog
from catalog.files import REPOSITORY
from catalog.model import EVERY_HOUR
from catalog.table_schema import schema_json
from catalog.zone import ZONE
from declared.alerts import ALERTS
from declared.environment import EnvironmentFileError
from declared.imports import IMPORTS, adoption_file, write_imports
from declared.loading import load_environment
from declared.roles import grant_name
from declared.schedules import all_schedules
from tests.harness.commands import ended
from tests.harness.synthesis import literal, synthesize

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cdktf

PARTS = ("warehouse", "routines", "access", "monitoring", "automation")
Stacks = dict[str, dict[str, Any]]


def run_main(
    folder: Path, environment: str, checkout: Path = REPOSITORY, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the CDKTF app of a checkout; it writes to cdktf.out of ``folder``."""
    return subprocess.run(
        [sys.executable, checkout / "main.py"],
        cwd=folder,
        env={**os.environ, "EROS_ENV": environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def synthesize_into(folder: Path, environment: str) -> None:
    """Synthesize an environment in this process."""
    synthesize(load_environment(environment), load_catalog(), folder / "cdktf.out")


def read_stacks(folder: Path, environment: str) -> Stacks:
    """The configuration of each stack, by its part."""
    place = folder / "cdktf.out" / "stacks"
    return {part: json.loads((place / f"eros-{environment}-{part}" / "cdk.tf.json").read_text()) for part in PARTS}


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stacks]:
    """Local, prod and two previews, synthesized once."""
    names = ("local", "prod", "preview-local-7", "preview-local-8")
    folder = tmp_path_factory.mktemp("synthesized")
    for name in names:
        synthesize_into(folder, name)
    return {name: read_stacks(folder, name) for name in names}


@pytest.fixture
def prod(synthesized: dict[str, Stacks]) -> Stacks:
    """Production."""
    return synthesized["prod"]


def resources(stacks: Stacks, part: str, kind: str) -> dict[str, Any]:
    """The resources of a type in a stack, by name."""
    found: dict[str, Any] = stacks[part]["resource"].get(kind, {})
    return found


def test_production_guards_its_data_and_local_does_not(synthesized: dict[str, Stacks]) -> None:
    for name, guarded in (("prod", True), ("local", False)):
        stacks = synthesized[name]
        for table in resources(stacks, "warehouse", "google_bigquery_table").values():
            assert table["deletion_protection"] is guarded
            assert (table.get("lifecycle", {}).get("prevent_destroy") is True) is guarded
        dataset = resources(stacks, "warehouse", "google_bigquery_dataset")["eros_scheduling_brain"]
        assert dataset["delete_contents_on_destroy"] is not guarded
        assert ("lifecycle" in dataset) is guarded


def test_every_table_is_as_the_sql_declares_it(prod: Stacks) -> None:
    tables = resources(prod, "warehouse", "google_bigquery_table")
    declared = load_catalog().tables
    assert set(tables) == set(declared)
    for name, table in declared.items():
        found = tables[name]
        assert found["schema"] == schema_json(table.columns)
        assert found.get("clustering", []) == list(table.clustering)
        assert (found["description"], found["labels"]) == (table.description, table.labels)
        assert found["depends_on"] == ["google_bigquery_dataset.eros_scheduling_brain"]
    assert tables["caption_bandit_stats"]["time_partitioning"] == {
        "type": "DAY",
        "field": "last_updated",
        "expiration_ms": 90 * 86_400_000,
    }
    assert tables["holiday_calendar"]["time_partitioning"]["type"] == "YEAR"
    assert "time_partitioning" not in tables["leases"]


def test_columns_are_in_the_apis_own_words(prod: Stacks) -> None:
    columns = json.loads(resources(prod, "warehouse", "google_bigquery_table")["automation_alerts"]["schema"])
    assert {column["type"] for column in columns} == {"STRING", "TIMESTAMP", "BOOLEAN"}
    (acknowledged,) = [column for column in columns if column["name"] == "acknowledged"]
    assert (acknowledged["mode"], acknowledged["defaultValueExpression"]) == ("REQUIRED", "FALSE")


def test_routines_have_canonical_bodies_and_types(prod: Stacks) -> None:
    routines = {
        **resources(prod, "routines", "google_bigquery_routine"),
        **resources(prod, "automation", "google_bigquery_routine"),
    }
    catalog = load_catalog()
    assert set(routines) == set(catalog.routines)
    for name, routine in routines.items():
        assert routine["language"] == "SQL"
        assert routine["definition_body"] == literal(catalog.routines[name].body)
        assert not re.match(r"\s*CREATE", routine["definition_body"], re.IGNORECASE)
        for kind in [routine.get("return_type"), *(argument["data_type"] for argument in routine["arguments"])]:
            assert kind is None or kind == json.dumps(json.loads(kind), sort_keys=True, separators=(",", ":"))
    assert routines["sweep_expired_caption_locks"]["definition_body"].startswith("BEGIN\n")
    assert routines["sweep_expired_caption_locks"]["definition_body"].endswith("END")
    assert json.loads(routines["us_holidays"]["return_table_type"])["columns"][0] == {
        "name": "holiday_date",
        "type": {"typeKind": "DATE"},
    }


def test_order_comes_from_the_sql(prod: Stacks) -> None:
    routines = resources(prod, "routines", "google_bigquery_routine")
    assert routines["caption_key"]["depends_on"] == ["google_bigquery_routine.caption_key_v2"]
    assert routines["wilson_sample"]["depends_on"] == ["google_bigquery_routine.wilson_sample_at"]
    configs = resources(prod, "automation", "google_bigquery_data_transfer_config")
    for name, config in configs.items():
        assert config["depends_on"] == [f"google_bigquery_routine.{name}"]


def test_the_view_is_standard_sql(prod: Stacks) -> None:
    (view,) = resources(prod, "routines", "google_bigquery_table").values()
    assert view["view"]["use_legacy_sql"] is False
    assert view["view"]["query"].startswith("WITH")


def test_scheduled_queries_have_a_service_account_and_no_destination(prod: Stacks) -> None:
    configs = resources(prod, "automation", "google_bigquery_data_transfer_config")
    assert set(configs) == {schedule.name for schedule in all_schedules()}
    for config in configs.values():
        assert config["service_account_name"] == "eros-etl@of-scheduler-proj.iam.gserviceaccount.com"
        assert "destination_dataset_id" not in config
        assert config["location"] == "us"
    for schedule in all_schedules():
        config = configs[schedule.name]
        assert config["schedule"] == schedule.schedule
        if schedule.hours_la != EVERY_HOUR:
            guard = f"EXTRACT(HOUR FROM @run_time AT TIME ZONE '{ZONE}') IN ({', '.join(map(str, schedule.hours_la))})"
            assert guard in config["params"]["query"]


def test_the_seed_job_has_a_fresh_id_and_says_when_it_failed(prod: Stacks) -> None:
    job = resources(prod, "automation", "google_bigquery_job")["seed_holiday_calendar"]
    assert re.fullmatch(r"seed_holiday_calendar_[0-9a-f]{12}_\$\{terraform_data\.holiday_seed\.id\}", job["job_id"])
    assert "error_result" in job["lifecycle"]["postcondition"][0]["condition"]
    assert f"CURRENT_DATE('{ZONE}')" in job["query"]["query"]
    assert not re.search(r"20[3-9]\d|2026", job["query"]["query"])


def test_access_grants_the_operators_roles(prod: Stacks) -> None:
    environment = load_environment("prod")
    account = f"serviceAccount:{environment.service_account}"
    granted = {
        kind: {(grant["role"], grant["member"]) for grant in resources(prod, "access", kind).values()}
        for kind in ("google_bigquery_dataset_iam_member", "google_project_iam_member")
    }
    assert granted["google_bigquery_dataset_iam_member"] == {
        ("roles/bigquery.dataViewer", "group:viewers@example.com"),
        ("roles/bigquery.dataViewer", "group:developers@example.com"),
        ("roles/bigquery.dataEditor", account),
    }
    assert granted["google_project_iam_member"] == {
        ("roles/bigquery.jobUser", account),
        ("roles/bigquery.resourceViewer", account),
        ("roles/bigquery.user", "group:developers@example.com"),
        ("roles/bigquery.admin", "group:admins@example.com"),
    }
    minter = resources(prod, "access", "google_service_account_iam_member")["transfer_agent_token_minter"]
    assert minter["role"] == "roles/iam.serviceAccountShortTermTokenMinter"
    assert minter["member"].startswith(f"serviceAccount:service-{environment.project_number}@")
    audit = resources(prod, "access", "google_project_iam_audit_config")["bigquery"]
    assert {"DATA_READ", "DATA_WRITE"} <= {entry["log_type"] for entry in audit["audit_log_config"]}


def test_no_stack_refers_to_another_or_to_this_machine(synthesized: dict[str, Stacks]) -> None:
    text = json.dumps(synthesized)
    assert "terraform_remote_state" not in text
    assert str(REPOSITORY) not in text


def test_local_and_prod_differ_by_their_environment_files_only(synthesized: dict[str, Stacks]) -> None:
    """With the values of one file replaced by the other's, the configurations are the same."""
    local, prod = load_environment("local"), load_environment("prod")

    guards = {"deletion_protection", "delete_contents_on_destroy", "backend"}

    def without_guards(value: Any) -> Any:
        if isinstance(value, list):
            return [without_guards(item) for item in value]
        if not isinstance(value, dict):
            return value
        guarded = {"prevent_destroy": True}
        return {key: without_guards(item) for key, item in value.items() if key not in guards and item != guarded}

    text = json.dumps(without_guards(synthesized["local"]))
    for part in PARTS:
        text = text.replace(f"eros-local-{part}", f"eros-prod-{part}")
    for ours, theirs in (
        (local.project, prod.project),
        (local.project.replace("-", "_"), prod.project.replace("-", "_")),  # in the names of grants
        (str(local.project_number), str(prod.project_number)),
        ('"environment": "local"', '"environment": "prod"'),
        ("--env local", "--env prod"),  # in the mails
    ):
        text = text.replace(ours, theirs)
    # the job's id holds a digest of bodies that hold the project's name
    digest = re.compile(r"seed_holiday_calendar_[0-9a-f]{12}_")
    assert json.loads(digest.sub("", text)) == json.loads(
        digest.sub("", json.dumps(without_guards(synthesized["prod"])))
    )


def test_synthesis_gives_the_same_text_every_time(tmp_path: Path, synthesized: dict[str, Stacks]) -> None:
    assert run_main(tmp_path, "local").returncode == 0
    assert read_stacks(tmp_path, "local") == synthesized["local"]


def test_adoption_gives_import_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"eros-local-warehouse": {"google_bigquery_table.leases": "projects/p/datasets/d/tables/leases"}}
    (tmp_path / "adopt.json").write_text(json.dumps(wanted))
    warehouse = tmp_path / "cdktf.out" / "stacks" / "eros-local-warehouse"
    routines = tmp_path / "cdktf.out" / "stacks" / "eros-local-routines"
    for folder in (warehouse, routines):
        folder.mkdir(parents=True)
        write_imports(folder, {"google_bigquery_table.gone": "projects/p/datasets/d/tables/gone"})
    monkeypatch.setenv("EROS_ADOPT", str(tmp_path / "adopt.json"))
    synthesize_into(tmp_path, "local")
    assert [file.parent for file in tmp_path.rglob(IMPORTS)] == [warehouse]
    assert json.loads((warehouse / IMPORTS).read_text()) == {
        "import": [{"id": "projects/p/datasets/d/tables/leases", "to": "google_bigquery_table.leases"}]
    }
    monkeypatch.delenv("EROS_ADOPT")
    synthesize_into(tmp_path, "local")
    assert not (warehouse / IMPORTS).exists(), "imports of an earlier run would be imports of what is gone"


def test_an_adoption_of_what_is_not_declared_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"eros-local-warehouse": {"google_bigquery_table.nope": "x"}}
    (tmp_path / "adopt.json").write_text(json.dumps(wanted))
    monkeypatch.setenv("EROS_ADOPT", str(tmp_path / "adopt.json"))
    done = ended(lambda: synthesize_into(tmp_path, "local"), (EnvironmentFileError,))
    assert done.exit_code == 2
    assert done.stderr.startswith("EROS_ADOPT: stack eros-local-warehouse declares no google_bigquery_table.nope")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("wanted", "message"),
    [({"eros-local-nope": {}}, "no such stack is synthesized"), (["x"], "must hold"), ({"a": "b"}, "must hold")],
)
def test_an_adoption_file_names_stacks_and_import_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: Any, message: str
) -> None:
    (tmp_path / "adopt.json").write_text(json.dumps(wanted))
    monkeypatch.setenv("EROS_ADOPT", str(tmp_path / "adopt.json"))
    with pytest.raises(EnvironmentFileError, match=f"^EROS_ADOPT: .*{message}"):
        adoption_file({"eros-local-warehouse"})


def test_a_broken_sql_file_fails_synthesis_with_the_checks_message(tmp_path: Path) -> None:
    for name in ("main.py", "starting", "catalog", "declared", "stacks", "environments", "sql"):
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    broken = tmp_path / "sql" / "functions" / "caption_key.sql"
    broken.write_text(broken.read_text().replace("caption_key_v2`(message)", "caption_key_v2`(massage)"))
    done = run_main(tmp_path, "local", checkout=tmp_path)
    assert done.returncode == 1
    assert re.search(r"^sql/functions/caption_key\.sql:\d+:\d+ semantic .*massage", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr


def test_text_that_looks_like_a_template_reaches_terraform_unchanged() -> None:
    assert literal("SELECT '${x}', '%{ if }', '$x'") == "SELECT '$${x}', '%%{ if }', '$x'"


def test_people_whose_addresses_look_alike_have_grants_of_their_own() -> None:
    members = ("user:ann.lee@example.com", "user:ann_lee@example.com", "user:ann-lee@example.com")
    assert len({grant_name("roles/bigquery.user", member) for member in members}) == len(members)


def test_alerts_tell_the_operators_of_a_failure_and_of_silence(prod: Stacks) -> None:
    channels = resources(prod, "monitoring", "google_monitoring_notification_channel")
    assert channels["operators"]["labels"] == {"email_address": "operators@example.com"}
    policies = resources(prod, "monitoring", "google_monitoring_alert_policy")
    assert set(policies) == {alert.name for alert in ALERTS}
    for policy in policies.values():
        assert policy["notification_channels"] == ["${google_monitoring_notification_channel.operators.name}"]
        assert policy["user_labels"] == {"system": "eros"}
    failed, silent = policies["scheduled_query_failed"], policies["scheduled_queries_silent"]
    assert failed["conditions"][0]["condition_matched_log"]["filter"].endswith("severity>=ERROR")
    assert failed["alert_strategy"]["notification_rate_limit"] == {"period": "300s"}
    assert silent["conditions"][0]["condition_absent"]["duration"] == "10800s"
    assert "notification_rate_limit" not in silent["alert_strategy"], "the service takes it for logs only"
    changed = policies["access_changed"]["conditions"][0]["condition_matched_log"]["filter"]
    assert 'resource.labels.dataset_id="eros_scheduling_brain"' in changed
    for alert in ALERTS:
        mail = policies[alert.name]["documentation"]["content"]
        assert mail.endswith(f"\n\nRunbook: docs/runbook.md#{alert.name}")
        assert "--env prod" in mail


def project_wide_names(stacks: Stacks) -> set[str]:
    """Every name that is one in a whole project, and where Terraform keeps its state."""
    configs = resources(stacks, "automation", "google_bigquery_data_transfer_config").values()
    policies = resources(stacks, "monitoring", "google_monitoring_alert_policy").values()
    channels = resources(stacks, "monitoring", "google_monitoring_notification_channel").values()
    accounts = resources(stacks, "access", "google_service_account").values()
    members = [*resources(stacks, "access", "google_project_iam_member").values()]
    members += resources(stacks, "access", "google_bigquery_dataset_iam_member").values()
    members += resources(stacks, "access", "google_service_account_iam_member").values()
    datasets = resources(stacks, "warehouse", "google_bigquery_dataset").values()
    conditions = [condition for policy in policies for condition in policy["conditions"]]
    return {
        *(resource["display_name"] for resource in (*configs, *policies, *channels, *accounts, *conditions)),
        *(resource["user_labels"]["system"] for resource in (*policies, *channels)),
        *(account["account_id"] for account in accounts),
        *(f"{grant.get('service_account_id') or grant['role']} {grant['member']}" for grant in members),
        *(dataset["dataset_id"] for dataset in datasets),
        *(stack["terraform"]["backend"]["local"]["path"] for stack in stacks.values()),
    }


def test_two_previews_and_their_host_share_no_name(synthesized: dict[str, Stacks]) -> None:
    local, seven, eight = (
        project_wide_names(synthesized[name]) for name in ("local", "preview-local-7", "preview-local-8")
    )
    assert not local & seven
    assert not local & eight
    assert not seven & eight
    assert {"eros-pr7-etl", "eros-pr7 run_daily_automation", "eros-pr7 operators", "eros_scheduling_brain_pr7"} < seven
    assert len(seven) == len(eight)


def test_a_preview_declares_nothing_of_the_whole_project(synthesized: dict[str, Stacks]) -> None:
    """What it declared for the whole project would be removed with it."""
    seven = synthesized["preview-local-7"]
    assert set(seven["access"]["resource"]) == {
        "google_service_account",
        "google_bigquery_dataset_iam_member",
        "google_project_iam_member",
        "google_service_account_iam_member",
    }
    account = f"serviceAccount:{load_environment('preview-local-7').service_account}"
    for kind in ("google_bigquery_dataset_iam_member", "google_project_iam_member"):
        assert {grant["member"] for grant in resources(seven, "access", kind).values()} == {account}
    assert "eros_scheduling_brain." not in json.dumps(seven), "its SQL names its own dataset only"


def test_a_preview_expires_and_alerts_nobody(synthesized: dict[str, Stacks]) -> None:
    seven = synthesized["preview-local-7"]
    (dataset,) = resources(seven, "warehouse", "google_bigquery_dataset").values()
    assert dataset["default_table_expiration_ms"] == 8 * 86_400_000
    assert dataset["labels"]["expires_after_days"] == "7"
    assert dataset["delete_contents_on_destroy"] is True
    policies = resources(seven, "monitoring", "google_monitoring_alert_policy").values()
    assert [policy["enabled"] for policy in policies] == [False] * len(ALERTS)
    local = synthesized["local"]
    assert "default_table_expiration_ms" not in json.dumps(local["warehouse"])
    policies = resources(local, "monitoring", "google_monitoring_alert_policy").values()
    assert [policy["enabled"] for policy in policies] == [True] * len(ALERTS)
