"""Grants on the dataset, the project and the service account, and the project's audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from declared.roles import (
    AUDIT_LOGS,
    AUDITED_SERVICE,
    DATASET_ROLES,
    PROJECT_ROLES,
    TOKEN_MINTER,
    members_of,
    workflow_grants,
)
from google.failures import RequestRefusedError
from google.grants import BASIC_PROJECT_ROLES, PUBLIC, Grant, dataset_grants, policy_grants
from google.resources import service_account_policy
from verification.drift.core import Aspect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from declared.environment import Environment
    from verification.results import Subject


@dataclass(frozen=True)
class AuditedAccess:
    """A kind of access that is logged, except for the exempted members."""

    kind: str
    exempted: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.kind + (f" except for {', '.join(self.exempted)}" if self.exempted else "")


def dataset_members(subject: Subject) -> Iterator[Aspect[Grant]]:
    """Who has which role on the dataset: more or fewer members than the environment file lists."""
    if subject.live.dataset is None:
        return
    declared = declared_grants(subject.environment, DATASET_ROLES)
    yield _members(subject, subject.environment.dataset, declared, dataset_grants(subject.live.dataset))


def project_members(subject: Subject) -> Iterator[Aspect[Grant]]:
    """Who has a BigQuery role or a basic role on the project, and every role that is public."""
    declared = declared_grants(subject.environment, PROJECT_ROLES)
    live = {
        grant
        for grant in policy_grants(subject.api.project_policy())
        if grant.role.startswith("roles/bigquery.") or grant.role in BASIC_PROJECT_ROLES or grant.member in PUBLIC
    }
    previews = _of_previews(subject.environment, live - declared)
    yield _members(subject, subject.environment.project, declared, live - set(previews))


def declared_grants(environment: Environment, roles: dict[str, str]) -> set[Grant]:
    """The grants that an environment declares for the roles of its lists of members."""
    return {Grant(role, member) for role, member in members_of(environment, roles)}


def _of_previews(environment: Environment, grants: Iterable[Grant]) -> Iterator[Grant]:
    """What the previews of an environment grant on the project to their own accounts."""
    roles = {PROJECT_ROLES["etl"], PROJECT_ROLES["scheduled_queries"]}
    for grant in grants:
        if grant.role in roles and environment.is_account_of_a_preview(grant.member):
            yield grant


def token_minters(environment: Environment) -> set[Grant]:
    """Who may act as the service account of the scheduled queries: the transfer service."""
    return {Grant(TOKEN_MINTER, f"serviceAccount:{environment.transfer_agent}")}


def service_account_members(subject: Subject) -> Iterator[Aspect[Grant]]:
    """Who may act as the service account of the scheduled queries: the transfer service and nobody else."""
    try:
        policy = service_account_policy(subject.api)
    except RequestRefusedError:
        return  # access.1 reports that the account is missing
    declared = token_minters(subject.environment)
    yield _members(subject, subject.environment.service_account, declared, policy_grants(policy))


def _members(subject: Subject, name: str, declared: set[Grant], live: set[Grant]) -> Aspect[Grant]:
    # a person deploys the bootstrap stack separately: its grants are not this deployment's
    workflows = {Grant(role, member) for role, member in workflow_grants(subject.environment)}
    known = set(subject.environment.members.known)
    unknown = {grant for grant in live - workflows if str(grant) not in known}
    action = (
        f"Run `{subject.deploy}` if one is missing. If one is not declared, revoke it, or write it into "
        f"{subject.environment.file} (members)."
    )
    return Aspect(name, "members", _sorted(declared), _sorted(unknown), action)


def _sorted(grants: set[Grant]) -> tuple[Grant, ...]:
    return tuple(sorted(grants, key=str))


def audit_logs(subject: Subject) -> Iterator[Aspect[AuditedAccess]]:
    """The kinds of access that are logged; of the whole project, so a preview does not declare them."""
    if subject.environment.preview:
        return
    live = {
        AuditedAccess(log["logType"], tuple(sorted(log.get("exemptedMembers", []))))
        for config in subject.api.project_policy().get("auditConfigs", [])
        if config.get("service") in {AUDITED_SERVICE, "allServices"}
        for log in config.get("auditLogConfigs", [])
    }
    yield Aspect(
        subject.environment.project,
        "audit log",
        tuple(AuditedAccess(kind) for kind in sorted(AUDIT_LOGS)),
        tuple(sorted(live, key=str)),
        f"Run `{subject.deploy}`. Remove exemptions: they were added by hand.",
    )
