"""The typed settings of one environment, read from environments/NAME.yaml."""

from __future__ import annotations

import json
import os
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

ENVIRONMENTS = Path(__file__).resolve().parent.parent / "environments"

#: The stacks, in the order of their deployment; the automation last, so that it can be taken away alone.
PARTS = ("warehouse", "routines", "access", "monitoring", "automation")
DATASET_DESCRIPTION = "The EROS Scheduling System: its tables, functions, view and procedures."
PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
DATASET_ID = re.compile(r"[A-Za-z0-9_]{1,1024}")
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


class Environment(_Settings):
    """Everything that differs between environments."""

    name: str
    project: Annotated[str, AfterValidator(_project_id)]
    project_number: Annotated[int, Field(gt=0)]
    dataset: Annotated[str, AfterValidator(_dataset_id)]
    location: str
    state: State
    guards: Guards
    members: Members
    allowed_changes: tuple[AllowedChange, ...] = ()
    #: Who is told when scheduled queries fail or fall silent.
    alert_email: Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")]
    #: The embedded environment's address; left out, everything speaks to Google.
    endpoint: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:[0-9]+$")] | None = None

    @property
    def dataset_labels(self) -> dict[str, str]:
        """Labels of the dataset."""
        return {"system": "eros", "environment": self.name}

    @property
    def service_account(self) -> str:
        """E-mail address of the service account that runs the scheduled queries."""
        return f"eros-etl@{self.project}.iam.gserviceaccount.com"

    @property
    def transfer_agent(self) -> str:
        """E-mail address of Google's transfer service in this project."""
        return f"service-{self.project_number}@gcp-sa-bigquerydatatransfer.iam.gserviceaccount.com"


def json_schema() -> str:
    """The JSON schema of an environment file, for editors; an environment has its file's name and no key for it."""
    schema = Environment.model_json_schema()
    schema["title"] = "Environment file"
    del schema["properties"]["name"]
    schema["required"].remove("name")
    return json.dumps(schema, indent=2) + "\n"


def load_environment(name: str | None = None, folder: Path = ENVIRONMENTS) -> Environment:
    """Read the settings of an environment.

    Args:
        name: the environment's name; by default the variable EROS_ENV, else ``local``.
        folder: where the environment files stand.

    Raises:
        EnvironmentFileError: one line for each thing that is wrong, with the file's name and the key.
    """
    name = name or os.environ.get("EROS_ENV") or "local"
    path = folder / f"{name}.yaml"
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if name not in known:
        names = ", ".join(known) or "none"
        raise EnvironmentFileError(f"no environment {name!r} in {folder.name}/ (there are: {names})")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EnvironmentFileError(f"{path.name}: not readable as YAML: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise EnvironmentFileError(f"{path.name}: not readable: {error.strerror}") from None
    if not isinstance(content, dict):
        raise EnvironmentFileError(f"{path.name}: must hold keys and values, holds {type(content).__name__}")
    if "name" in content:
        raise EnvironmentFileError(f"{path.name}: unknown key 'name' (an environment has its file's name)")
    try:
        return Environment.model_validate({"name": name, **content})
    except ValidationError as error:
        raise EnvironmentFileError("\n".join(_line(path.name, problem) for problem in error.errors())) from None


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
