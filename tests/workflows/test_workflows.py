"""The workflows: each job has the rights it needs and no other, deployments never overlap, and every run step runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from catalog.files import REPOSITORY
from tests.harness.checkout import copy_checkout
from tests.harness.github_server import github_server
from tests.harness.workflow_steps import WORKFLOWS, read_workflow, run_step, run_steps

if TYPE_CHECKING:
    from pathlib import Path

READS = {"contents": "read"}
AUTHENTICATES = {**READS, "id-token": "write"}
#: Every job and its permissions.
PERMISSIONS = {
    ("check", "check"): READS,
    ("long", "long"): READS,
    ("plan", "plan"): AUTHENTICATES,
    ("plan", "comment"): {**READS, "pull-requests": "write"},
    ("deploy", "staging"): AUTHENTICATES,
    ("deploy", "prod"): AUTHENTICATES,
    ("drift", "drift"): AUTHENTICATES,
    ("drift", "issue"): {**READS, "issues": "write"},
    ("preview", "up"): AUTHENTICATES,
    ("preview", "down"): AUTHENTICATES,
    ("preview", "sweep"): AUTHENTICATES,
}
#: Jobs that change an environment, each with the group in which one runs at a time.
CHANGING = {
    ("deploy", "staging"): "deploy-staging",
    ("deploy", "prod"): "deploy-prod",
    ("preview", "up"): "preview",
    ("preview", "down"): "preview",
    ("preview", "sweep"): "preview",
}
#: The account of each job that changes an environment; a job of any branch never acts as the deployer.
ACCOUNTS = {pair: "PREVIEWER" if pair[1] in {"up", "down"} else "DEPLOYER" for pair in CHANGING}
OF_THIS_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
NAMES = sorted(path.stem for path in WORKFLOWS.glob("*.yml"))
TEXTS = {name: (WORKFLOWS / f"{name}.yml").read_text(encoding="utf-8") for name in NAMES}
JOBS = [(name, job) for name in NAMES for job in read_workflow(name)["jobs"]]
RUNS = [(name, job, step.line) for name, job in JOBS for step in run_steps(name, job)]
#: With GitHub's own variables a runner has what the run lines use.
RUNNER = re.compile(r"GITHUB_(BASE_REF|SERVER_URL|REPOSITORY|RUN_ID)")
LINT = REPOSITORY / "operations" / "actionlint.sh"
VERSION = re.findall(r"^version=(\S+)$", LINT.read_text(encoding="utf-8"), re.MULTILINE)[0]


def job_of(name: str, job: str) -> dict[str, Any]:
    found: dict[str, Any] = read_workflow(name)["jobs"][job]
    return found


def uses(name: str, job: str, action: str) -> list[dict[str, Any]]:
    """The steps of a job that use an action."""
    return [step for step in job_of(name, job)["steps"] if step.get("uses", "").startswith(f"{action}@")]


def test_the_jobs_are_those_of_the_table() -> None:
    assert set(JOBS) == set(PERMISSIONS)


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_to_one_commit_with_its_version_in_a_comment(name: str) -> None:
    used = re.findall(r"uses: (.*)", TEXTS[name])
    assert used
    pins: dict[str, str] = dict(
        line.split("@", 1) for text in TEXTS.values() for line in re.findall(r"uses: (.*)", text)
    )
    for line in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
        action, pin = line.split("@", 1)
        assert pins[action] == pin, f"{action} is used in two versions"


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_has_no_rights_no_secret_and_no_trigger_that_gives_a_fork_more(name: str) -> None:
    assert read_workflow(name)["permissions"] == {}
    assert not re.search(r"pull_request_target|workflow_run|secrets\b|credentials_json|write-all", TEXTS[name])


def expressions_in_commands(content: dict[Any, Any]) -> list[str]:
    """The commands and scripts of a workflow that GitHub writes a value into before they are read."""
    steps = [step for job in content["jobs"].values() for step in job["steps"]]
    scripts = [str(step[key]) for step in steps for key in ("run", "shell", "working-directory") if key in step]
    scripts += [str(step["with"]["script"]) for step in steps if "script" in step.get("with", {})]
    return [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("name", NAMES)
def test_no_value_is_written_into_a_command(name: str) -> None:
    """A title, a branch or a label may contain a command: values come by ``env``, and are quoted."""
    assert expressions_in_commands(read_workflow(name)) == []
    for job in read_workflow(name)["jobs"]:
        for step in run_steps(name, job):
            unquoted = re.sub(r'"[^"]*"', "", step.line)
            assert not re.search(r"\$\w|\$\{", unquoted), step.line


@pytest.mark.parametrize("value", ["github.event.pull_request.title", "github.head_ref", "inputs.name", "matrix.env"])
def test_a_value_in_a_command_is_found(value: str) -> None:
    steps = [{"run": f"echo '${{{{ {value} }}}}'"}, {"uses": "a@b", "with": {"script": f"f(${{{{ {value} }}}})"}}]
    assert len(expressions_in_commands({"jobs": {"a": {"steps": steps}}})) == 2


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_has_the_rights_of_the_table_and_ends(name: str, job: str) -> None:
    content = job_of(name, job)
    assert content["permissions"] == PERMISSIONS[name, job]
    assert 0 < content["timeout-minutes"] <= 60
    for checkout in uses(name, job, "actions/checkout"):
        assert checkout["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_with_an_identity_uses_it_without_a_key_by_the_least_account_and_writes_nothing_at_github(
    name: str, job: str
) -> None:
    logins = uses(name, job, "google-github-actions/auth")
    assert len(logins) == (PERMISSIONS[name, job] == AUTHENTICATES)
    for login in logins:
        account = ACCOUNTS.get((name, job), "PLANNER")
        assert login["with"] == {
            "workload_identity_provider": "${{ vars.WORKLOAD_IDENTITY_PROVIDER }}",
            "service_account": f"${{{{ vars.{account} }}}}",
        }
        assert "GITHUB_TOKEN" not in str(job_of(name, job))


def test_what_is_installed_runs_before_there_are_credentials() -> None:
    for name, job in JOBS:
        steps = job_of(name, job)["steps"]
        first_run = next(index for index, step in enumerate(steps) if "run" in step)
        assert steps[first_run]["run"] == "make setup"
        logins = [i for i, step in enumerate(steps) if step.get("uses", "").startswith("google-github-actions/auth@")]
        assert all(first_run < login for login in logins)


@pytest.mark.parametrize(("name", "job"), sorted(CHANGING))
def test_two_never_change_one_environment_at_the_same_time(name: str, job: str) -> None:
    assert job_of(name, job)["concurrency"] == {"group": CHANGING[name, job], "cancel-in-progress": False}


@pytest.mark.parametrize(("name", "job"), sorted(CHANGING))
def test_an_account_is_used_in_the_github_environment_that_it_takes(name: str, job: str) -> None:
    assert (job_of(name, job)["environment"] == "preview") == (ACCOUNTS[name, job] == "PREVIEWER")


def test_jobs_that_change_a_preview_run_alone() -> None:
    """The sweep may delete any number: a group per number would let it run during that number's own jobs."""
    touching = {pair for pair in JOBS if any("operations preview" in step.line for step in run_steps(*pair))}
    assert touching
    groups = {job_of(name, job)["concurrency"]["group"] for name, job in touching}
    assert len(groups) == 1
    assert "${{" not in groups.pop()


