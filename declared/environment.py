"""The typed settings of one environment, read from environments/NAME.yaml."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from catalog.zone import LOS_ANGELES
from declared import names

DATASET_DESCRIPTION = "The EROS Scheduling System: its tables, functions, view and procedures."
PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
DATASET_ID = re.compile(r"[A-Za-z0-9_]{1,1024}")
#: A multi-region, or a region: https://cloud.google.com/bigquery/docs/locations.
LOCATION = re.compile(r"US|EU|[a-z]+-[a-z]+[0-9]+")
REPOSITORY = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/[A-Za-z0-9._-]{1,100}")
MEMBER = re.compile(r"(user|group|serviceAccount):[^\s:@]+@[^\s:@]+|domain:[^\s:@]+")


class EnvironmentFileError(Exception):
    """An environment file that cannot be used; the message names the file, the key and what to write."""


def _project_id(value: str) -> str:
    if not PROJECT_ID.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a Google Cloud project id (6 to 30 lower-case letters, digits and hyphens, "
            "a letter first, no hyphen last)"
        )
    return value


def _dataset_id(value: str) -> str:
    if not DATASET_ID.fullmatch(value):
        raise ValueError(f"{value!r} is not a BigQuery dataset id (letters, digits and underscores only)")
    return value


def _location(value: str) -> str:
    if not LOCATION.fullmatch(value):
        raise ValueError(f"{value!r} is not a BigQuery location: write US, EU or a region such as us-central1")
    return value


def _member(value: str) -> str:
    if not MEMBER.fullmatch(value):
        raise ValueError(
            f"{value!r} is not an IAM member: write user:, group: or serviceAccount: and an e-mail address, or domain:…"
        )
    return value


def _repository(value: str) -> str:
    if not REPOSITORY.fullmatch(value):
        raise ValueError(f"{value!r} is not a GitHub repository: write its owner, a slash and its name")
    return value


def _known_grant(value: str) -> str:
    role, _, member = value.partition(" ")
    if not role.startswith(("roles/", "projects/", "organizations/")):
        raise ValueError(f"{value!r} is not a grant: write a role, a space and a member")
    return f"{role} {_member(member)}"


Member = Annotated[str, AfterValidator(_member)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Guards(_Settings):
    """Protection of data: while ``protect_data`` is on, tables and dataset cannot be destroyed.

    A guarded environment's warehouse is destroyed only with the explicit switch ``allow_full_rollback``.
    """

    protect_data: bool
    allow_full_rollback: bool = False
    #: Whether destroying the dataset deletes external objects in it; only where this repository created them too.
    delete_dataset_contents: bool = False

    @property
    def on(self) -> bool:
        """Whether destroying a table or the dataset is refused."""
        return self.protect_data and not self.allow_full_rollback

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.protect_data and self.delete_dataset_contents:
            raise ValueError("delete_dataset_contents is the opposite of protect_data: remove one of them")
        return self


class AllowedChange(_Settings):
    """A change of a live table that would be refused, allowed by name until the end of a Los Angeles day.

    ``change`` is its name in the preflight: the table, a colon, and the change.
    """

    change: Annotated[str, Field(pattern=r"^[a-z_]+: \S.*$")]
    until: date
    why: Annotated[str, Field(min_length=1)]

    @property
    def has_ended(self) -> bool:
        """Whether its last day is over."""
        return datetime.now(LOS_ANGELES).date() > self.until


class Members(_Settings):
    """IAM members of each of the operators' roles; the ETL role also gets this environment's own service account."""

    viewers: tuple[Member, ...] = ()
    etl: tuple[Member, ...] = ()
    developers: tuple[Member, ...] = ()
    admins: tuple[Member, ...] = ()
    #: Known grants from elsewhere, each "ROLE MEMBER"; any other grant of a BigQuery or basic role is drift.
    known: tuple[Annotated[str, AfterValidator(_known_grant)], ...] = ()


class State(_Settings):
    """Where Terraform keeps its state: a local file, or a bucket of Google Cloud Storage."""

    backend: Literal["local", "gcs"]
    bucket: str | None = None

    @model_validator(mode="after")
    def _bucket_for_gcs_only(self) -> Self:
        if (self.backend == "gcs") != (self.bucket is not None):
            raise ValueError("backend gcs needs a bucket, and no other backend takes one")
        return self


class Preview(_Settings):
    """Temporary environments by number, each in the project of the host environment that ``beside`` names."""

    beside: str
    expires_after_days: Annotated[int, Field(ge=1, le=90)]


class PreviewFile(_Settings):
    """The template of numbered previews; all other settings are those of their host environment."""

    preview: Preview


class GitHub(_Settings):
    """The repository whose workflows plan and deploy an environment, by Workload Identity Federation, without a key."""

    repository: Annotated[str, AfterValidator(_repository)]
    #: Whether jobs of the GitHub environment ``preview`` deploy here too, from any branch.
    previews: bool = False


class Environment(_Settings):
    """Everything that differs between environments."""

    name: str
    #: A preview's template and its number; environment files have neither.
    preview: Preview | None = None
    number: int | None = None
    project: Annotated[str, AfterValidator(_project_id)]
    project_number: Annotated[int, Field(gt=0)]
    dataset: Annotated[str, AfterValidator(_dataset_id)]
    location: Annotated[str, AfterValidator(_location)]
    state: State
    guards: Guards
    members: Members
    allowed_changes: tuple[AllowedChange, ...] = ()
    github: GitHub | None = None
    #: Recipient of the alerts on scheduled queries.
    alert_email: Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")]
    #: The embedded environment's address; without it, Google's services are used.
    endpoint: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:[0-9]+$")] | None = None

    @property
    def host(self) -> str:
        """The environment whose project, endpoint and state this one uses: its own name, or the host of a preview."""
        return self.preview.beside if self.preview else self.name

    @property
    def file(self) -> str:
        """The file with project, location and known members."""
        return f"environments/{self.host}.yaml"

    def make(self, target: str) -> str:
        """What to type for a target of the Makefile here: ``make deploy ENV=prod``."""
        return names.make(target, self.name)

    @property
    def system(self) -> str:
        """Prefix of project-level resource names."""
        return names.system(self.number)

    @property
    def filled_here(self) -> bool:
        """Whether this repository creates external objects too, with sample data, and deploys without asking."""
        return self.endpoint is not None or self.preview is not None

    @property
    def dataset_labels(self) -> dict[str, str]:
        """Labels of the dataset; the sweep reads a preview's expiry from the last one."""
        expiry = {"expires_after_days": str(self.preview.expires_after_days)} if self.preview else {}
        return {"system": names.SYSTEM, "environment": self.name, **expiry}

    @property
    def tables_expire_after_days(self) -> int | None:
        """Days after which a preview's tables expire: a day after its sweep, so that no scheduled query misses them."""
        return self.preview.expires_after_days + 1 if self.preview else None

    @property
    def service_account(self) -> str:
        """E-mail address of the service account that runs the scheduled queries."""
        return names.account("etl", self.project, self.number)

    def account_name(self, email: str) -> str:
        """Full name of a service account of this project, by its e-mail address."""
        return f"projects/{self.project}/serviceAccounts/{email}"

    def is_account_of_a_preview(self, member: str) -> bool:
        """Whether an IAM member is the service account of a preview in this environment's project; of any number."""
        return not self.guards.protect_data and names.is_preview_account(member, self.project)

    @property
    def planner(self) -> str:
        """E-mail address of the account of pull requests and nightly checks, which only reads."""
        return names.account("planner", self.project)

    @property
    def deployer(self) -> str:
        """E-mail address of the account that deploys from the repository's main branch."""
        return names.account("deployer", self.project)

    @property
    def previewer(self) -> str:
        """E-mail address of the account that deploys previews in this environment's project, from any branch."""
        return names.account("previewer", self.project)

    @property
    def identity_pool(self) -> str:
        """Full name of the workload identity pool, by the project's number as Google's policies have it."""
        return names.identity_pool(self.project_number)

    @property
    def identity_provider(self) -> str:
        """Full name of the pool's provider, with which a workflow signs in."""
        return names.identity_provider(self.project_number)

    @property
    def transfer_agent(self) -> str:
        """E-mail address of Google's transfer service in this project."""
        return names.transfer_agent(self.project_number)


def json_schema() -> str:
    """The JSON schema of an environment file, for editors; an environment's name is that of its file."""
    schema = TypeAdapter[Environment | PreviewFile](Environment | PreviewFile).json_schema()
    environment = schema["$defs"]["Environment"]
    for key in ("name", "preview", "number"):
        del environment["properties"][key]
    environment["required"].remove("name")
    return json.dumps({"title": "Environment file", **schema}, indent=2) + "\n"
