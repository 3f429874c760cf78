"""Every ``eros-…`` name and e-mail address; those of an environment are properties of :class:`Environment`."""

from __future__ import annotations

import re
from enum import StrEnum

#: The environment that is meant where none is named.
LOCAL = "local"
#: Prefix of project-level resource names, label of the dataset and folder of the states.
SYSTEM = "eros"


class Part(StrEnum):
    """The stacks of an environment, in the order of their deployment.

    The automation is the last one, so that it can be destroyed alone.
    """

    WAREHOUSE = "warehouse"
    ROUTINES = "routines"
    ACCESS = "access"
    MONITORING = "monitoring"
    AUTOMATION = "automation"


PARTS = tuple(Part)
#: The stack that creates what the others need for their deployment; never deployed with them.
BOOTSTRAP = "bootstrap"
#: Name of the workload identity pool, and of the one provider in it.
IDENTITY_POOL = "github"
#: The GitHub environment in which previews are deployed, and the name of their template.
PREVIEWS = "preview"
#: Custom roles: every role of Google's with these permissions has more.
PLANNER_ROLE_ID = "erosPlanner"
PREVIEWER_ROLE_ID = "erosPreviewer"

_NUMBER = r"[1-9][0-9]{0,5}"
#: A preview's name: its template's, a hyphen, and its number.
NUMBERED = re.compile(rf"(?P<file>.+)-(?P<number>{_NUMBER})")
#: What stands before the number in the names of a preview's objects.
_MARK = "pr"
#: The end of a preview's dataset id or of its service account's address, with its number.
OF_A_PREVIEW = re.compile(rf"[-_]{_MARK}({_NUMBER})(?:-etl@.+)?$")


def system(number: int | None) -> str:
    """Prefix of project-level resource names: ``eros``, or ``eros-pr7`` for preview 7."""
    return SYSTEM if number is None else f"{SYSTEM}-{_MARK}{number}"


def preview_dataset(dataset: str, number: int) -> str:
    """The dataset of a preview, from the dataset of its host: ``eros_scheduling_brain_pr7``."""
    return f"{dataset}_{_MARK}{number}"


def stack_name(environment: str, part: str) -> str:
    """The name of a stack: ``eros-prod-warehouse``."""
    return f"{SYSTEM}-{environment}-{part}"


def stack_names(environment: str) -> tuple[str, ...]:
    """The stacks of an environment, in the order of their deployment."""
    return tuple(stack_name(environment, part) for part in PARTS)


def state_prefix(stack: str) -> str:
    """The folder of a stack's state in the bucket."""
    return f"{SYSTEM}/{stack}"


def state_file(stack: str) -> str:
    """The file of a stack's state that is not in a bucket, relative to the repository."""
    return f".local/state/{stack}.tfstate"


def account(name: str, project: str, number: int | None = None) -> str:
    """E-mail address of a service account of a project, without its ``eros-``; of a preview, with its number."""
    return f"{system(number)}-{name}@{project}.iam.gserviceaccount.com"


def is_preview_account(member: str, project: str) -> bool:
    """Whether an IAM member is the service account of a preview in a project; of any number."""
    found = OF_A_PREVIEW.search(member)
    return found is not None and member == f"serviceAccount:{account('etl', project, int(found[1]))}"


def identity_pool(project: str | int) -> str:
    """Full name of the workload identity pool of a project, by its id or by its number."""
    return f"projects/{project}/locations/global/workloadIdentityPools/{IDENTITY_POOL}"


def identity_provider(project: str | int) -> str:
    """Full name of the one provider in the pool."""
    return f"{identity_pool(project)}/providers/{IDENTITY_POOL}"


def custom_role(project: str, role_id: str) -> str:
    """Full name of a project's own role."""
    return f"projects/{project}/roles/{role_id}"


def make(target: str, environment: str) -> str:
    """What to type for a target of the Makefile: ``make deploy ENV=prod``."""
    return f"make {target}" if environment == LOCAL else f"make {target} ENV={environment}"


def title(system: str, what: str) -> str:
    """The display name of an account or a role: ``EROS scheduled queries``."""
    return f"{system.upper()} {what}"


def schedule_display_name(system: str, query: str) -> str:
    """The display name of a scheduled query's transfer config: ``eros run_daily_automation``."""
    return f"{system} {query}"


def is_schedule_of(system: str, display_name: str) -> bool:
    """Whether a transfer config has the name of a scheduled query of ``system``."""
    return display_name.startswith(schedule_display_name(system, ""))


def alert_display_name(system: str, title: str) -> str:
    """The display name of an alert policy: ``eros: a scheduled query failed``."""
    return f"{system}: {title}"


def channel_display_name(system: str) -> str:
    """The display name of the notification channel: ``eros operators``."""
    return f"{system} operators"


def hidden_tag(what: str, environment: str) -> str:
    """The hidden first line by which a comment or an issue at GitHub is found again: ``<!-- eros-plan prod -->``."""
    return f"<!-- {SYSTEM}-{what} {environment} -->"


def transfer_agent(project_number: int) -> str:
    """E-mail address of Google's transfer service in a project."""
    return f"service-{project_number}@gcp-sa-bigquerydatatransfer.iam.gserviceaccount.com"
