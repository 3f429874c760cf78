"""The variables that point Terraform and its provider to the embedded environment.

With ``EROS_PROVIDER=google`` Terraform installs the real provider, from a registry or a mirror, and runs it instead of
the stand-in. At each start that provider asks a userinfo address which has no setting. Offline the request fails and is
only logged. No proxy variable stops it: that would keep Terraform from the registry too.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from local.process import running

if TYPE_CHECKING:
    from local.process import Server

#: In catalog.files.REPOSITORY, whose import would double the time of `python -m local env`.
DATA = Path(__file__).resolve().parent.parent / ".local"
NOT_UP = "The embedded environment is not running: start it with `python -m local up`."


def terraform_variables(server: Server) -> dict[str, str]:
    """Name each variable and its value.

    Args:
        server: the running embedded environment.
    """
    variables = {
        "GOOGLE_BIG_QUERY_CUSTOM_ENDPOINT": f"{server.endpoint}/bigquery/v2/",
        "GOOGLE_BIGQUERY_DATA_TRANSFER_CUSTOM_ENDPOINT": f"{server.endpoint}/bigquerydatatransfer/v1/",
        "GOOGLE_IAM_CUSTOM_ENDPOINT": f"{server.endpoint}/iam/v1/",
        "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT": f"{server.endpoint}/cloudresourcemanager/v1/",
        "GOOGLE_MONITORING_CUSTOM_ENDPOINT": f"{server.endpoint}/monitoring/",
        "GOOGLE_IAM_BETA_CUSTOM_ENDPOINT": f"{server.endpoint}/iam/v1/",
        "GOOGLE_STORAGE_CUSTOM_ENDPOINT": f"{server.endpoint}/storage/v1/",
        "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": f"{server.endpoint}/storage/v1/",
        "GOOGLE_OAUTH_ACCESS_TOKEN": "local",
        "CHECKPOINT_DISABLE": "1",
    }
    if os.environ.get("EROS_PROVIDER") != "google":
        variables["TF_REATTACH_PROVIDERS"] = server.provider
    return variables


def print_variables() -> int:
    """Print the variables as ``export`` lines for a shell.

    Returns:
        The exit code: 1 when no server runs, 2 when it serves another environment.
    """
    server = running(DATA)
    name = os.environ.get("EROS_ENV") or "local"
    if server is None:
        print(NOT_UP, file=sys.stderr)  # noqa: T201 - for a shell
        return 1
    if name != server.environment and (problem := _mismatch(name, server)):
        print(problem, file=sys.stderr)  # noqa: T201 - for a shell
        return 2
    for variable, value in terraform_variables(server).items():
        print(f"export {variable}={shlex.quote(value)}")  # noqa: T201 - for a shell
    return 0


def _mismatch(name: str, server: Server) -> str | None:
    """Explain why an environment cannot use a server of another name. A preview uses its host's server."""
    from declared.environment import EnvironmentFileError  # noqa: PLC0415 - slow, and rarely needed
    from declared.loading import load_environment  # noqa: PLC0415 - slow, and rarely needed

    try:
        host = load_environment(name).host
    except EnvironmentFileError as error:
        return str(error)
    if host == server.environment:
        return None
    return f"The running server belongs to the environment {server.environment!r}, not {name!r}."
