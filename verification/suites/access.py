"""Who may do what: the service account, the roles of the environment's members, and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stacks.roles import AUDIT_LOGS, AUDITED_SERVICE, DATASET_ROLES, PROJECT_ROLES, TOKEN_MINTER, members_of
from verification.live import RequestRefusedError
from verification.results import Check, Outcome, Subject, compared, failed, passed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stacks.environment import Environment

#: The names under which a dataset's access list shows three of the predefined roles.
BASIC_ROLES = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}
MEMBER_KEYS = {"groupByEmail": "group", "domain": "domain"}


def service_account(subject: Subject) -> Iterator[Outcome]:
    """The account that the scheduled queries run as."""
    account = subject.environment.service_account
    try:
        found = subject.api.iam("GET", _account_path(subject.environment))
    except RequestRefusedError:
        yield failed(account, "an enabled service account", "missing", f"Run `{subject.deploy}`.")
        return
    state = "a disabled service account" if found.get("disabled") else "an enabled service account"
    action = f"Run `gcloud iam service-accounts enable {account}` when it is known why it was disabled."
    yield compared(account, "an enabled service account", state, action)


def dataset_roles(subject: Subject) -> Iterator[Outcome]:
    """Roles on the dataset."""
    declared = set(members_of(subject.environment, DATASET_ROLES))
    granted = {_grant(entry) for entry in (subject.live.dataset or {}).get("access", [])}
    yield from _granted(subject, subject.environment.dataset, declared, granted)


def project_roles(subject: Subject) -> Iterator[Outcome]:
    """Roles on the project."""
    declared = set(members_of(subject.environment, PROJECT_ROLES))
    yield from _granted(subject, subject.environment.project, declared, _bindings(_project_policy(subject)))


def token_minter(subject: Subject) -> Iterator[Outcome]:
    """Without this role the transfer service cannot run a query as the service account."""
    environment = subject.environment
    agent = f"serviceAccount:{environment.transfer_agent}"
    try:
        policy = subject.api.iam("POST", f"{_account_path(environment)}:getIamPolicy", {})
    except RequestRefusedError:
        policy = {}
    yield from _granted(subject, environment.service_account, {(TOKEN_MINTER, agent)}, _bindings(policy))


def audit_log(subject: Subject) -> Iterator[Outcome]:
    """Who reads and writes data is logged."""
    configs = _project_policy(subject).get("auditConfigs", [])
    logged = {
        log["logType"]
        for config in configs
        if config.get("service") in {AUDITED_SERVICE, "allServices"}
        for log in config.get("auditLogConfigs", [])
    }
    for kind in AUDIT_LOGS:
        found = f"{kind} of {AUDITED_SERVICE} {'logged' if kind in logged else 'not logged'}"
        yield compared(
            subject.environment.project, f"{kind} of {AUDITED_SERVICE} logged", found, f"Run `{subject.deploy}`."
        )


def _account_path(environment: Environment) -> str:
    return f"projects/{environment.project}/serviceAccounts/{environment.service_account}"


def _project_policy(subject: Subject) -> dict[str, Any]:
    path = f"projects/{subject.environment.project}:getIamPolicy"
    return subject.api.resource_manager("POST", path, {"options": {"requestedPolicyVersion": 3}})


def _grant(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Role and member of an entry of a dataset's access list."""
    role = BASIC_ROLES.get(entry.get("role", ""), entry.get("role", ""))
    if email := entry.get("userByEmail"):
        return role, f"{'serviceAccount' if email.endswith('.gserviceaccount.com') else 'user'}:{email}"
    for key, kind in MEMBER_KEYS.items():
        if key in entry:
            return role, f"{kind}:{entry[key]}"
    return role, entry.get("iamMember", "")


def _bindings(policy: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Role and member of each binding that holds without a condition."""
    return {
        (binding["role"], member)
        for binding in policy.get("bindings", [])
        if not binding.get("condition")
        for member in binding.get("members", [])
    }


def _granted(
    subject: Subject, name: str, declared: set[tuple[str, str]], granted: set[tuple[str, str]]
) -> Iterator[Outcome]:
    for role, member in sorted(declared):
        expected = f"{role} for {member}"
        if (role, member) in granted:
            yield passed(name, expected)
        else:
            yield failed(name, expected, f"{role} not granted to {member}", f"Run `{subject.deploy}`.")


CHECKS = (
    Check("access.1", "service account", service_account),
    Check("access.2", "roles on the dataset", dataset_roles),
    Check("access.3", "roles on the project", project_roles),
    Check("access.4", "token minter of the transfer service", token_minter),
    Check("access.5", "audit log of data access", audit_log),
)
