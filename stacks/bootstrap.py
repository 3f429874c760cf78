"""Bootstrap: the bucket of Terraform's state, and the accounts that the repository's workflows act as, with no key.

It comes before everything else and is deployed alone, by a person: `python -m operations bootstrap`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from declared.environment import EnvironmentFileError
from declared.imports import adoption_file, fixed
from declared.names import (
    BOOTSTRAP,
    IDENTITY_POOL,
    PLANNER_ROLE_ID,
    PREVIEWER_ROLE_ID,
    PREVIEWS,
    SYSTEM,
    custom_role,
    identity_pool,
    identity_provider,
    stack_name,
    state_prefix,
    title,
)
from declared.roles import (
    DEPLOYER_BUCKET_ROLE,
    GRANTABLE_ROLES,
    IDENTITY_USER,
    PLANNER_BUCKET_ROLE,
    PLANNER_PERMISSIONS,
    PREVIEWER_PERMISSIONS,
    PROJECT_ADMIN,
    grant_name,
    workflow_grants,
)
from stacks.base import Stack, write
from stacks.cdk import (
    App,
    IamWorkloadIdentityPool,
    IamWorkloadIdentityPoolProvider,
    IamWorkloadIdentityPoolProviderOidc,
    ProjectIamCustomRole,
    ProjectIamMember,
    ProjectIamMemberCondition,
    ServiceAccount,
    ServiceAccountIamMember,
    StorageBucket,
    StorageBucketIamMember,
    StorageBucketIamMemberCondition,
    StorageBucketLifecycleRule,
    StorageBucketLifecycleRuleAction,
    StorageBucketLifecycleRuleCondition,
    StorageBucketSoftDeletePolicy,
    StorageBucketVersioning,
    TerraformResourceLifecycle,
)

if TYPE_CHECKING:
    from declared.environment import Environment, GitHub
    from stacks.cdk import ITerraformDependable

ISSUER = "https://token.actions.githubusercontent.com"
KEPT_VERSIONS = 20
SOFT_DELETE_SECONDS = 30 * 24 * 60 * 60


def synthesize(environment: Environment, outdir: str | None = None) -> None:
    """Write the configuration of the bootstrap stack.

    Args:
        environment: the environment's settings.
        outdir: where to write; by default CDKTF_OUTDIR, else cdktf.out.

    Raises:
        EnvironmentFileError: the environment keeps its state in a local file, or EROS_ADOPT names what cannot be
            adopted.
    """
    if environment.state.bucket is None:
        raise EnvironmentFileError(
            f"environment {environment.name!r} keeps its state in a local file: there is nothing to bootstrap"
        )
    adoption = adoption_file([stack_name(environment.name, BOOTSTRAP)])
    app = App(outdir=outdir, skip_validation=True)
    stack = bootstrap(app, environment, environment.state.bucket)
    write(app, [stack], adoption)


def bootstrap(app: App, environment: Environment, bucket: str) -> Stack:
    """The stack ``eros-<env>-bootstrap``: the bucket, and the federation where the environment names a repository."""
    stack = Stack(app, environment, stack_name(environment.name, BOOTSTRAP))
    state = _state_bucket(stack, environment, bucket)
    if environment.github is not None:
        provider = _federation(stack, environment, environment.github.repository)
        planner = _account(stack, "planner", environment.planner, "Plans pull requests, looks for drift; reads only.")
        deployer = _account(stack, "deployer", environment.deployer, "Deploys the main branch.")
        accounts: list[ITerraformDependable] = [planner, deployer]
        if environment.github.previews:
            accounts.append(_account(stack, "previewer", environment.previewer, "Deploys previews, of any branch."))
        _let_workflows_in(stack, environment, environment.github, [provider, *accounts])
        _grant(stack, environment, state, accounts)
        if environment.github.previews:
            _grant_states_of_previews(stack, environment, state, accounts)
    return stack


def _state_bucket(stack: Stack, environment: Environment, name: str) -> StorageBucket:
    """Recent versions of every state can be restored, and the bucket cannot be destroyed."""
    bucket = StorageBucket(
        stack,
        "state",
        name=name,
        location=environment.location.upper(),
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        force_destroy=False,
        versioning=StorageBucketVersioning(enabled=True),
        lifecycle_rule=[
            StorageBucketLifecycleRule(
                action=StorageBucketLifecycleRuleAction(type="Delete"),
                condition=StorageBucketLifecycleRuleCondition(num_newer_versions=KEPT_VERSIONS, with_state="ARCHIVED"),
            )
        ],
        soft_delete_policy=StorageBucketSoftDeletePolicy(retention_duration_seconds=SOFT_DELETE_SECONDS),
        labels=environment.dataset_labels,
        lifecycle=TerraformResourceLifecycle(prevent_destroy=True),
    )
    stack.declare(bucket, "state", fixed(name))
    return bucket


def _federation(stack: Stack, environment: Environment, repository: str) -> IamWorkloadIdentityPoolProvider:
    """Google accepts the tokens that GitHub gives to jobs of this repository, and no others."""
    # import ids are not by the project's number, as in policies: the provider keeps both by the project's id
    pool = IamWorkloadIdentityPool(
        stack,
        "pool",
        workload_identity_pool_id=IDENTITY_POOL,
        display_name="GitHub Actions",
        description=f"Workflows of {repository}.",
    )
    stack.declare(pool, "github", fixed(identity_pool(environment.project)))
    provider = IamWorkloadIdentityPoolProvider(
        stack,
        "provider",
        workload_identity_pool_id=pool.workload_identity_pool_id,
        workload_identity_pool_provider_id=IDENTITY_POOL,
        display_name="GitHub Actions",
        oidc=IamWorkloadIdentityPoolProviderOidc(issuer_uri=ISSUER),
        attribute_mapping={
            "google.subject": "assertion.sub",
            "attribute.repository": "assertion.repository",
        },
        attribute_condition=admission(environment, repository),
    )
    stack.declare(provider, "github", fixed(identity_provider(environment.project)))
    return provider


def subject(repository: str, github_environment: str) -> str:
    """GitHub's subject of a job of the repository that runs in one of its GitHub environments."""
    return f"repo:{repository}:environment:{github_environment}"