def test_no_preview_is_created_for_a_closed_pull_request() -> None:
    assert "&& github.event.pull_request.state == 'open'" in job_of("preview", "up")["if"]


def test_no_other_job_changes_anything() -> None:
    for name, job, line in RUNS:
        assert ((name, job) in CHANGING) or not re.search(r"deploy|preview|destroy|rollback|bootstrap", line)


def test_prod_follows_staging_and_waits_for_its_reviewers() -> None:
    workflow = read_workflow("deploy")
    assert workflow[True] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    staging, prod = workflow["jobs"]["staging"], workflow["jobs"]["prod"]
    assert prod["needs"] == "staging"
    assert (staging["environment"], prod["environment"]) == ("staging", "prod")
    assert (staging["env"]["ENV"], prod["env"]["ENV"]) == ("staging", "prod")
    assert staging["if"] == prod["if"] == "github.ref == 'refs/heads/main'"
    lines = [step.line for step in run_steps("deploy", "staging")]
    assert lines == [step.line for step in run_steps("deploy", "prod")] == ["make setup", "make deploy", "make verify"]


@pytest.mark.parametrize(("name", "job"), [pair for pair in JOBS if pair[0] in {"plan", "drift"}])
def test_planning_needs_no_approval_and_covers_both_environments(name: str, job: str) -> None:
    content = job_of(name, job)
    assert content["strategy"] == {"fail-fast": False, "matrix": {"env": ["staging", "prod"]}}
    assert content.get("environment") == ("${{ matrix.env }}-plan" if job == name else None)


