"""Who may do what: the service account, the roles of the environment's members, and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.roles import AUDIT_LOGS, AUDITED_SERVICE, DATASET_ROLES, PROJECT_ROLES, TOKEN_MINTER, members_of
from google.client import RequestRefusedError
from google.grants import bindings, dataset_grant
from verification.results import Check, Outcome, Subject, compared, failed, passed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from declared.environment import Environment


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
    entries = (dataset_grant(entry) for entry in (subject.live.dataset or {}).get("access", []))
    granted = {grant for grant in entries if grant}
    yield from _granted(subject, subject.environment.dataset, members_of(subject.environment, DATASET_ROLES), granted)


def project_roles(subject: Subject) -> Iterator[Outcome]:
    """Roles on the project."""
    declared = members_of(subject.environment, PROJECT_ROLES)
    yield from _granted(subject, subject.environment.project, declared, bindings(subject.api.project_policy()))


def token_minter(subject: Subject) -> Iterator[Outcome]:
    """Without this role the transfer service cannot run a query as the service account."""
    environment = subject.environment
    agent = f"serviceAccount:{environment.transfer_agent}"
    try:
        policy = subject.api.iam("POST", f"{_account_path(environment)}:getIamPolicy", {})
    except RequestRefusedError:
        policy = {}
    yield from _granted(subject, environment.service_account, [(TOKEN_MINTER, agent)], bindings(policy))


def audit_log(subject: Subject) -> Iterator[Outcome]:
    """Who reads and writes data is logged; the whole project's, so no preview's."""
    if subject.environment.preview:
        return
    configs = subject.api.project_policy().get("auditConfigs", [])
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


def _granted(subject: Subject, name: str, declared: Iterable[tuple[str, str]], granted: set[str]) -> Iterator[Outcome]:
    """A grant with a condition does not count: it may not hold when it is needed."""
    for role, member in sorted(declared):
        expected = f"{role} for {member}"
        if f"{role} {member}" in granted:
            yield passed(name, expected)
        else:
            yield failed(name, expected, f"{role} not granted to {member}", f"Run `{subject.deploy}`.")


CHECKS = (
    Check("access.1", "service account", service_account, settles=True),
    Check("access.2", "roles on the dataset", dataset_roles, settles=True),
    Check("access.3", "roles on the project", project_roles, settles=True),
    Check("access.4", "token minter of the transfer service", token_minter, settles=True),
    Check("access.5", "audit log of data access", audit_log, settles=True),
)
