"""What exists in a checkout's project, and commands of which a process is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.harness.processes import below, kill, words
from tests.harness.waiting import until

if TYPE_CHECKING:
    from tests.harness.checkout import Checkout

PROJECT = "projects/eros-local"
CONFIGS = f"bigquerydatatransfer/v1/{PROJECT}/locations/us/transferConfigs"


def table(name: str) -> str:
    """The qualified name of an object of the dataset."""
    return f"eros-local.eros_scheduling_brain.{name}"


def transfer_configs(checkout: Checkout) -> list[dict[str, Any]]:
    """The scheduled queries of the project."""
    configs: list[dict[str, Any]] = checkout.api(CONFIGS).get("transferConfigs", [])
    return configs


def change_a_schedule(checkout: Checkout) -> None:
    """Change a scheduled query by hand."""
    config = next(c for c in transfer_configs(checkout) if c["displayName"] == "eros sweep_expired_caption_locks")
    path = f"bigquerydatatransfer/v1/{config['name']}?updateMask=schedule"
    checkout.api(path, "PATCH", json={"schedule": "every 6 hours"})


def existing(checkout: Checkout) -> dict[str, set[str]]:
    """The names of all that exists in the project, by kind, with Terraform's state files."""

    def listed(path: str, key: str, name: str) -> set[str]:
        return {str(resource[name]) for resource in checkout.api(path).get(key, [])}

    policy = checkout.api(f"cloudresourcemanager/v1/{PROJECT}:getIamPolicy", "POST")
    return {
        "datasets": {name.split(":")[1] for name in listed(f"bigquery/v2/{PROJECT}/datasets", "datasets", "id")},
        "configs": listed(CONFIGS, "transferConfigs", "displayName"),
        "accounts": listed(f"iam/v1/{PROJECT}/serviceAccounts", "accounts", "email"),
        "policies": listed(f"monitoring/v3/{PROJECT}/alertPolicies", "alertPolicies", "displayName"),
        "channels": listed(f"monitoring/v3/{PROJECT}/notificationChannels", "notificationChannels", "displayName"),
        "grants": {f"{binding['role']} {member}" for binding in policy["bindings"] for member in binding["members"]},
        "states": {file.name for file in checkout.state.glob("*.tfstate")},
    }


def with_terraform_killed(checkout: Checkout, target: str, subcommand: str) -> str:
    """Run a make target and kill the first Terraform of a subcommand; what the target said, which must have failed."""
    with checkout.start("make", "-s", target) as command:

        def killed() -> bool:
            found = [one for one in below(command.pid) if words(one)[:2] == ["terraform", subcommand]]
            return any(map(kill, found)) or command.poll() is not None

        until(killed, f"terraform {subcommand}")
        printed = command.communicate()[0]
    assert command.returncode != 0, printed
    return printed


def run_schedules_with_server_killed(checkout: Checkout) -> None:
    """Run the scheduled queries, and kill the embedded server while the first one runs."""
    server = checkout.status()["pid"]
    with checkout.start(".venv/bin/python", "-m", "operations", "run-schedules") as command:
        until(lambda: _runs(checkout) or command.poll() is not None, "a run")
        kill(server)
        printed = command.communicate()[0]
    assert command.returncode != 0, printed
    assert "Traceback" not in printed


def _runs(checkout: Checkout) -> bool:
    return any(
        run["state"] == "RUNNING"
        for config in transfer_configs(checkout)
        for run in checkout.api(f"bigquerydatatransfer/v1/{config['name']}/runs")["transferRuns"]
    )
