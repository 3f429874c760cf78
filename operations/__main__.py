"""The operators' command line: ``python -m operations COMMAND``; EROS_ENV, or --env, names the environment."""

from __future__ import annotations

if __name__ == "__main__":
    from starting import end_early_with_a_sentence

    end_early_with_a_sentence()  # the imports below take their time

import json
import os
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from catalog import CatalogError, load_catalog, retarget
from catalog.command_line import at_the_end, run
from catalog.deadline import Deadline  # noqa: TC001 - typer reads the annotations
from declared.environment import Environment, EnvironmentFileError, json_schema
from declared.json_files import UnreadableFileError, read_text
from declared.loading import load_environment, named
from declared.names import Part, stack_names
from declared.output import MaskingConsole, mask_failures, public, write_out
from google.client import GoogleApi
from google.failures import LiveSystemError
from google.waiting import end_all_waits
from operations import day
from operations.deploy import deployment, planning, previews, rollback
from operations.deploy.bootstrap import bootstrap as make_bootstrap
from operations.deploy.cdktf import cdktf_variables
from operations.deploy.scheduled_runs import run_each_schedule
from operations.deploy.steps import StepFailedError
from operations.deploy.synthesis import adoption_of
from operations.export import export_schedule
from operations.export_files import FileKind  # noqa: TC001 - typer reads the annotations
from operations.rehearsal import NIGHTS, night_of, plant, take_back
from operations.review import cost, cost_report, github
from operations.review.plan_markdown import markdown
from operations.review.plan_summary import costs_of, summarize
from operations.review.planned import read_plans
from operations.review.sections import counted
from verification.deadlines import DEADLINES, end_if_incomplete, half_done, within
from verification.report import refuse_what_is_no_file

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = MaskingConsole()
errors = MaskingConsole(stderr=True)

preview = typer.Typer(no_args_is_help=True, help="Temporary environments by number: up, down, sweep.")
app.add_typer(preview, name="preview")

Env = Annotated[str | None, typer.Option("--env", help="local, staging or prod; by default EROS_ENV, else local")]
Host = Annotated[
    str | None, typer.Option("--env", help="preview-local or preview, or their host environment; by default EROS_ENV")
]
Number = Annotated[int, typer.Argument(min=1, max=999_999, metavar="NUMBER", help="a preview's number, such as 7")]
Base = Annotated[str | None, typer.Option(help="a git revision whose costs to compare with, e.g. origin/main")]
Adopt = Annotated[bool, typer.Option("--adopt", help="import objects that exist already", envvar="ADOPT")]
Approve = Annotated[bool, typer.Option("--auto-approve", help="apply without asking", envvar="AUTO_APPROVE")]


class Format(StrEnum):
    """How a report is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


class SummaryFormat(StrEnum):
    """How a plan's summary is written."""

    MARKDOWN = "markdown"
    JSON = "json"


@app.command()
def deploy(
    env: Env = None, adopt: Adopt = False, auto_approve: Approve = False, deadline: Deadline = DEADLINES["deploy"]
) -> None:
    """Deploy every stack, run each scheduled query once, verify the live system."""
    environment = load_environment(env)
    with _within_unless_asking(deadline, auto_approve or environment.filled_here):
        outcome = deployment.deploy(environment, console, adopt, auto_approve)
        deployment.print_summary(environment, outcome, console)
        day.print_day(GoogleApi(environment), console)


@app.command()
def plan(env: Env = None, adopt: Adopt = False, deadline: Deadline = DEADLINES["plan"]) -> None:
    """Show what a deployment would change, stack by stack; changes nothing."""
    with within(deadline) as limit:
        planning.plan(load_environment(env), console, adopt)
    end_if_incomplete(limit, _complain)


@app.command()
def plan_summary(  # noqa: PLR0917 - an option each
    env: Env = None,
    base: Base = None,
    plans: Annotated[Path | None, typer.Option(help="a folder of STACK.json, of `terraform show -json`")] = None,
    output: Annotated[Path | None, typer.Option(help="write to this file; by default to the screen")] = None,
    link: Annotated[str, typer.Option(help="address of the whole plan; shown where something was cut")] = "",
    form: Annotated[SummaryFormat, typer.Option("--format", help="markdown or json")] = SummaryFormat.MARKDOWN,
    deadline: Deadline = DEADLINES["plan-summary"],
) -> None:
    """Summarize the plans of `make plan` for a reviewer: one Markdown comment, or JSON.

    Exit code 1 when a deployment would be refused.
    """
    with within(deadline) as limit:
        environment = load_environment(env)
        catalog = retarget(load_catalog(), environment.project, environment.dataset, environment.location)
        plans_of_stacks = read_plans(stack_names(environment.name), cdktf_variables(environment), plans)
        with half_done("The plans and what they cost"):
            summary = summarize(environment, catalog, plans_of_stacks)
            costs = costs_of(summary, catalog, base)
        text = summary.as_json(costs) if form is SummaryFormat.JSON else markdown(summary, costs, link)
        if output is None:
            write_out(text)
        else:
            _write_file(output, text)
            console.print(f"{output}: {summary.headline}", markup=False, highlight=False)
        end_if_incomplete(limit, _complain)
    raise typer.Exit(int(summary.refused))


