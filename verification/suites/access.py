"""The service account, the roles of the environment's members, and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.roles import AUDITED_SERVICE, DATASET_ROLES, PROJECT_ROLES
from google.failures import RequestRefusedError
from google.grants import dataset_grants, policy_grants
from google.resources import service_account as live_account
from google.resources import service_account_policy
from verification.drift.grants import audit_logs, declared_grants, token_minters
from verification.results import Check, Outcome, Subject, compared, failed, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.grants import Grant


def service_account(subject: Subject) -> Iterator[Outcome]:
    """The account that the scheduled queries run as."""
    account = subject.environment.service_account
    try:
        disabled = live_account(subject.api).disabled
    except RequestRefusedError:
        yield failed(account, "an enabled service account", "missing", f"Run `{subject.deploy}`.")
        return
    state = "a disabled service account" if disabled else "an enabled service account"
    action = f"Find out why it was disabled, then run `gcloud iam service-accounts enable {account}`."
    yield compared(account, "an enabled service account", state, action)


def dataset_roles(subject: Subject) -> Iterator[Outcome]:
    """Roles on the dataset."""
    declared = declared_grants(subject.environment, DATASET_ROLES)
    yield from _granted(subject, subject.environment.dataset, declared, dataset_grants(subject.live.dataset))


def project_roles(subject: Subject) -> Iterator[Outcome]:
    """Roles on the project."""
    declared = declared_grants(subject.environment, PROJECT_ROLES)
    granted = policy_grants(subject.api.project_policy())
    yield from _granted(subject, subject.environment.project, declared, granted)


def token_minter(subject: Subject) -> Iterator[Outcome]:
    """Without this role the transfer service cannot run a query as the service account."""
    try:
        granted = policy_grants(service_account_policy(subject.api))
    except RequestRefusedError:
        granted = set()
    account = subject.environment.service_account
    yield from _granted(subject, account, token_minters(subject.environment), granted)


def audit_log(subject: Subject) -> Iterator[Outcome]:
    """Reads and writes of data are logged; for the whole project, so a preview has no such check."""
    for aspect in audit_logs(subject):
        logged = {access.kind for access in aspect.live}
        for kind in (access.kind for access in aspect.declared):
            found = "logged" if kind in logged else "not logged"
            log, action = f"{kind} of {AUDITED_SERVICE}", f"Run `{subject.deploy}`."
            yield compared(aspect.object, f"{log} logged", f"{log} {found}", action)


def _granted(subject: Subject, name: str, declared: set[Grant], granted: set[Grant]) -> Iterator[Outcome]:
    """A grant with a condition does not count: it may not apply when it is needed."""
    for grant in sorted(declared, key=str):
        expected = f"{grant.role} for {grant.member}"
        if grant in granted:
            yield passed(name, expected)
        else:
            yield failed(name, expected, f"{grant.role} not granted to {grant.member}", f"Run `{subject.deploy}`.")


SERVICE_ACCOUNT = Check("access.1", "service account", service_account, settles=True)
DATASET_ROLES_CHECK = Check("access.2", "roles on the dataset", dataset_roles, settles=True)
PROJECT_ROLES_CHECK = Check("access.3", "roles on the project", project_roles, settles=True)
TOKEN_MINTER = Check("access.4", "token minter of the transfer service", token_minter, settles=True)
AUDIT_LOG = Check("access.5", "audit log of data access", audit_log, settles=True)
#: What the scheduled queries need to run.
TO_RUN_QUERIES = (SERVICE_ACCOUNT, DATASET_ROLES_CHECK, PROJECT_ROLES_CHECK, TOKEN_MINTER)
CHECKS = (*TO_RUN_QUERIES, AUDIT_LOG)
