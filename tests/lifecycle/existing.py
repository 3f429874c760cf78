"""What exists in a checkout's project, and a deployment whose server is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

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


def deploy_with_server_killed(checkout: Checkout, created: str) -> None:
    """Deploy, and kill the embedded server while Terraform creates the first object of a type."""
    log = checkout.folder / ".local" / "cdktf.log"
    seen = log.stat().st_size if log.exists() else 0
    server = checkout.status()["pid"]
    with subprocess.Popen(
        ["make", "-s", "deploy"],
        cwd=checkout.folder,
        env={**os.environ, "EROS_ENV": "local"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as deploy:
        while not _creates(log.read_bytes()[seen:].decode() if log.exists() else "", created):
            assert deploy.poll() is None, deploy.communicate()[0]
            time.sleep(0.02)  # a log that grows gives no event
        os.kill(server, signal.SIGKILL)
        output = deploy.communicate()[0]
    assert deploy.returncode != 0, output


def _creates(log: str, created: str) -> bool:
    return f"{created}." in log and "Creat" in log