@app.command()
def destroy(
    env: Env = None,
    stack: Annotated[Part | None, typer.Option(help="one stack only")] = None,
    auto_approve: Approve = False,
    deadline: Deadline = DEADLINES["destroy"],
) -> None:
    """Destroy one stack, or all; a guarded environment keeps its warehouse."""
    environment = load_environment(env)
    with _within_unless_asking(deadline, auto_approve or environment.filled_here):
        rollback.destroy(environment, console, stack, auto_approve)


@app.command()
def bootstrap(
    env: Env = None, adopt: Adopt = False, auto_approve: Approve = False, deadline: Deadline = DEADLINES["bootstrap"]
) -> None:
    """Create the bucket of Terraform's state and the accounts of GitHub's workflows; before the first deployment."""
    with _within_unless_asking(deadline, auto_approve):
        make_bootstrap(load_environment(env), console, adopt, auto_approve)


@app.command()
def adopt(env: Env = None, deadline: Deadline = DEADLINES["adopt"]) -> None:
    """Print the import ids of declared objects that exist already; EROS_ADOPT takes a file of them."""
    with within(deadline), half_done("What exists of what is declared"), TemporaryDirectory() as folder:
        adoption = adoption_of(load_environment(env), Path(folder))
        write_out(json.dumps(adoption.found, indent=2) + "\n")
        errors.print(str(adoption), markup=False, highlight=False, soft_wrap=True)


@app.command(name="day")
def newest_day(env: Env = None, deadline: Deadline = DEADLINES["day"]) -> None:
    """Show the newest day: its runs, its queue, its reports, and captions selected for one creator, with reasons."""
    with within(deadline):
        day.print_day(GoogleApi(load_environment(env)), console)