def admission(environment: Environment, repository: str) -> str:
    """The condition on a token: only this repository, and deployments only from the main branch."""
    plans = f"assertion.sub != '{subject(repository, environment.name)}'"
    return f"assertion.repository == '{repository}' && ({plans} || assertion.ref == 'refs/heads/main')"


def _account(stack: Stack, name: str, email: str, description: str) -> ServiceAccount:
    account = ServiceAccount(
        stack,
        name,
        account_id=email.partition("@")[0],
        display_name=title(SYSTEM, name),
        description=description,
        create_ignore_already_exists=True,
    )
    stack.declare(account, name)
    return account


def _let_workflows_in(
    stack: Stack, environment: Environment, github: GitHub, depends_on: list[ITerraformDependable]
) -> None:
    """Any job of the repository can act as the planner; as the others only a job in the right GitHub environment."""
    pool, repository = f"iam.googleapis.com/{environment.identity_pool}", github.repository
    identities = {
        "planner": (environment.planner, f"principalSet://{pool}/attribute.repository/{repository}"),
        "deployer": (environment.deployer, f"principal://{pool}/subject/{subject(repository, environment.name)}"),
    }
    if github.previews:
        identities["previewer"] = (environment.previewer, f"principal://{pool}/subject/{subject(repository, PREVIEWS)}")
    for name, (email, identity) in identities.items():
        member = ServiceAccountIamMember(
            stack,
            f"identity {name}",
            service_account_id=environment.account_name(email),
            role=IDENTITY_USER,
            member=identity,
            depends_on=depends_on,
        )
        stack.declare(member, f"github_{name}")


def _grant(stack: Stack, environment: Environment, state: StorageBucket, accounts: list[ITerraformDependable]) -> None:
    """The roles of the accounts on the project; the planner's and the deployer's on the state's bucket alone."""
    reader = _custom_role(
        stack,
        environment,
        "planner",
        PLANNER_ROLE_ID,
        PLANNER_PERMISSIONS,
        "Reads jobs and scheduled queries; every role of Google's that does may change something too.",
    )
    for role, member in workflow_grants(environment):
        grant = ProjectIamMember(
            stack,
            f"project {role} {member}",
            project=environment.project,
            role=role,
            member=member,
            condition=_granting_limit() if role == PROJECT_ADMIN else None,
            depends_on=[reader, *accounts],
        )
        stack.declare(grant, grant_name(role, member))
    for role, email in ((PLANNER_BUCKET_ROLE, environment.planner), (DEPLOYER_BUCKET_ROLE, environment.deployer)):
        member = f"serviceAccount:{email}"
        bucket_grant = StorageBucketIamMember(
            stack, f"bucket {role}", bucket=state.name, role=role, member=member, depends_on=accounts
        )
        stack.declare(bucket_grant, grant_name(role, member))


def _grant_states_of_previews(
    stack: Stack, environment: Environment, state: StorageBucket, accounts: list[ITerraformDependable]
) -> None:
    """The previewer lists all objects of the bucket, and opens only those of previews."""
    lister = _custom_role(
        stack,
        environment,
        "previewer",
        PREVIEWER_ROLE_ID,
        PREVIEWER_PERMISSIONS,
        "Lists the state bucket; every role of Google's that does reads or writes objects too.",
    )
    member = f"serviceAccount:{environment.previewer}"
    previews = f"projects/_/buckets/{environment.state.bucket}/objects/{state_prefix(stack_name(PREVIEWS, ''))}"
    condition = StorageBucketIamMemberCondition(
        title="states of previews only", expression=f"resource.name.startsWith('{previews}')"
    )
    lists = custom_role(environment.project, PREVIEWER_ROLE_ID)
    for role, limit in ((lists, None), (DEPLOYER_BUCKET_ROLE, condition)):
        grant = StorageBucketIamMember(
            stack,
            f"bucket {role} of the previewer",
            bucket=state.name,
            role=role,
            member=member,
            condition=limit,
            depends_on=[lister, *accounts],
        )
        stack.declare(grant, grant_name(role, member))


def _custom_role(  # noqa: PLR0917 - what a custom role is made of
    stack: Stack, environment: Environment, name: str, role_id: str, permissions: tuple[str, ...], description: str
) -> ProjectIamCustomRole:
    role = ProjectIamCustomRole(
        stack,
        f"{name} role",
        role_id=role_id,
        title=title(SYSTEM, name),
        description=description,
        permissions=list(permissions),
    )
    stack.declare(role, name, fixed(custom_role(environment.project, role_id)))
    return role


def _granting_limit() -> ProjectIamMemberCondition:
    """Without it, anyone who can write the project's policy could become its owner."""
    roles = ", ".join(f"'{role}'" for role in GRANTABLE_ROLES)
    return ProjectIamMemberCondition(
        title="grants the stacks' roles only",
        expression=f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{roles}])",
    )
