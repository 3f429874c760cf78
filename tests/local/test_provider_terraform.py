"""The stand-in under the real Terraform: the life of a workspace, and what can go wrong."""

from __future__ import annotations

import json
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.provider import serve_provider
from tests.harness.client import http
from tests.harness.provider_workspace import PROJECT, run_terraform

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform on the PATH")

EMPTY, NO_CHANGES, CHANGES = {"terraform": {"required_providers": {"google": {"source": "hashicorp/google"}}}}, 0, 2


def resources() -> dict[str, dict[str, Any]]:
    """Configure one resource of each type."""
    dataset = "${google_bigquery_dataset.brain.dataset_id}"
    account = "${google_service_account.etl.member}"
    columns = [{"name": "id", "type": "INT64", "mode": "REQUIRED"}, {"name": "page", "type": "STRING"}]
    return {
        "google_bigquery_dataset": {"brain": {"dataset_id": "brain", "labels": {"app": "eros"}}},
        "google_bigquery_table": {
            "events": {
                "dataset_id": dataset,
                "table_id": "events",
                "deletion_protection": False,
                "schema": json.dumps(columns),
                "clustering": ["page"],
                "labels": {"app": "eros"},
            }
        },
        "google_bigquery_routine": {
            "plus_one": {
                "dataset_id": dataset,
                "routine_id": "plus_one",
                "routine_type": "SCALAR_FUNCTION",
                "language": "SQL",
                "definition_body": "x + 1",
                "arguments": [{"name": "x", "data_type": '{"typeKind": "INT64"}'}],
                "return_type": '{"typeKind": "INT64"}',
            }
        },
        "google_bigquery_job": {
            "seed": {
                "job_id": "seed-1",
                "query": [
                    {
                        "query": f"INSERT INTO `{PROJECT}.brain.events` (id, page) VALUES (1, 'page_1')",
                        "use_legacy_sql": False,
                        "create_disposition": "",
                        "write_disposition": "",
                    }
                ],
                "depends_on": ["google_bigquery_table.events"],
                "lifecycle": {
                    "postcondition": [
                        {"condition": "${length(self.status[0].error_result) == 0}", "error_message": "seeding failed"}
                    ]
                },
            }
        },
        "google_bigquery_data_transfer_config": {
            "hourly": {
                "data_source_id": "scheduled_query",
                "display_name": "hourly",
                "schedule": "every 1 hours",
                "params": {"query": "SELECT 1"},
                "service_account_name": "${google_service_account.etl.email}",
            }
        },
        "google_service_account": {"etl": {"account_id": "eros-etl", "display_name": "ETL"}},
        "google_bigquery_dataset_iam_member": {
            "editor": {"dataset_id": dataset, "role": "roles/bigquery.dataEditor", "member": account}
        },
        "google_project_iam_member": {
            f"job_user_{i}": {"project": PROJECT, "role": "roles/bigquery.jobUser", "member": member}
            for i, member in enumerate([account, "user:ann@example.com", "user:bob@example.com", "user:cy@example.com"])
        },
        "google_service_account_iam_member": {
            "minter": {
                "service_account_id": "${google_service_account.etl.name}",
                "role": "roles/iam.serviceAccountTokenCreator",
                "member": "user:ann@example.com",
            }
        },
        "google_project_iam_audit_config": {
            "bigquery": {
                "project": PROJECT,
                "service": "bigquery.googleapis.com",
                "audit_log_config": [{"log_type": "DATA_READ"}, {"log_type": "DATA_WRITE"}],
            }
        },
        "google_storage_bucket": {
            "state": {
                "name": "eros-state",
                "location": "us",
                "versioning": [{"enabled": True}],
                "uniform_bucket_level_access": True,
                "lifecycle_rule": [
                    {"action": [{"type": "Delete"}], "condition": [{"num_newer_versions": 3, "with_state": "ARCHIVED"}]}
                ],
            }
        },
        "google_storage_bucket_iam_member": {
            "reader": {
                "bucket": "${google_storage_bucket.state.name}",
                "role": "roles/storage.objectViewer",
                "member": account,
            }
        },
        "google_project_iam_custom_role": {
            "reader": {"role_id": "reader", "title": "Reader", "permissions": ["bigquery.transfers.get"]}
        },
    }