@app.command()
def export(  # noqa: PLR0917 - an option each
    schedule: Annotated[str, typer.Argument(metavar="SCHEDULE", help="a schedule's id")],
    kind: Annotated[FileKind, typer.Option("--as", help="csv, json, or sheets: a workbook that Google Sheets opens")],
    env: Env = None,
    output: Annotated[Path | None, typer.Option(help="the file; by default SCHEDULE.csv, .json or .xlsx here")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a file that exists")] = False,
    deadline: Deadline = DEADLINES["export"],
) -> None:
    """Write a schedule's active messages to a file, and record that in schedule_export_log, also when it fails.

    Exit code 1 when a message has no text. Example: python -m operations export S-2026-48 --as sheets
    """
    with within(deadline):
        made = export_schedule(GoogleApi(load_environment(env)), schedule, kind, output, overwrite)
        console.print(
            f"{made.file}: {counted(len(made.messages), 'message')}", markup=False, highlight=False, soft_wrap=True
        )
    if made.problem:
        raise StepFailedError(made.problem, 1)


@app.command(name="cost")
def cost_of_everything(
    env: Env = None,
    base: Base = None,
    output: Annotated[Format, typer.Option("--format", help="table, markdown or json")] = Format.TABLE,
    deadline: Deadline = DEADLINES["cost"],
) -> None:
    """Print the cost of each routine, view and scheduled query; exit 1 over a budget or when a dry run fails."""
    with within(deadline) as limit:
        environment = load_environment(env)
        proposed = retarget(load_catalog(), environment.project, environment.dataset, environment.location)
        api = GoogleApi(environment)
        if base is None:
            changes = [cost.CostChange(each.name, None, each) for each in cost.estimate(api, proposed)]
        else:
            changes = cost.compare_everything(api, cost.base_catalog(base, environment), proposed)
        if output is Format.TABLE:
            wide = console if console.is_terminal else MaskingConsole(width=cost_report.LOG_WIDTH)
            wide.print(cost_report.table(changes, base is not None))
        else:
            write = cost_report.markdown if output is Format.MARKDOWN else cost_report.as_json
            write_out(write(changes, base is not None) + "\n")
        end_if_incomplete(limit, _complain)
    proposed_calls = [each.proposed for each in changes if each.proposed]
    raise typer.Exit(int(any(each.over_budget or each.problem for each in proposed_calls)))


@app.command()
def environment_schema() -> None:
    """Print the JSON schema of the environment files, which is environments/schema.json."""
    print(json_schema(), end="")  # noqa: T201 - for a file


@app.command()
def run_schedules(env: Env = None, deadline: Deadline = DEADLINES["run-schedules"]) -> None:
    """Run each scheduled query once, for the last time that it was due.

    What check_health finds is printed and changes no exit code.
    """
    failed = False
    with within(deadline):
        for done in run_each_schedule(GoogleApi(load_environment(env))):
            console.print(
                f"{done.schedule.display_name}: {done.state} in {done.seconds:.1f} s {done.message}", highlight=False
            )
            deployment.print_findings(done, console)
            failed = failed or not done.succeeded
    raise typer.Exit(int(failed))


@app.command()
def rehearse(
    night: Annotated[str, typer.Argument(metavar="NIGHT", help=", ".join(NIGHTS))],
    env: Env = None,
    back: Annotated[bool, typer.Option("--back", help="take the night back, fixed or not")] = False,
    deadline: Deadline = DEADLINES["rehearse"],
) -> None:
    """Plant a problem in sample data, to practise on; take it back with --back.

    Example: python -m operations rehearse breaker; python -m verification doctor; python -m operations rehearse breaker
    --back
    """
    with within(deadline), half_done(f"The night {night}"):
        environment = load_environment(env)
        chosen = night_of(environment, night)
        (take_back if back else plant)(GoogleApi(environment), chosen)
        told = f"Taken back: {night}."
        if not back:
            told = (
                f"{chosen.title}\nFind it and fix it: python -m verification doctor --env {environment.name}\n"
                f"Then: python -m operations rehearse {night} --back --env {environment.name}"
            )
        console.print(told, markup=False, highlight=False, soft_wrap=True)


@app.command()
def comment(
    pull_request: Annotated[int, typer.Option(min=1, help="number of the pull request")],
    file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Markdown; its first line a hidden tag")],
    deadline: Deadline = DEADLINES["comment"],
) -> None:
    """Write a file as a comment on a pull request at GitHub; it replaces the one with the same tag."""
    with within(deadline):
        done = github.write_comment(github.repository_of(os.environ), pull_request, _text_of(file))
        console.print(done, markup=False, highlight=False, soft_wrap=True)


@app.command()
def drift_issue(
    file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="output of verification drift --format json")],
    link: Annotated[str, typer.Option(help="address of the run that made the report")],
    env: Env = None,
    deadline: Deadline = DEADLINES["drift-issue"],
) -> None:
    """Open, update or close the one issue at GitHub that shows what has drifted."""
    with within(deadline):
        report = _text_of(file)
        done = github.write_drift_issue(github.repository_of(os.environ), load_environment(env).name, report, link)
        console.print(done, markup=False, highlight=False, soft_wrap=True)


@preview.command()
def up(number: Number, env: Host = None, deadline: Deadline = DEADLINES["preview up"]) -> None:
    """Create a preview: its own dataset with sample data, every stack, one run of each schedule, verification."""
    with within(deadline):
        environment = _preview(number, env)
        outcome = deployment.deploy(environment, console, adopt=True, auto_approve=True)
        deployment.print_summary(environment, outcome, console)


@preview.command()
def down(number: Number, env: Host = None, deadline: Deadline = DEADLINES["preview down"]) -> None:
    """Delete a preview with everything that has its name."""
    with within(deadline):
        previews.down(_preview(number, env), console)


@preview.command()
def sweep(env: Host = None, deadline: Deadline = DEADLINES["preview sweep"]) -> None:
    """Delete every preview that has expired; for a nightly run."""
    with within(deadline):
        previews.sweep(previews.template_of(named(env)), console)


def _within_unless_asking(deadline: float, approved: bool) -> AbstractContextManager[object]:
    """A deadline; none where a person is asked, who may think as long as needed."""
    return within(deadline) if approved else nullcontext()


def _write_file(file: Path, text: str) -> None:
    try:
        refuse_what_is_no_file(file)
        with half_done(f"Writing {file}"):
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StepFailedError(f"{file}: not writable: {error.strerror}", 2) from None


def _text_of(file: Path) -> str:
    try:
        return read_text(file, errors="replace")
    except UnreadableFileError as error:
        raise StepFailedError(f"{file} {error}", 2) from None


def _preview(number: int, env: str | None) -> Environment:
    return load_environment(f"{previews.template_of(named(env))}-{number}")


def _complain(message: str) -> None:
    errors.print(message, markup=False, highlight=False, soft_wrap=True)


#: What can go wrong; the messages are for the reader.
KNOWN = (StepFailedError, EnvironmentFileError, CatalogError, LiveSystemError)


def main() -> None:
    """Run the command line; an error is one message and exit code 1 or 2."""
    mask_failures()
    at_the_end(end_all_waits)
    run("python -m operations", app, KNOWN, public)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
