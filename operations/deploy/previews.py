"""Temporary environments by number: deleted with everything that has their names, and swept when they expire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from catalog.files import REPOSITORY
from declared.alerts import user_labels
from declared.environment import EnvironmentFileError
from declared.loading import load_environment, previews
from declared.names import OF_A_PREVIEW, is_schedule_of, stack_names, state_file
from google.client import GoogleApi
from google.failures import NotPermittedError, RequestRefusedError
from google.resources import alert_policies, notification_channels, transfer_configs
from operations.deploy.cdktf import own_turn
from operations.deploy.rollback import destroy_stacks, nothing_is_left
from operations.deploy.steps import StepFailedError, bring_up, explained_by_the_server, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import Console

    from declared.environment import Environment
    from google.resources import AlertPolicy, NotificationChannel

#: Others change the project's policy too: a change that conflicts with another one is tried this often.
ATTEMPTS = 5


@dataclass(frozen=True)
class Existing:
    """A preview of which something exists.

    ``expires`` is None for a remnant: the dataset is created first and deleted last, and it is gone.
    """

    environment: Environment
    expires: datetime | None

    def has_expired(self, now: datetime) -> bool:
        """Whether the sweep deletes it."""
        return self.expires is None or self.expires <= now


def template_of(name: str) -> str:
    """The template of the previews that an environment's name means: its own, or the one of its previews.

    Raises:
        EnvironmentFileError: the environment has no previews.
    """
    templates = previews()
    if name in templates:
        return name
    for template, preview in templates.items():
        if preview.beside == name:
            return template
    known = ", ".join(f"{template} in the project of {preview.beside}" for template, preview in templates.items())
    raise EnvironmentFileError(f"{name!r} has no previews (there are: {known or 'none'})")


def down(environment: Environment, console: Console) -> None:
    """Destroy every stack of a preview, then delete what else has its names; a half-built one too.

    Raises:
        StepFailedError: cdktf did not end well.
        LiveSystemError: no answer came.
    """
    bring_up(environment, console)
    with explained_by_the_server(environment), own_turn(f"destruction of {environment.name}", console.print):
        managed = environment.state.backend != "local" or any(_state_files(environment))
        if managed:
            destroy_stacks(environment, console, None, auto_approve=True)
        with step(console, "What Terraform does not know") as notes:
            removed = list(remove_what_is_left(environment, GoogleApi(environment)))
            notes.append(", ".join(removed) or "nothing is left")
        if managed:
            nothing_is_left(environment, None)
        for file in _state_files(environment):
            file.unlink(missing_ok=True)
    what = "is gone" if managed or removed else "does not exist: nothing was done"
    console.print(f"{environment.name} {what}.", highlight=False)


def _state_files(environment: Environment) -> Iterator[Path]:
    """The files of the stacks' states, with their backups."""
    for file in (REPOSITORY / state_file(stack) for stack in stack_names(environment.name)):
        yield from file.parent.glob(f"{file.name}*")


def remove_what_is_left(environment: Environment, api: GoogleApi) -> Iterator[str]:
    """Delete by name what Terraform's state does not know: a seeded dataset, or objects of a state that was lost.

    Args:
        environment: a preview.
        api: its Google API.

    Yields:
        The name of each thing that was deleted.

    Raises:
        StepFailedError: the environment is not a preview.
        LiveSystemError: no answer came.
    """
    if environment.preview is None:
        raise StepFailedError(f"{environment.name} is not a preview: it is not deleted by name", 2)
    for config in transfer_configs(api):
        if is_schedule_of(environment.system, config.display_name):
            api.data_transfer("DELETE", config.name)
            yield config.display_name
    labels = user_labels(environment).items()
    alerting: list[AlertPolicy | NotificationChannel] = [*alert_policies(api), *notification_channels(api)]
    for resource in alerting:  # the policies first: a channel in use is not deleted
        if labels <= resource.labels.items():
            api.monitoring("DELETE", resource.name)
            yield resource.display_name
    yield from _revoke(environment, api)  # before the account is deleted: Google keeps the grants of deleted ones
    if account := api.service_accounts().get(environment.service_account):
        api.iam("DELETE", account)
        yield environment.service_account
    if api.dataset_exists():
        api.delete_dataset()
        yield environment.dataset


def _revoke(environment: Environment, api: GoogleApi) -> Iterator[str]:
    """Remove the account's roles on the project, and no other member's."""
    member = re.compile(rf"(deleted:)?serviceAccount:{re.escape(environment.service_account)}(\?uid=\d+)?")
    for attempt in range(1, ATTEMPTS + 1):
        policy = api.project_policy()
        bindings = [
            {**binding, "members": [name for name in binding.get("members", []) if not member.fullmatch(name)]}
            for binding in policy.get("bindings", [])
        ]
        if bindings == policy.get("bindings", []):
            return
        changed: dict[str, Any] = {**policy, "bindings": [binding for binding in bindings if binding["members"]]}
        try:
            api.resource_manager("POST", f"projects/{environment.project}:setIamPolicy", {"policy": changed})
        except RequestRefusedError:
            if attempt == ATTEMPTS:
                raise
        else:
            yield f"roles of {environment.service_account}"
            return


def existing(template: str, api: GoogleApi) -> list[Existing]:
    """The previews of a template of which something exists, by number.

    Args:
        template: the name of its file.
        api: the Google API of any environment in the project.

    Raises:
        LiveSystemError: no answer came.
    """
    datasets, accounts = api.datasets(), api.service_accounts()
    numbers = {int(match[1]) for name in (*datasets, *accounts) if (match := OF_A_PREVIEW.search(name))}
    found = []
    for number in sorted(numbers):
        environment = load_environment(f"{template}-{number}")
        if (labels := datasets.get(environment.dataset)) is not None:
            if labels.get("environment") == environment.name:  # else it belongs to someone else
                found.append(Existing(environment, _expires(api.dataset(environment.dataset) or {})))
        elif environment.service_account in accounts:
            found.append(Existing(environment, None))
    return found


def _expires(dataset: Mapping[str, Any]) -> datetime:
    """When a dataset expires: its days begin with its creation, as those of each table do."""
    created = datetime.fromtimestamp(int(dataset.get("creationTime", 0)) / 1000, UTC)
    return created + timedelta(days=int(dataset.get("labels", {}).get("expires_after_days", 0)))


def sweep(template: str, console: Console, now: datetime | None = None) -> None:
    """Delete every preview of a template that has expired.

    Args:
        template: the name of its file.
        console: where progress is shown.
        now: the current instant; by default the clock's.

    Raises:
        StepFailedError: some could not be deleted; the others were.
        LiveSystemError: no answer came.
    """
    anyone = load_environment(f"{template}-1")
    bring_up(anyone, console)
    failed = []
    found = existing(template, GoogleApi(anyone))
    for preview in found:
        name = preview.environment.name
        if not preview.has_expired(now or datetime.now(UTC)):
            console.print(f"{name} exists until {preview.expires:%Y-%m-%d %H:%M} UTC", highlight=False)
            continue
        since = f"expired on {preview.expires:%Y-%m-%d %H:%M} UTC" if preview.expires else "no longer has a dataset"
        console.print(f"{name} {since}:", highlight=False)
        try:
            down(preview.environment, console)
        except (StepFailedError, RequestRefusedError, NotPermittedError) as error:  # it concerns this one alone
            console.print(str(error), markup=False, highlight=False)
            failed.append(name)
    if failed:
        raise StepFailedError(f"not deleted: {', '.join(failed)}", 1)
    if not found:
        console.print(f"No preview of {template} exists.", highlight=False)
