"""Access: the service account of the scheduled queries, the operators' four roles, and audit logging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.imports import fixed
from declared.names import Part, title
from declared.roles import (
    AUDIT_LOGS,
    AUDITED_SERVICE,
    DATASET_ROLES,
    PROJECT_ROLES,
    TOKEN_MINTER,
    grant_name,
    members_of,
)
from stacks.base import Deployment, Stack, new_stack
from stacks.cdk import (
    BigqueryDatasetIamMember,
    ProjectIamAuditConfig,
    ProjectIamAuditConfigAuditLogConfig,
    ProjectIamMember,
    ServiceAccount,
    ServiceAccountIamMember,
)

if TYPE_CHECKING:
    from stacks.cdk import App


def access(app: App, deployment: Deployment) -> Stack:
    """The stack ``eros-<env>-access``."""
    environment = deployment.environment
    account_name = environment.account_name(environment.service_account)
    stack = new_stack(app, deployment, Part.ACCESS)
    account = ServiceAccount(
        stack,
        "etl",
        account_id=environment.service_account.split("@")[0],
        display_name=title(environment.system, "scheduled queries"),
        description="Runs the scheduled queries of the EROS Scheduling System.",
        create_ignore_already_exists=True,
    )
    stack.declare(account, "etl", fixed(account_name))
    for role, member in members_of(environment, DATASET_ROLES):
        grant = BigqueryDatasetIamMember(
            stack,
            f"dataset {role} {member}",
            dataset_id=environment.dataset,
            role=role,
            member=member,
            depends_on=[account],
        )
        stack.declare(grant, grant_name(role, member), fixed(f"{deployment.dataset} {role} {member}"))
    for role, member in members_of(environment, PROJECT_ROLES):
        project_grant = ProjectIamMember(
            stack,
            f"project {role} {member}",
            project=environment.project,
            role=role,
            member=member,
            depends_on=[account],
        )
        identity = fixed(f"{environment.project} {role} {member}")
        stack.declare(project_grant, grant_name(role, member), identity)
    agent = f"serviceAccount:{environment.transfer_agent}"
    minter = ServiceAccountIamMember(
        stack,
        "token minter",
        service_account_id=account_name,
        role=TOKEN_MINTER,
        member=agent,
        depends_on=[account],
    )
    stack.declare(minter, "transfer_agent_token_minter", fixed(f"{account_name} {TOKEN_MINTER} {agent}"))
    if environment.preview is None:  # it belongs to the whole project: deleting a preview would remove it
        audit = ProjectIamAuditConfig(
            stack,
            "audit",
            project=environment.project,
            service=AUDITED_SERVICE,
            audit_log_config=[ProjectIamAuditConfigAuditLogConfig(log_type=kind) for kind in AUDIT_LOGS],
        )
        stack.declare(audit, "bigquery", fixed(f"{environment.project} {AUDITED_SERVICE}"))
    return stack
