"""The embedded environment's command line: ``python -m local up|down|status|env|seed|serve``."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = REPOSITORY / ".local"


def variables(server: dict[str, str]) -> dict[str, str]:
    """The variables that lead Terraform and its provider to a server.

    With EROS_PROVIDER=google the stand-in stays out: Terraform finds the real provider by its own means.
    """
    endpoint = server["endpoint"]
    found = {
        "GOOGLE_BIG_QUERY_CUSTOM_ENDPOINT": f"{endpoint}/bigquery/v2/",
        "GOOGLE_BIGQUERY_DATA_TRANSFER_CUSTOM_ENDPOINT": f"{endpoint}/bigquerydatatransfer/v1/",
        "GOOGLE_IAM_CUSTOM_ENDPOINT": f"{endpoint}/iam/v1/",
        "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT": f"{endpoint}/cloudresourcemanager/v1/",
        "GOOGLE_OAUTH_ACCESS_TOKEN": "local",
        "CHECKPOINT_DISABLE": "1",
    }
    if os.environ.get("EROS_PROVIDER") != "google":
        found |= {"TF_REATTACH_PROVIDERS": server["provider"], "CDKTF_SKIP_PROVIDER_LOCK": "true"}
    return found


def print_variables() -> int:
    """``env``: export lines for a shell. It stands apart, since every cdktf command begins with it."""
    from local.process import read_server_file  # noqa: PLC0415 - see above

    server = read_server_file(DATA)
    if server is None:
        print("the embedded environment is not up: start it with `make up` (python -m local up)", file=sys.stderr)  # noqa: T201
        return 1
    for name, value in variables(server).items():
        print(f"export {name}='{value}'")  # noqa: T201 - for a shell
    return 0


class StatusFormat(StrEnum):
    """How ``status`` prints."""

    table = "table"
    json = "json"


def main() -> None:
    """Run the command line; what went wrong is said in words, with exit code 1 or 2."""
    if sys.argv[1:] == ["env"]:
        raise SystemExit(print_variables())

    import typer  # noqa: PLC0415 - a quarter of a second that `env` does without
    from rich.console import Console  # noqa: PLC0415

    from local import LocalError, process  # noqa: PLC0415
    from stacks.environment import Environment, EnvironmentFileError, load_environment  # noqa: PLC0415

    app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
    console = Console(highlight=False)

    def embedded() -> Environment:
        environment = load_environment()
        if environment.endpoint is None:
            raise EnvironmentFileError(
                f"environment {environment.name!r} speaks to Google: only one with an `endpoint` can be embedded"
            )
        return environment

    @app.command()
    def up() -> None:
        """Start the embedded environment; returns once it answers."""
        environment = embedded()
        started = process.start(DATA, int(str(environment.endpoint).rsplit(":", 1)[1]), REPOSITORY)
        console.print(f"{'up' if started else 'already up'} at {environment.endpoint}")

    @app.command()
    def down() -> None:
        """Stop it; data and state stay."""
        console.print("down" if process.stop(DATA) else "was not up")

    @app.command()
    def status(
        output: Annotated[StatusFormat, typer.Option("--format", help="table or json")] = StatusFormat.table,
    ) -> None:
        """Whether it is up, and where; exit 1 when it is not."""
        server = process.read_server_file(DATA)
        if server is None:
            console.print("{}" if output is StatusFormat.json else "not up: start it with `make up`")
            raise typer.Exit(1)
        endpoint = server["endpoint"]
        found = {
            "bigquery": f"{endpoint}/bigquery/v2",
            "project": server["project"],
            "dataset": server["dataset"],
            "data_transfer": f"{endpoint}/bigquerydatatransfer/v1",
            "iam": f"{endpoint}/iam/v1",
            "resource_manager": f"{endpoint}/cloudresourcemanager/v1",
            "provider": server["provider"],
            "pid": server["pid"],
            "data": str(DATA),
        }
        if output is StatusFormat.json:
            print(json.dumps(found, indent=2))  # noqa: T201 - for a pipe: no wrapping
        else:
            for name, value in found.items():
                console.print(f"{name:>16}  {value}", soft_wrap=True)

    @app.command()
    def env() -> None:
        """Print the variables that lead Terraform here, as export lines."""
        raise typer.Exit(print_variables())

    @app.command()
    def seed() -> None:
        """Create the objects that others own, with sample data, unless they stand."""
        from local.sample_data import seed as create  # noqa: PLC0415 - numpy and pyarrow

        console.print(create(embedded()))

    @app.command()
    def serve(
        port: Annotated[int, typer.Option(help="TCP port of 127.0.0.1; 0: any free one")],
        data: Annotated[Path, typer.Option(help="the folder of everything that is kept")] = DATA,
    ) -> None:
        """Serve in the foreground until SIGTERM or SIGINT."""
        from local import server  # noqa: PLC0415 - DuckDB, FastAPI, grpc

        environment = embedded()
        data.mkdir(parents=True, exist_ok=True)
        server.serve(port, data, environment.project, environment.project_number, environment.dataset)

    try:
        app()
    except (EnvironmentFileError, LocalError, OSError) as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
