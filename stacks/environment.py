"""The typed settings of one environment, read from environments/NAME.yaml."""

from __future__ import annotations

import json
import os
import re
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from stacks.roles import PROJECT_ROLES, members_of
from stacks.schedules import LOS_ANGELES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

ENVIRONMENTS = Path(__file__).resolve().parent.parent / "environments"

#: The stacks, in the order of their deployment; the automation last, so that it can be taken away alone.
PARTS = ("warehouse", "routines", "access", "monitoring", "automation")
#: The stack that makes what the others need before they can be deployed; never deployed with them.
BOOTSTRAP = "bootstrap"
#: Name of the workload identity pool, and of the one provider in it.
IDENTITY_POOL = "github"
#: The GitHub environment that previews are deployed in, and the name of their template there.
PREVIEWS = "preview"
DATASET_DESCRIPTION = "The EROS Scheduling System: its tables, functions, view and procedures."
PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
DATASET_ID = re.compile(r"[A-Za-z0-9_]{1,1024}")
#: A preview's name: its file's, a hyphen, and its number.
NUMBERED = re.compile(r"(?P<file>.+)-(?P<number>[1-9][0-9]{0,5})")
REPOSITORY = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/[A-Za-z0-9._-]{1,100}")
MEMBER = re.compile(r"(user|group|serviceAccount):[^\s:@]+@[^\s:@]+|domain:[^\s:@]+")


class EnvironmentFileError(Exception):
    """An environment file that cannot be used; the message names the file, the key and what to write there."""


def _project_id(value: str) -> str:
    if not PROJECT_ID.fullmatch(value):
        raise ValueError(
            f"{value!r} is no Google Cloud project id (6 to 30 lower-case letters, digits and hyphens, "
            "a letter first, no hyphen last)"
        )
    return value


def _dataset_id(value: str) -> str:
    if not DATASET_ID.fullmatch(value):
        raise ValueError(f"{value!r} is no BigQuery dataset id (letters, digits and underscores only)")
    return value


def _member(value: str) -> str:
    if not MEMBER.fullmatch(value):
        raise ValueError(
            f"{value!r} is no IAM member: write user:, group: or serviceAccount: and an e-mail address, or domain:…"
        )
    return value


def _repository(value: str) -> str:
    if not REPOSITORY.fullmatch(value):
        raise ValueError(f"{value!r} is no GitHub repository: write its owner, a slash and its name")
    return value


def _known_grant(value: str) -> str:
    role, _, member = value.partition(" ")
    if not role.startswith(("roles/", "projects/", "organizations/")):
        raise ValueError(f"{value!r} is no known grant: write a role, a blank and a member")
    return f"{role} {_member(member)}"


