"""Roles and their members, as data for the access stack and for the verifier."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from declared.names import PLANNER_ROLE_ID, custom_role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from declared.environment import Environment

#: The role of each list of members, on the dataset and on the project.
DATASET_ROLES = {
    "viewers": "roles/bigquery.dataViewer",
    "etl": "roles/bigquery.dataEditor",
    "developers": "roles/bigquery.dataViewer",
}
PROJECT_ROLES = {
    "etl": "roles/bigquery.jobUser",
    "scheduled_queries": "roles/bigquery.resourceViewer",  # check_health reads the job history
    "developers": "roles/bigquery.user",
    "admins": "roles/bigquery.admin",
}
#: With it the transfer service acts as the service account.
TOKEN_MINTER = "roles/iam.serviceAccountShortTermTokenMinter"  # noqa: S105 - a role's name
BIGQUERY = "bigquery.googleapis.com"
AUDITED_SERVICE = BIGQUERY
AUDIT_LOGS = ("ADMIN_READ", "DATA_READ", "DATA_WRITE")


def members_of(environment: Environment, roles: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each (role, member) once, even if a member is in several lists; the service account is one of the ETL members."""
    lists = environment.members.model_dump(exclude={"known"})
    lists["scheduled_queries"] = (f"serviceAccount:{environment.service_account}",)
    lists["etl"] = (*lists["scheduled_queries"], *lists["etl"])
    yield from dict.fromkeys((role, member) for group, role in roles.items() for member in lists[group])


def grant_name(role: str, member: str) -> str:
    """A resource name from role and member, so that the order of a list of members changes nothing.

    ``first.last`` and ``first_last`` are two people: names that could collide end in a digest.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", f"{role.removeprefix('roles/')}_{member}").strip("_")
    _, _, address = member.partition(":")
    if re.fullmatch(r"[A-Za-z0-9-]+@.+", address):
        return name
    return f"{name}_{hashlib.sha256(member.encode()).hexdigest()[:6]}"


#: Permissions that a deployment needs on the project, each with a role that has it.
DEPLOY_PERMISSIONS = {
    "bigquery.datasets.get": "roles/bigquery.admin",
    "bigquery.datasets.update": "roles/bigquery.admin",
    "bigquery.jobs.create": "roles/bigquery.admin",
    "bigquery.routines.create": "roles/bigquery.admin",
    "bigquery.routines.delete": "roles/bigquery.admin",
    "bigquery.routines.update": "roles/bigquery.admin",
    "bigquery.tables.create": "roles/bigquery.admin",
    "bigquery.tables.delete": "roles/bigquery.admin",
    "bigquery.tables.getData": "roles/bigquery.admin",
    "bigquery.tables.update": "roles/bigquery.admin",
    "bigquery.transfers.get": "roles/bigquery.admin",
    "bigquery.transfers.update": "roles/bigquery.admin",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "iam.serviceAccounts.create": "roles/iam.serviceAccountAdmin",
    "iam.serviceAccounts.setIamPolicy": "roles/iam.serviceAccountAdmin",
    "monitoring.alertPolicies.create": "roles/monitoring.editor",
    "monitoring.alertPolicies.update": "roles/monitoring.editor",
    "monitoring.notificationChannels.create": "roles/monitoring.editor",
    "resourcemanager.projects.getIamPolicy": "roles/resourcemanager.projectIamAdmin",
    "resourcemanager.projects.setIamPolicy": "roles/resourcemanager.projectIamAdmin",
    "serviceusage.services.list": "roles/serviceusage.serviceUsageViewer",
}
#: Roles with which the planner reads on the project what a plan, the drift report and the verifier look at.
PLANNER_ROLES = (
    "roles/bigquery.dataViewer",  # every object and its grants; the verifier's queries read data
    "roles/bigquery.jobUser",
    "roles/iam.securityReviewer",  # the project's policy, service accounts and theirs
    "roles/monitoring.viewer",
    "roles/serviceusage.serviceUsageViewer",
)
#: In a custom role: every role of Google's with these can also create datasets or cancel jobs.
PLANNER_PERMISSIONS = (
    "bigquery.jobs.get",  # the seed job, which the deployer created
    "bigquery.transfers.get",
)
#: Roles of a deployment; the one that grants roles is limited to those that the stacks grant.
DEPLOYER_ROLES = tuple(dict.fromkeys(DEPLOY_PERMISSIONS.values()))
PROJECT_ADMIN = "roles/resourcemanager.projectIamAdmin"
GRANTABLE_ROLES = tuple(PROJECT_ROLES.values())
#: On the bucket of the state only. A plan takes no lock (`-lock=false`), so it only reads.
PLANNER_BUCKET_ROLE = "roles/storage.objectViewer"
DEPLOYER_BUCKET_ROLE = "roles/storage.objectAdmin"
#: Terraform lists a state's folder before it reads the state; a condition on object names cannot allow that.
PREVIEWER_PERMISSIONS = ("storage.objects.list",)
#: With it a workflow acts as one of the accounts.
IDENTITY_USER = "roles/iam.workloadIdentityUser"


def workflow_grants(environment: Environment) -> Iterator[tuple[str, str]]:
    """Each (role, member) that the bootstrap stack grants on the project; none without a repository."""
    if environment.github is not None:
        planner_role = custom_role(environment.project, PLANNER_ROLE_ID)
        yield from ((role, f"serviceAccount:{environment.planner}") for role in (*PLANNER_ROLES, planner_role))
        yield from ((role, f"serviceAccount:{environment.deployer}") for role in DEPLOYER_ROLES)
        if environment.github.previews:
            yield from ((role, f"serviceAccount:{environment.previewer}") for role in DEPLOYER_ROLES)


#: The APIs that the stacks and the verifier call.
SERVICES = (
    BIGQUERY,
    "bigquerydatatransfer.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "monitoring.googleapis.com",
    "serviceusage.googleapis.com",
)
#: The quota metric of the bytes that queries read per day.
QUERY_USAGE = f"{BIGQUERY}/quota/query/usage"