@dataclass(frozen=True)
class Workspace:
    """A folder for Terraform, and the server behind it."""

    folder: Path
    endpoint: str
    reattach: str

    def configure(self, declared: dict[str, Any], **more: Any) -> None:
        """Write the configuration."""
        config = {**EMPTY, "provider": {"google": {"project": PROJECT}}, "resource": declared, **more}
        (self.folder / "main.tf.json").write_text(json.dumps({k: v for k, v in config.items() if v}))

    def terraform(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform in the folder; both of its outputs are one."""
        return run_terraform(self.folder, {"TF_REATTACH_PROVIDERS": self.reattach}, *arguments)

    def plan(self) -> subprocess.CompletedProcess[str]:
        """Plan; the exit code says whether there are changes."""
        return self.terraform("plan", "-detailed-exitcode", "-input=false")

    def apply(self) -> str:
        """Apply; this must succeed."""
        done = self.terraform("apply", "-auto-approve", "-input=false")
        assert done.returncode == 0, done.stdout
        return done.stdout

    def api(self, method: str, path: str, body: Any = None) -> None:
        """Change an object without Terraform."""
        http().request(method, f"{self.endpoint}/bigquery/v2/projects/{PROJECT}/{path}", json=body).raise_for_status()


@pytest.fixture(scope="module")
def reattach(endpoint: str) -> Iterator[str]:
    """The stand-in in this process, as Terraform reattaches to it."""
    provider = serve_provider(endpoint)
    yield provider.reattach
    provider.stop()


@pytest.fixture
def workspace(endpoint: str, reattach: str, tmp_path: Path) -> Workspace:
    """An initialised folder; Terraform downloads nothing for it."""
    made = Workspace(tmp_path, endpoint, reattach)
    made.configure({})
    done = made.terraform("init")
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / ".terraform.lock.hcl").exists()
    return made


def test_whole_life_of_every_resource_type(workspace: Workspace) -> None:
    declared = resources()
    workspace.configure(declared)
    workspace.apply()
    assert workspace.plan().returncode == NO_CHANGES

    routine, table = declared["google_bigquery_routine"]["plus_one"], declared["google_bigquery_table"]["events"]
    path = "datasets/brain/routines/plus_one"
    drifted = httpx.get(f"{workspace.endpoint}/bigquery/v2/projects/{PROJECT}/{path}").json() | {
        "definitionBody": "x + 9"
    }
    workspace.api("PUT", path, drifted)
    drift = workspace.plan()
    assert drift.returncode == CHANGES
    assert "x + 9" in drift.stdout
    assert "will be updated in-place" in drift.stdout
    workspace.apply()
    assert workspace.plan().returncode == NO_CHANGES

    table["schema"] = table["schema"].replace("STRING", "INT64")
    workspace.configure(declared)
    assert "must be replaced" in workspace.plan().stdout
    table["schema"] = json.dumps(
        [*json.loads(resources()["google_bigquery_table"]["events"]["schema"]), {"name": "n", "type": "JSON"}]
    )
    table["deletion_protection"] = True
    workspace.configure(declared)
    assert "1 to change, 0 to destroy" in workspace.plan().stdout
    workspace.apply()

    refused = workspace.terraform("destroy", "-auto-approve")
    assert refused.returncode == 1
    assert "without setting deletion_protection=false" in refused.stdout.replace("\n", " ")
    table["deletion_protection"] = False
    declared["google_bigquery_job"]["seed"]["job_id"] = "seed-2"  # the first left the state, and its name stays taken
    routine["definition_body"] = "x + + ) 1"
    workspace.configure(declared)
    failed = workspace.terraform("apply", "-auto-approve")
    assert failed.returncode == 1
    assert "googleapi: Error 400:" in failed.stdout
    routine["definition_body"] = "x + 1"
    workspace.configure(declared)
    workspace.apply()
    assert workspace.plan().returncode == NO_CHANGES
    done = workspace.terraform("destroy", "-auto-approve")
    assert done.returncode == 0, done.stdout


def test_a_federation_changes_in_place_and_keeps_its_names_when_it_is_destroyed(workspace: Workspace) -> None:
    """Google keeps the name of a deleted pool for 30 days: a second one is refused until it is restored."""
    pool, provider = "google_iam_workload_identity_pool", "google_iam_workload_identity_pool_provider"
    identity = {"workload_identity_pool_id": f"${{{pool}.github.workload_identity_pool_id}}"}
    declared: dict[str, Any] = {
        pool: {"github": {"workload_identity_pool_id": "github"}},
        provider: {
            "github": {
                **identity,
                "workload_identity_pool_provider_id": "github",
                "attribute_mapping": {"google.subject": "assertion.sub"},
                "attribute_condition": "assertion.repository == 'a/b'",
                "oidc": [{"issuer_uri": "https://token.actions.githubusercontent.com"}],
            }
        },
    }
    workspace.configure(declared)
    workspace.apply()
    assert workspace.plan().returncode == NO_CHANGES
    declared[pool]["github"]["display_name"] = "GitHub"
    declared[provider]["github"]["attribute_condition"] = "assertion.repository == 'a/c'"
    workspace.configure(declared)
    assert "0 added, 2 changed, 0 destroyed" in workspace.apply()
    assert workspace.plan().returncode == NO_CHANGES
    workspace.terraform("destroy", "-auto-approve")
    assert "already exists" in workspace.terraform("apply", "-auto-approve").stdout
    restored = f"{workspace.endpoint}/iam/v1/projects/{PROJECT}/locations/global/workloadIdentityPools/github:undelete"
    httpx.post(restored).raise_for_status()
    imported = [{"to": f"{pool}.github", "id": "github"}]
    workspace.configure({pool: declared[pool]}, **{"import": imported})
    assert "1 imported, 0 added, 0 changed, 0 destroyed" in workspace.apply()


def test_existing_objects_are_imported(workspace: Workspace) -> None:
    declared = {
        "google_bigquery_dataset": {"adopted": {"dataset_id": "adopted"}},
        "google_project_iam_member": {
            "viewer": {"project": PROJECT, "role": "roles/bigquery.dataViewer", "member": "user:dee@example.com"}
        },
    }
    workspace.configure(declared)
    workspace.apply()
    (workspace.folder / "terraform.tfstate").unlink()
    ids = {
        "google_bigquery_dataset.adopted": f"projects/{PROJECT}/datasets/adopted",
        "google_project_iam_member.viewer": f"{PROJECT} roles/bigquery.dataViewer user:dee@example.com",
    }
    workspace.configure(declared, **{"import": [{"to": address, "id": text} for address, text in ids.items()]})
    assert "2 to import, 0 to add" in workspace.plan().stdout
    workspace.apply()
    workspace.configure(declared)
    assert workspace.plan().returncode == NO_CHANGES
    bad = workspace.terraform("import", "google_bigquery_dataset.adopted", "a/b/c/d")
    assert (
        "doesn't match any of the accepted formats" in " ".join(bad.stdout.split()) or "already managed" in bad.stdout
    )
    workspace.terraform("destroy", "-auto-approve")


def test_runs_at_the_same_time_keep_their_own_project(workspace: Workspace, tmp_path: Path) -> None:
    """Two configurations of one provider process must not get into each other's way."""
    folders = {"first": tmp_path / "first", "second": tmp_path / "second"}
    for name, folder in folders.items():
        folder.mkdir()
        config = {
            **EMPTY,
            "provider": {"google": {"project": f"project-{name}"}},
            "resource": {
                "google_bigquery_dataset": {f"d{i}": {"dataset_id": f"{name}_{i}"} for i in range(10)},
            },
        }
        (folder / "main.tf.json").write_text(json.dumps(config))
    runs = {name: Workspace(folder, workspace.endpoint, workspace.reattach) for name, folder in folders.items()}
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda run: run.terraform("init"), runs.values()))
        outputs = dict(zip(runs, pool.map(lambda run: run.terraform("plan").stdout, runs.values()), strict=True))
    for name, output in outputs.items():
        assert "10 to add" in output
        assert output.count(f'"project-{name}"') == 10
        assert output.count("project-") == 10


def test_terraform_names_what_the_stand_in_does_not_support(workspace: Workspace) -> None:
    workspace.configure({"google_pubsub_topic": {"t": {"name": "t"}}})
    assert "does not support resource type" in " ".join(workspace.plan().stdout.split())
    workspace.configure({}, data={"google_project": {"p": {}}})
    assert "does not support data source" in " ".join(workspace.plan().stdout.split())
    workspace.configure({"google_bigquery_routine": {"r": {"strict_mode": False}}})
    assert "strict_mode" in workspace.plan().stdout


def test_a_server_that_is_gone_is_a_clear_error(workspace: Workspace) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        provider = serve_provider(f"http://127.0.0.1:{held.getsockname()[1]}")
        gone = Workspace(workspace.folder, "", provider.reattach)
        gone.configure({"google_bigquery_dataset": {"d": {"dataset_id": "d"}}})
        done = gone.terraform("apply", "-auto-approve")
        provider.stop()
    assert done.returncode == 1
    assert "Error creating Dataset" in done.stdout
    assert "connection refused" in " ".join(done.stdout.split())