@pytest.mark.parametrize(("name", "job"), [("plan", "plan"), ("preview", "up"), ("preview", "down")])
def test_a_forks_pull_request_gets_no_identity(name: str, job: str) -> None:
    condition = job_of(name, job)["if"]
    assert condition.startswith(OF_THIS_REPOSITORY)
    assert "||" not in re.sub(r"\(.*\)", "", condition, flags=re.DOTALL), "nothing except the first condition"


def test_what_writes_to_the_pull_request_runs_the_base_branchs_code() -> None:
    for name, job in (("plan", "comment"), ("preview", "down")):
        (checkout,) = uses(name, job, "actions/checkout")
        assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.ref }}"


@pytest.mark.parametrize(("name", "giver", "taker"), [("plan", "plan", "comment"), ("drift", "drift", "issue")])
def test_a_text_is_passed_on_in_a_folder_where_it_replaces_no_code(name: str, giver: str, taker: str) -> None:
    (upload,), (download,) = (
        uses(name, giver, "actions/upload-artifact"),
        uses(name, taker, "actions/download-artifact"),
    )
    assert upload["with"]["name"] == download["with"]["name"]
    assert download["with"]["path"] == "downloaded"
    assert upload["with"]["path"] in run_steps(name, giver)[-1].line
    assert f"--file downloaded/{upload['with']['path']} " in run_steps(name, taker)[-1].line + " "


@pytest.mark.parametrize(("name", "job", "line"), RUNS)
def test_a_run_line_is_one_command_whose_values_come_by_variables(name: str, job: str, line: str) -> None:
    assert re.fullmatch(r"(make [a-z-]+|\.venv/bin/python -m (operations|verification) \S.*)", line), "one line"
    assert "${{" not in line
    step = next(step for step in run_steps(name, job) if step.line == line)
    for used in re.findall(r"\$(\w+)", line):
        assert used in step.env or used in step.given or RUNNER.fullmatch(used), f"${used} is set nowhere"
    assert len(re.findall(r"\$", line)) == len(re.findall(r'(?<=["/])\$\w+', line)), "every variable is quoted"


def test_every_job_runs_in_a_test() -> None:
    """Those that use an environment run in the lifecycle test, by name; the others run the tests."""
    files = (REPOSITORY / "tests" / "lifecycle").glob("*.py")
    story = "\n".join(file.read_text(encoding="utf-8") for file in files)
    steps_of_staging = job_of("deploy", "staging")["steps"]
    same = {pair for pair in JOBS if pair[0] == "deploy" and job_of(*pair)["steps"] == steps_of_staging}
    for name, job in set(JOBS) - {("check", "check"), ("long", "long")} - same | {("deploy", "staging")}:
        assert re.search(rf'(job|run_steps)\((checkout, )?"{name}", "{job}"', story), f"{name}: {job}"


def test_make_test_is_what_continuous_integration_runs_elsewhere() -> None:
    lines = [step.line for step in run_steps("check", "check")]
    assert lines == ["make setup", "make test"]
    assert [step.line for step in run_steps("long", "long")] == ["make setup", "make test-long"]
    assert "exec make test" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


