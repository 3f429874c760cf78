"""Access: the service account of the scheduled queries, the operators' four roles, and audit logging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.roles import (
    AUDIT_LOGS,
    AUDITED_SERVICE,
    DATASET_ROLES,
    PROJECT_ROLES,
    TOKEN_MINTER,
    grant_name,
    members_of,
)
from stacks.base import Deployment, new_stack, resource_id
from stacks.google import (
    BigqueryDatasetIamMember,
    ProjectIamAuditConfig,
    ProjectIamAuditConfigAuditLogConfig,
    ProjectIamMember,
    ServiceAccount,
    ServiceAccountIamMember,
)

if TYPE_CHECKING:
    from cdktf import App, TerraformStack


def access(app: App, deployment: Deployment) -> TerraformStack:
    """The stack ``eros-<env>-access``."""
    environment = deployment.environment
    stack = new_stack(app, deployment, "access")
    account = ServiceAccount(
        stack,
        "etl",
        account_id=environment.service_account.split("@")[0],
        display_name=f"{environment.system.upper()} scheduled queries",
        description="Runs the scheduled queries of the EROS Scheduling System.",
        create_ignore_already_exists=True,
    )
    resource_id(account, "etl")
    for role, member in members_of(environment, DATASET_ROLES):
        grant = BigqueryDatasetIamMember(
            stack,
            f"dataset {role} {member}",
            dataset_id=environment.dataset,
            role=role,
            member=member,
            depends_on=[account],
        )
        resource_id(grant, grant_name(role, member))
    for role, member in members_of(environment, PROJECT_ROLES):
        project_grant = ProjectIamMember(
            stack,
            f"project {role} {member}",
            project=environment.project,
            role=role,
            member=member,
            depends_on=[account],
        )
        resource_id(project_grant, grant_name(role, member))
    minter = ServiceAccountIamMember(
        stack,
        "token minter",
        service_account_id=f"projects/{environment.project}/serviceAccounts/{environment.service_account}",
        role=TOKEN_MINTER,
        member=f"serviceAccount:{environment.transfer_agent}",
        depends_on=[account],
    )
    resource_id(minter, "transfer_agent_token_minter")
    if environment.preview is None:  # it is the whole project's: a preview that went would take it away
        audit = ProjectIamAuditConfig(
            stack,
            "audit",
            project=environment.project,
            service=AUDITED_SERVICE,
            audit_log_config=[ProjectIamAuditConfigAuditLogConfig(log_type=kind) for kind in AUDIT_LOGS],
        )
        resource_id(audit, "bigquery")
    return stack