Member = Annotated[str, AfterValidator(_member)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Guards(_Settings):
    """What protects data: tables and dataset cannot be destroyed while ``protect_data`` is on.

    ``allow_full_rollback`` is the explicit switch without which a guarded environment's warehouse is never destroyed.
    """

    protect_data: bool
    allow_full_rollback: bool = False
    #: Whether destroying the dataset takes what others keep in it along; only where this repository made that too.
    delete_dataset_contents: bool = False

    @property
    def on(self) -> bool:
        """Whether destroying a table or the dataset is refused."""
        return self.protect_data and not self.allow_full_rollback

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.protect_data and self.delete_dataset_contents:
            raise ValueError("delete_dataset_contents says the opposite of protect_data: leave one of them out")
        return self


class AllowedChange(_Settings):
    """A change of a live table that would be refused, allowed by name until the end of a Los Angeles day.

    ``change`` is what the preflight calls it: the table, a colon, and what would be done to it.
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
    #: Grants that others made and that are known, each "ROLE MEMBER"; any other BigQuery or basic role is drift.
    known: tuple[Annotated[str, AfterValidator(_known_grant)], ...] = ()


class State(_Settings):
    """Where Terraform keeps its state: a local file, or a bucket of Google Cloud Storage."""

    backend: Literal["local", "gcs"]
    bucket: str | None = None

    @model_validator(mode="after")
    def _bucket_for_gcs_only(self) -> Self:
        if (self.backend == "gcs") != (self.bucket is not None):
            raise ValueError("a bucket belongs to backend gcs, and only to it")
        return self


class Preview(_Settings):
    """Throw-away environments by number, each in the project of the environment that it stands ``beside``."""

    beside: str
    expires_after_days: Annotated[int, Field(ge=1, le=90)]


class PreviewFile(_Settings):
    """The template of numbered previews: all else is as in the environment that they stand beside."""

    preview: Preview


class GitHub(_Settings):
    """The repository whose workflows plan and deploy an environment, by Workload Identity Federation, with no key."""

    repository: Annotated[str, AfterValidator(_repository)]
    #: Whether jobs of the GitHub environment ``preview`` deploy here too, from any branch.
    previews: bool = False


class Environment(_Settings):
    """Everything that differs between environments."""

    name: str
    #: A preview's template and its number; no file of another environment has these two.
    preview: Preview | None = None
    number: int | None = None
    project: Annotated[str, AfterValidator(_project_id)]
    project_number: Annotated[int, Field(gt=0)]
    dataset: Annotated[str, AfterValidator(_dataset_id)]
    location: str
    state: State
    guards: Guards
    members: Members
    allowed_changes: tuple[AllowedChange, ...] = ()
    github: GitHub | None = None
    #: Who is told when scheduled queries fail or fall silent.
    alert_email: Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")]
    #: The embedded environment's address; left out, everything speaks to Google.
    endpoint: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:[0-9]+$")] | None = None

    @property
    def host(self) -> str:
        """The environment whose project, endpoint and state this one shares: its own name but for a preview."""
        return self.preview.beside if self.preview else self.name

    @property
    def file(self) -> str:
        """Where project, location and known members are written."""
        return f"environments/{self.host}.yaml"

    @property
    def system(self) -> str:
        """What the names of everything begin with that belongs to the project and not to the dataset."""
        return f"eros-pr{self.number}" if self.preview else "eros"

    @property
    def filled_here(self) -> bool:
        """Whether this repository makes what others own in production too, with sample data, and nothing is asked."""
        return self.endpoint is not None or self.preview is not None

    @property
    def dataset_labels(self) -> dict[str, str]:
        """Labels of the dataset; by the last one the sweep knows a preview's age."""
        expiry = {"expires_after_days": str(self.preview.expires_after_days)} if self.preview else {}
        return {"system": "eros", "environment": self.name, **expiry}

    @property
    def tables_expire_after_days(self) -> int | None:
        """Days after which a preview's tables go; a day after its sweep, so that no scheduled query misses them."""
        return self.preview.expires_after_days + 1 if self.preview else None

    @property
    def service_account(self) -> str:
        """E-mail address of the service account that runs the scheduled queries."""
        return f"{self.system}-etl@{self.project}.iam.gserviceaccount.com"

    def is_account_of_a_preview(self, member: str) -> bool:
        """Whether an IAM member is the service account of a preview beside this environment; of any number."""
        account = rf"serviceAccount:eros-pr[1-9][0-9]{{0,5}}-etl@{re.escape(self.project)}\.iam\.gserviceaccount\.com"
        return not self.guards.protect_data and re.fullmatch(account, member) is not None

    @property
    def planner(self) -> str:
        """E-mail address of the account of pull requests and nightly checks, which reads only."""
        return f"eros-planner@{self.project}.iam.gserviceaccount.com"

    @property
    def deployer(self) -> str:
        """E-mail address of the account that deploys from the repository's main branch."""
        return f"eros-deployer@{self.project}.iam.gserviceaccount.com"

    @property
    def previewer(self) -> str:
        """E-mail address of the account that deploys previews beside this environment, from any branch."""
        return f"eros-previewer@{self.project}.iam.gserviceaccount.com"

    @property
    def identity_pool(self) -> str:
        """Full name of the workload identity pool, by the project's number as Google's policies have it."""
        return f"projects/{self.project_number}/locations/global/workloadIdentityPools/{IDENTITY_POOL}"

    @property
    def identity_provider(self) -> str:
        """Full name of the pool's provider: what a workflow signs in with."""
        return f"{self.identity_pool}/providers/{IDENTITY_POOL}"

    @property
    def transfer_agent(self) -> str:
        """E-mail address of Google's transfer service in this project."""
        return f"service-{self.project_number}@gcp-sa-bigquerydatatransfer.iam.gserviceaccount.com"


def json_schema() -> str:
    """The JSON schema of an environment file, for editors; an environment has its file's name and no key for it."""
    schema = TypeAdapter[Environment | PreviewFile](Environment | PreviewFile).json_schema()
    environment = schema["$defs"]["Environment"]
    for key in ("name", "preview", "number"):
        del environment["properties"][key]
    environment["required"].remove("name")
    return json.dumps({"title": "Environment file", **schema}, indent=2) + "\n"


def load_environment(name: str | None = None, folder: Path = ENVIRONMENTS) -> Environment:
    """Read the settings of an environment.

    Args:
        name: the environment's name, a preview's with its number; by default the variable EROS_ENV, else ``local``.
        folder: where the environment files stand.

    Raises:
        EnvironmentFileError: one line for each thing that is wrong, with the file's name and the key.
    """
    name = name or os.environ.get("EROS_ENV") or "local"
    if (folder / f"{name}.yaml").is_file():
        content = _content(folder / f"{name}.yaml")
        if "preview" in content:
            _preview(name, content)
            raise EnvironmentFileError(f"{name} is the template of previews: name one by its number, such as {name}-7")
        return _environment(name, content)
    numbered = NUMBERED.fullmatch(name)
    template = previews(folder).get(numbered["file"]) if numbered else None
    if numbered is None or template is None:
        raise EnvironmentFileError(_unknown(name, folder))
    return _numbered(load_environment(template.beside, folder), name, template, int(numbered["number"]))


def previews(folder: Path = ENVIRONMENTS) -> dict[str, Preview]:
    """The templates of previews, by the names of their files.

    Raises:
        EnvironmentFileError: a file cannot be used.
    """
    contents = {file.stem: _content(file) for file in sorted(folder.glob("*.yaml"))}
    found = {name: _preview(name, content) for name, content in contents.items() if "preview" in content}
    beside: dict[str, str] = {}
    for name, template in found.items():
        if (other := beside.setdefault(template.beside, name)) != name:
            raise EnvironmentFileError(
                f"{name}.yaml: preview.beside: {other}.yaml stands beside {template.beside} already, and its numbers "
                "would have the same datasets"
            )
    return found


def _numbered(host: Environment, name: str, template: Preview, number: int) -> Environment:
    """The preview of a number: it grants nothing but its own account's roles, and takes what stands there as known."""
    if host.guards.protect_data:
        file = name.removesuffix(f"-{number}")
        raise EnvironmentFileError(
            f"{file}.yaml: preview.beside: {host.name} guards its data, and a preview is destroyed with all that it "
            "holds: name an environment that guards none"
        )
    granted = (f"{role} {member}" for role, member in members_of(host, PROJECT_ROLES))
    return host.model_copy(
        update={
            "name": name,
            "preview": template,
            "number": number,
            "dataset": f"{host.dataset}_pr{number}",
            "guards": Guards(protect_data=False, delete_dataset_contents=True),
            "members": Members(known=(*host.members.known, *granted)),
            "allowed_changes": (),
        }
    )


def _unknown(name: str, folder: Path) -> str:
    templates = previews(folder)
    if meant := max((file for file in templates if name.startswith(f"{file}-")), key=len, default=None):
        return f"no environment {name!r}: a preview's number is a whole one from 1 to 999999, such as {meant}-7"
    plain = sorted(file.stem for file in folder.glob("*.yaml") if file.stem not in templates)
    names = ", ".join([*plain, *(f"{file}-NUMBER" for file in templates)]) or "none"
    return f"no environment {name!r} in {folder.name}/ (there are: {names})"


def _content(path: Path) -> dict[str, object]:
    """The keys and values of a file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EnvironmentFileError(f"{path.name}: not readable as YAML: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise EnvironmentFileError(f"{path.name}: not readable: {error.strerror}") from None
    if not isinstance(content, dict):
        raise EnvironmentFileError(f"{path.name}: must hold keys and values, holds {type(content).__name__}")
    return content


def _environment(name: str, content: Mapping[str, object]) -> Environment:
    for key in ("name", "number"):
        if key in content:
            raise EnvironmentFileError(f"{name}.yaml: unknown key {key!r} (an environment has its file's name)")
    try:
        return Environment.model_validate({"name": name, **content})
    except ValidationError as error:
        raise EnvironmentFileError("\n".join(_line(f"{name}.yaml", problem) for problem in error.errors())) from None


def _preview(name: str, content: Mapping[str, object]) -> Preview:
    try:
        return PreviewFile.model_validate(content).preview
    except ValidationError as error:
        raise EnvironmentFileError("\n".join(_line(f"{name}.yaml", problem) for problem in error.errors())) from None


def _line(file: str, problem: ErrorDetails) -> str:
    """One problem that pydantic found, as one line for a person."""
    key = ".".join(str(part) for part in problem["loc"])
    match problem["type"]:
        case "extra_forbidden":
            return f"{file}: unknown key {key!r}"
        case "missing":
            return f"{file}: missing key {key!r}"
        case "value_error":
            return f"{file}: {key}: {problem['ctx']['error']}"
        case _:
            return f"{file}: {key}: {problem['msg']} (found {problem['input']!r})"