def test_the_setup_of_a_check_runs_here() -> None:
    """In this checkout itself, where all is installed. `make test` is what runs this."""
    (step,) = (step for step in run_steps("check", "check") if step.line == "make setup")
    done = run_step(step, REPOSITORY, {})
    assert done.returncode == 0, done.stdout


def test_a_make_target_takes_the_environment_from_the_jobs_variable() -> None:
    """By `make verify`, which changes nothing; what is exported is the same for each target."""
    done = run_step(run_steps("deploy", "prod")[-1], REPOSITORY, {"ENV": "nowhere"})
    assert done.returncode == 2
    assert "no environment 'nowhere'" in done.stdout


def test_the_comment_job_updates_its_comment_in_place(tmp_path: Path) -> None:
    """What it writes is a file of an earlier job; tests/lifecycle runs the jobs that use an environment."""
    checkout = copy_checkout(tmp_path)
    plan = checkout / "downloaded" / "plan.md"
    plan.parent.mkdir()
    with github_server() as github:
        for text in ("old", "new"):
            plan.write_text(f"<!-- eros-plan staging -->\n{text}\n")
            done = run_step(run_steps("plan", "comment")[-1], checkout, {**github.variables, "NUMBER": "7"})
            assert done.returncode == 0, done.stdout
    assert [comment["body"] for comment in github.comments] == ["<!-- eros-plan staging -->\nnew\n"]


def lint(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run the linter's script in a folder that contains only workflows."""
    (folder / "operations").mkdir(exist_ok=True)
    (folder / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    script = shutil.copy(LINT, folder / "operations")
    return subprocess.run([script], env={"PATH": path}, capture_output=True, text=True, check=False)


def go(folder: Path, recipe: str) -> str:
    """A PATH whose Go does what a test says."""
    (folder / "bin").mkdir()
    (folder / "bin" / "go").write_text(f"#!/bin/sh\n{recipe}\n")
    (folder / "bin" / "go").chmod(0o755)
    return f"{folder / 'bin'}:/usr/bin:/bin"


def test_without_go_or_without_its_module_the_workflows_are_not_linted_and_a_message_says_so(tmp_path: Path) -> None:
    nowhere = tmp_path / "empty"
    nowhere.mkdir()
    for command in ("dirname", "sh"):
        (nowhere / command).symlink_to(str(shutil.which(command)))
    done = lint(tmp_path, str(nowhere))
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "not linted" in done.stdout

    done = lint(tmp_path, go(tmp_path, "echo go: downloading >&2; echo dial tcp: no route >&2; exit 1"))
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].endswith(f"could not install actionlint {VERSION}: dial tcp: no route")


def test_the_linter_is_installed_once_and_its_findings_fail_the_check(tmp_path: Path) -> None:
    linter = r"printf '#!/bin/sh\necho finding; exit 1\n' > $GOBIN/actionlint; chmod +x $GOBIN/actionlint"
    path = go(tmp_path, f'echo "$@" >> {tmp_path}/installed; {linter}')
    for _ in range(2):
        assert lint(tmp_path, path).returncode == 1
    installed = (tmp_path / "installed").read_text()
    assert installed == f"install github.com/rhysd/actionlint/cmd/actionlint@v{VERSION}\n"


@pytest.mark.skipif(shutil.which("go") is None, reason="actionlint is built by Go, and there is none on the PATH")
def test_the_linter_finds_what_github_would_refuse(tmp_path: Path) -> None:
    installed = REPOSITORY / ".venv" / "bin" / f"actionlint-{VERSION}"
    if not installed.exists():
        pytest.skip("actionlint could not be installed; make check said why")
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / installed.name).symlink_to(installed)
    broken = read_workflow("check")
    broken["on"] = broken.pop(True)
    broken["jobs"]["check"]["needs"] = "nothing"
    (tmp_path / ".github" / "workflows" / "check.yml").write_text(yaml.safe_dump(broken))
    done = lint(tmp_path, "/usr/bin:/bin")
    assert done.returncode == 1
    assert 'needs job "nothing"' in done.stdout
