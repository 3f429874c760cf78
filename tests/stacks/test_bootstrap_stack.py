"""The bootstrap stack, by address and attribute: accounts and rights without keys, and a state that is never lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from catalog.files import REPOSITORY
from declared.imports import IMPORTS
from declared.loading import load_environment
from declared.names import stack_names
from declared.roles import DEPLOY_PERMISSIONS, PROJECT_ROLES, workflow_grants

pytestmark = pytest.mark.cdktf

PROD = "of-scheduler-proj.iam.gserviceaccount.com"
PLANNER, DEPLOYER = f"serviceAccount:eros-planner@{PROD}", f"serviceAccount:eros-deployer@{PROD}"
POOL = "iam.googleapis.com/projects/300000000003/locations/global/workloadIdentityPools/github"
Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The bootstrap stacks of production, with an import, and of staging: by environment, from one process."""
    folder = tmp_path_factory.mktemp("bootstrap")
    (folder / "adopt.json").write_text('{"eros-prod-bootstrap": {"google_storage_bucket.state": "the-bucket"}}')
    script = f"""
import os
import main
main.synthesize("staging")
os.environ["EROS_ADOPT"] = {str(folder / "adopt.json")!r}
main.synthesize("prod")
try:
    main.synthesize("staging")
except main.EnvironmentFileError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "EROS_BOOTSTRAP": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "EROS_ADOPT: no such stack is synthesized: eros-prod-bootstrap\n"
    stacks = folder / "cdktf.out" / "stacks"
    assert {stack.name for stack in stacks.iterdir()} == {"eros-prod-bootstrap", "eros-staging-bootstrap"}
    folders = {name: stacks / f"eros-{name}-bootstrap" for name in ("prod", "staging")}
    (imports,) = stacks.rglob(IMPORTS)
    assert imports.parent == folders["prod"]
    assert json.loads(imports.read_text()) == {"import": [{"to": "google_storage_bucket.state", "id": "the-bucket"}]}
    return {name: json.loads((place / "cdk.tf.json").read_text()) for name, place in folders.items()}


@pytest.fixture
def stack(synthesized: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Production's."""
    return synthesized["prod"]


@pytest.fixture
def resources(stack: dict[str, Any]) -> Resources:
    """Its resources by type and name."""
    found: Resources = stack["resource"]
    return found


def grants(resources: Resources, kind: str) -> set[tuple[str, str]]:
    return {(grant["role"], grant["member"]) for grant in resources[kind].values()}


def test_every_version_of_the_state_is_kept_and_the_bucket_stays(resources: Resources) -> None:
    bucket = resources["google_storage_bucket"]["state"]
    assert bucket["name"] == load_environment("prod").state.bucket
    assert bucket["location"] == "US"
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["lifecycle_rule"] == [
        {"action": {"type": "Delete"}, "condition": {"num_newer_versions": 20, "with_state": "ARCHIVED"}}
    ]
    assert bucket["soft_delete_policy"] == {"retention_duration_seconds": 30 * 24 * 60 * 60}
    assert bucket["force_destroy"] is False
    assert bucket["lifecycle"] == {"prevent_destroy": True}


def test_nobody_outside_reads_the_state(resources: Resources) -> None:
    bucket = resources["google_storage_bucket"]["state"]
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["public_access_prevention"] == "enforced"


def test_its_own_state_is_in_the_bucket_that_it_makes(stack: dict[str, Any]) -> None:
    backend = {"bucket": "of-scheduler-proj-terraform-state", "prefix": "eros/eros-prod-bootstrap"}
    assert stack["terraform"]["backend"] == {"gcs": backend}
    assert "import" not in stack


def test_tokens_of_one_repository_are_taken_and_to_deploy_only_from_main(resources: Resources) -> None:
    provider = resources["google_iam_workload_identity_pool_provider"]["github"]
    assert provider["oidc"] == {"issuer_uri": "https://token.actions.githubusercontent.com"}
    assert provider["attribute_condition"] == (
        "assertion.repository == 'example-org/eros-infrastructure' && "
        "(assertion.sub != 'repo:example-org/eros-infrastructure:environment:prod' "
        "|| assertion.ref == 'refs/heads/main')"
    )
    mapped = set(provider["attribute_mapping"])
    assert mapped == {"google.subject", "attribute.repository"}, "no principal is named by another"


def test_any_job_may_plan_and_only_the_environment_deploys(resources: Resources) -> None:
    identities = resources["google_service_account_iam_member"]
    assert {(grant["service_account_id"].rsplit("/", 1)[1], grant["member"]) for grant in identities.values()} == {
        (f"eros-planner@{PROD}", f"principalSet://{POOL}/attribute.repository/example-org/eros-infrastructure"),
        (
            f"eros-deployer@{PROD}",
            f"principal://{POOL}/subject/repo:example-org/eros-infrastructure:environment:prod",
        ),
    }
    assert {grant["role"] for grant in identities.values()} == {"roles/iam.workloadIdentityUser"}


def test_the_planner_only_reads(resources: Resources) -> None:
    granted = grants(resources, "google_project_iam_member")
    assert {role for role, member in granted if member == PLANNER} == {
        "roles/bigquery.dataViewer",
        "roles/bigquery.jobUser",
        "roles/iam.securityReviewer",
        "roles/monitoring.viewer",
        "roles/serviceusage.serviceUsageViewer",
        "projects/of-scheduler-proj/roles/erosPlanner",
    }
    assert resources["google_project_iam_custom_role"]["planner"]["permissions"] == [
        "bigquery.jobs.get",
        "bigquery.transfers.get",
    ]
    assert grants(resources, "google_storage_bucket_iam_member") == {
        ("roles/storage.objectViewer", PLANNER),
        ("roles/storage.objectAdmin", DEPLOYER),
    }


def test_the_deployer_has_what_the_preflight_asks_for_and_grants_only_the_stacks_roles(resources: Resources) -> None:
    granted = resources["google_project_iam_member"].values()
    assert_deploys({grant["role"]: grant for grant in granted if grant["member"] == DEPLOYER})


def assert_deploys(grants: dict[str, dict[str, Any]]) -> None:
    """One account's grants on the project, by role, are those of a deployment."""
    assert grants.keys() == set(DEPLOY_PERMISSIONS.values())
    limited = {role for role, grant in grants.items() if "condition" in grant}
    assert limited == {"roles/resourcemanager.projectIamAdmin"}
    expression = grants["roles/resourcemanager.projectIamAdmin"]["condition"]["expression"]
    assert all(f"'{role}'" in expression for role in PROJECT_ROLES.values())
    assert "'roles/owner'" not in expression


def test_previews_deploy_in_stagings_project_by_their_own_account_and_never_in_production(
    synthesized: dict[str, dict[str, Any]],
) -> None:
    def deploying(name: str) -> set[tuple[str, str]]:
        identities = synthesized[name]["resource"]["google_service_account_iam_member"].values()
        return {
            (grant["service_account_id"].rpartition("/")[2].partition("@")[0], subject)
            for grant in identities
            if (subject := grant["member"].rpartition("/subject/")[2]) != grant["member"]
        }

    repository = "repo:example-org/eros-infrastructure:environment"
    assert deploying("prod") == {("eros-deployer", f"{repository}:prod")}
    assert deploying("staging") == {
        ("eros-deployer", f"{repository}:staging"),
        ("eros-previewer", f"{repository}:preview"),
    }
    assert "previewer" not in json.dumps(synthesized["prod"])


def test_the_previewer_deploys_as_the_deployer_does_and_opens_the_states_of_previews_alone(
    synthesized: dict[str, dict[str, Any]],
) -> None:
    resources: Resources = synthesized["staging"]["resource"]
    environment = load_environment("staging")
    previewer = f"serviceAccount:{environment.previewer}"
    granted = resources["google_project_iam_member"].values()
    assert_deploys({grant["role"]: grant for grant in granted if grant["member"] == previewer})

    on_the_bucket = {
        grant["role"]: grant
        for grant in resources["google_storage_bucket_iam_member"].values()
        if grant["member"] == previewer
    }
    lists = "projects/of-scheduler-staging/roles/erosPreviewer"
    assert on_the_bucket.keys() == {lists, "roles/storage.objectAdmin"}
    assert "condition" not in on_the_bucket[lists]
    assert resources["google_project_iam_custom_role"]["previewer"]["permissions"] == ["storage.objects.list"]
    opened = re.fullmatch(
        r"resource\.name\.startsWith\('projects/_/buckets/of-scheduler-staging-terraform-state/objects/(.+)'\)",
        on_the_bucket["roles/storage.objectAdmin"]["condition"]["expression"],
    )
    assert opened, "the condition names the bucket and the beginning of an object"
    for name, may in (("preview-7", True), ("staging", False)):
        assert all(f"eros/{stack}/".startswith(opened[1]) == may for stack in stack_names(name))
    assert not "eros/eros-staging-bootstrap/".startswith(opened[1])


def test_without_a_repository_nothing_is_granted() -> None:
    assert list(workflow_grants(load_environment("local"))) == []
