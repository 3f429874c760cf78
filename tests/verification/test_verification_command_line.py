"""The command line: exit codes, several formats in one run, and one clear line when it could not run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from threading import Timer
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from google.api_core.exceptions import Forbidden
from google.cloud import bigquery

from catalog import command_line as failing
from catalog.files import REPOSITORY
from google import client as live
from google import session
from google.client import GoogleApi
from google.failures import LiveSystemError, NotPermittedError
from tests.harness.commands import invoke
from tests.harness.faulty_proxy import at_the_deadline, faulty
from verification import __main__ as command_line
from verification import running
from verification.suites import SUITES

if TYPE_CHECKING:
    from pathlib import Path

    from declared.environment import Environment
    from tests.harness.commands import Ended
    from tests.harness.deployed import Deployed


def run(environment: Environment, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Ended:
    """The command line in an environment without a file."""
    monkeypatch.setattr(command_line, "load_environment", lambda _name: environment)
    return command(*arguments)


def command(*arguments: str) -> Ended:
    """The command line."""
    return invoke(command_line.app, command_line.KNOWN, *arguments)


def test_three_formats_in_one_run(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = {name: tmp_path / "reports" / f"v.{name}" for name in ("json", "junit")}
    formats = [part for name, file in files.items() for part in ("--format", f"{name}={file}")]
    outcome = run(deployed.environment, monkeypatch, "--suite", "schema", "--format", "table", *formats)
    assert outcome.exit_code == 0, outcome.output
    assert "3.1 columns, types and modes" in outcome.stdout
    assert len(json.loads(files["json"].read_text())["results"]) == 4 * len(deployed.catalog.tables)
    assert ET.parse(files["junit"]).getroot().tag == "testsuites"  # noqa: S314 - written a moment ago


def test_a_failed_check_exits_with_1(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = deployed.environment.model_copy(update={"dataset": "nowhere"})
    outcome = run(nowhere, monkeypatch, "--suite", "existence")
    assert outcome.exit_code == 1
    assert "wilson_sample" in outcome.stdout


def test_json_on_the_screen_is_only_json(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(deployed.environment, monkeypatch, "--suite", "existence", "--format", "json")
    assert json.loads(outcome.stdout)["well"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "table", "--format", "json"], "only one format can go to the screen"),
        (["--format", "yaml"], "write one of table, json, junit, markdown"),
        (["--format", "json="], "write one of table, json, junit, markdown"),
        (["--format", "json=a", "--format", "junit=a"], "the same file"),
        (["--suite", "nothing"], "there are preflight, existence"),
        (["--test", "9.9"], "no test '9.9'"),
        (["--format", "json=/proc/nothing/v.json"], "cannot be written"),
    ],
)
def test_an_impossible_command_line_is_reported(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    outcome = run(environment, monkeypatch, *arguments)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_a_defect_of_the_program_is_not_reported_as_an_unknown_name(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def defective(*_: Any) -> None:
        raise KeyError("schema")

    monkeypatch.setattr(command_line, "verify", defective)
    monkeypatch.setattr(failing, "FAULTS", tmp_path)
    outcome = run(environment, monkeypatch, "--suite", "existence")
    (file,) = tmp_path.iterdir()
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("an unexpected KeyError, a defect of this program: open an issue with ")
    assert str(file) in outcome.stderr
    assert "defective" in file.read_text(encoding="utf-8")


def test_no_such_environment() -> None:
    outcome = command(*["--env", "nowhere"])
    assert outcome.exit_code == 2
    assert "no environment 'nowhere'" in outcome.stderr


def test_the_module_runs_as_a_program() -> None:
    command = [sys.executable, "-m", "verification", "--env", "nowhere"]
    outcome = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert outcome.returncode == 2
    assert "Traceback" not in outcome.stderr


def test_no_credentials_for_a_real_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    outcome = command(*["--env", "prod"])
    assert outcome.exit_code == 2
    assert "gcloud auth application-default login" in outcome.stderr


def test_nothing_listens_there(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
        outcome = run(environment.model_copy(update={"endpoint": endpoint}), monkeypatch)
    assert outcome.exit_code == 2
    assert "make up" in outcome.stderr
    assert outcome.stdout == ""


def test_the_list_of_tests_names_every_suite_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = command(*["--list"])
    assert outcome.exit_code == 0
    listed = [line.split()[:2] for line in outcome.stdout.splitlines()[1:]]
    assert listed == [[suite, check.id] for suite, checks in SUITES.items() for check in checks]
    numbers = [number for _, number in listed]
    assert len(numbers) == len(set(numbers))
    contract = {"1": 4, "2": 4, "3": 4, "4": 1, "5": 4, "6": 2, "7": 1, "8": 1}
    assert {suite: sum(n.startswith(f"{suite}.") for n in numbers) for suite in contract} == contract


def test_single_tests_are_run_alone(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--test", "3.1", "--test", "access.1", "--format", "json"]
    outcome = run(deployed.environment, monkeypatch, *arguments)
    assert {result["id"] for result in json.loads(outcome.stdout)["results"]} == {"3.1", "access.1"}


def test_the_markdown_format_goes_to_the_screen(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(deployed.environment, monkeypatch, "--suite", "existence", "--format", "markdown")
    assert outcome.stdout.startswith("### Verification of `eros-local.eros_scheduling_brain` (local): all checks pass")


def test_what_settles_late_is_retried(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grant that Google shows half a second late passes with --settle, and fails without it."""
    asked = 0
    policy = GoogleApi.project_policy

    def late(api: GoogleApi) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"bindings": []} if asked == 1 else policy(api)

    monkeypatch.setattr(GoogleApi, "project_policy", late)
    outcome = run(deployed.environment, monkeypatch, "--test", "access.3", "--settle", "5")
    assert (outcome.exit_code, asked) == (0, 2), outcome.output
    asked = 0
    assert run(deployed.environment, monkeypatch, "--test", "access.3").exit_code == 1


def test_a_service_that_ends_before_the_second_look_takes_no_result_away(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GoogleApi, "project_policy", lambda _: {"bindings": []})
    reads = iter([running._read_live])  # noqa: SLF001 - where the second look begins

    def read(*arguments: Any) -> Any:
        for first in reads:
            return first(*arguments)
        raise LiveSystemError("datasets: 503 Not now.")

    monkeypatch.setattr(running, "_read_live", read)
    arguments = ("--suite", "schema", "--test", "access.3", "--settle", "5", "--format", "json")
    outcome = run(deployed.environment, monkeypatch, *arguments)
    assert outcome.exit_code == 1, outcome.output
    results = json.loads(outcome.stdout)["results"]
    assert {result["status"] for result in results if result["suite"] == "schema"} == {"PASS"}
    found = [(result["status"], result["found"]) for result in results if result["id"] == "access.3"]
    assert found[0][0] == "FAIL"
    assert found[-1] == ("ERROR", "could not look again: datasets: 503 Not now.")


def test_a_deadline_before_what_settles_late_is_settled_is_not_a_failed_check(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(_: GoogleApi) -> dict[str, Any]:
        Timer(0.1, at_the_deadline).start()  # while it pauses
        return {"bindings": []}

    monkeypatch.setattr(GoogleApi, "project_policy", late)
    outcome = run(deployed.environment, monkeypatch, "--test", "access.3", "--settle", "600", "--deadline", "60")
    assert outcome.exit_code == 2, outcome.output
    assert "access.3" in outcome.stdout
    assert "not complete: no answer within the 60 s of --deadline; waited for what settles late" in outcome.stderr


def test_a_destination_that_waits_for_a_reader_is_refused(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # else this test would wait for ever where it is not refused
    outcome = run(environment, monkeypatch, "--test", "access.1", "--format", f"json={pipe}")
    os.close(reader)
    assert (outcome.exit_code, outcome.stderr) == (2, f"{pipe} cannot be written: it is not a file\n")


def test_streams_are_destinations(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that somebody reads has such a name: ``--format json=/dev/stdout | jq``."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as pipe:
        formats = ("--format", "table", "--format", f"json=/dev/fd/{writer}", "--format", "markdown=/dev/null")
        outcome = run(deployed.environment, monkeypatch, "--test", "access.1", *formats)
        os.close(writer)
        assert (outcome.exit_code, json.loads(pipe.read())["well"]) == (0, True)


def test_the_deadline_covers_all_of_it_and_names_what_is_half_done(deployed: Deployed) -> None:
    """Nobody reads what it prints, and a pipe takes 64 KB; what is left of the deadline is made short."""
    program = (
        "import signal, sys\n"
        "from verification import __main__ as m\n"
        "from declared.loading import load_environment as load\n"
        f"m.load_environment = lambda _: load('local').model_copy("
        f"update={{'endpoint': {deployed.environment.endpoint!r}}})\n"
        "def write(_):\n"
        "    if signal.getitimer(signal.ITIMER_REAL)[0]:\n"
        "        signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "    return 'x' * 1_000_000\n"
        "m.WRITERS['json'] = write\n"
        "sys.argv[1:] = ['--test', 'access.1', '--format', 'json']; m.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.wait(30) == 2
        finally:
            process.kill()
        assert process.stderr is not None
        said = process.stderr.read()
    assert said.startswith("ended: it took longer than its --deadline. Half done: Writing the report.\n"), said


FAULTS = ["403", "404", "429", "500", "503", "cut", "page", "silent", "drip", "dripping head", "null", "[7]"]
SOME_FAULTS = {"403", "404", "500", "cut"}
#: Parts of the API by the paths of their calls, suites that call them, and whether their 404 means something missing.
PARTS = {
    "everything": ("/", ("existence", "integrity", "access", "freshness"), False),
    "datasets": ("/datasets", ("existence",), False),
    "tables": ("/tables", ("existence",), True),
    "routines": ("/routines", ("existence",), True),
    "queries": ("/queries", ("integrity",), True),
    "transfer service": ("/bigquerydatatransfer/", ("access", "freshness"), False),
    "service accounts": ("/serviceAccounts", ("existence", "access"), True),
    "project policy": ("/cloudresourcemanager/", ("existence", "access"), False),
}


@pytest.mark.parametrize(
    ("part", "fault"), [(part, f) for part in PARTS for f in FAULTS if part == "everything" or f in SOME_FAULTS]
)
def test_a_failing_call_is_never_a_traceback_and_never_a_success(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, part: str, fault: str
) -> None:
    """Exit code 2 and one clear line; a 404 of an object that may be missing is a failed check."""
    path, suites, may_be_missing = PARTS[part]
    monkeypatch.setattr(live, "CALL_SECONDS", 1.0 if fault == "silent" else 10.0)
    monkeypatch.setattr(session, "REQUEST_SECONDS", 1.0 if "drip" in fault else 60.0)
    with faulty(str(deployed.environment.endpoint), path, fault) as endpoint:
        there = deployed.environment.model_copy(update={"endpoint": endpoint})
        outcome = run(there, monkeypatch, *(f"--suite={suite}" for suite in suites))
    assert "Traceback" not in outcome.output
    assert "unexpected" not in outcome.stderr
    if may_be_missing and fault == "404":
        assert outcome.exit_code == 1, outcome.output
    else:
        assert outcome.exit_code == 2, outcome.output
        assert len(outcome.stderr.strip().splitlines()) == 1, outcome.stderr
    if part == "everything":
        assert outcome.stdout == ""


@pytest.mark.parametrize("command", ["drift", "doctor"])
@pytest.mark.parametrize("fault", FAULTS)
def test_drift_and_doctor_fail_the_same_way(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, fault: str, command: str
) -> None:
    monkeypatch.setattr(live, "CALL_SECONDS", 1.0)
    monkeypatch.setattr(session, "REQUEST_SECONDS", 1.5)
    with faulty(str(deployed.environment.endpoint), "/", fault) as endpoint:
        outcome = run(deployed.environment.model_copy(update={"endpoint": endpoint}), monkeypatch, command)
    assert outcome.exit_code == 2, outcome.output
    assert len(outcome.stderr.strip().splitlines()) == 1
    assert outcome.stdout == ""


def test_a_missing_permission_is_reported_with_the_other_results(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data Viewer and Job User can read all of BigQuery; what the other services deny is reported and is never PASS."""
    with ExitStack() as stack:
        endpoint = str(deployed.environment.endpoint)
        for part in ("/bigquerydatatransfer/", "/serviceAccounts", "/cloudresourcemanager/"):
            endpoint = stack.enter_context(faulty(endpoint, part, "403"))
        there = deployed.environment.model_copy(update={"endpoint": endpoint})
        suites = ("existence", "drift", "schedules", "freshness", "access")
        outcome = run(there, monkeypatch, "--format", "json", *(f"--suite={suite}" for suite in suites))
    assert outcome.exit_code == 2, outcome.output
    results = json.loads(outcome.stdout)["results"]
    denied = {result["id"] for result in results if result["status"] == "DENIED"}
    assert denied == {
        *("drift.10", "drift.12", "drift.13", "drift.14", "schedules.1", "freshness.2"),
        *("access.1", "access.3", "access.4", "access.5"),
    }
    assert {result["status"] for result in results if result["id"] not in denied} == {"PASS"}
    assert not [result for result in results if result["id"] in denied and result["status"] == "PASS"]
    assert "not verified, a permission is missing" in outcome.stderr


def test_a_query_that_is_not_permitted_is_reported_beside_the_other_results(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty(str(deployed.environment.endpoint), "/queries", "403") as endpoint:
        there = deployed.environment.model_copy(update={"endpoint": endpoint})
        outcome = run(there, monkeypatch, "--suite", "existence", "--suite", "integrity", "--format", "json")
    assert outcome.exit_code == 2, outcome.output
    statuses = {result["suite"]: result["status"] for result in json.loads(outcome.stdout)["results"]}
    assert statuses == {"existence": "PASS", "integrity": "DENIED"}


@pytest.mark.parametrize(("reason", "kind"), [("accessDenied", NotPermittedError), ("quotaExceeded", LiveSystemError)])
def test_only_a_refused_permission_is_a_missing_one(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, reason: str, kind: type[LiveSystemError]
) -> None:
    """BigQuery answers 403 to both; an exhausted quota ends a verification as an outage does."""

    def forbidden(*_: Any, **__: Any) -> None:
        raise Forbidden("POST …", errors=[{"reason": reason, "message": "Not now."}])  # type: ignore[no-untyped-call]

    monkeypatch.setattr(bigquery.Client, "query_and_wait", forbidden)
    monkeypatch.setattr(bigquery.Client, "query", forbidden)
    for call in (GoogleApi.query, GoogleApi.dry_run):
        with pytest.raises(LiveSystemError, match=r"of leases: 403 Not now\.") as caught:
            call(deployed.api, "leases", "SELECT 1")
        assert type(caught.value) is kind


def test_the_deadline_ends_the_command_while_it_waits(deployed: Deployed) -> None:
    with faulty(str(deployed.environment.endpoint), "/", "silent") as endpoint:
        program = (
            "from verification import __main__ as m\n"
            "from declared.loading import load_environment as load\n"
            f"m.load_environment = lambda _: load('local').model_copy(update={{'endpoint': {endpoint!r}}})\n"
            "import sys; sys.argv[1:] = ['--deadline', '1']; m.main()"
        )
        command = [sys.executable, "-c", program]
        outcome = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=30)
    assert outcome.returncode == 2
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("no answer within the 1 s of --deadline; waited for GET /bigquery/v2/projects/")
    assert outcome.stdout == ""


def test_after_the_deadline_the_report_has_what_is_known(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queries drip; everything else answers."""
    with faulty(str(deployed.environment.endpoint), "/queries", "drip", at_the_deadline) as endpoint:
        there = deployed.environment.model_copy(update={"endpoint": endpoint})
        outcome = run(there, monkeypatch, "--suite", "schema", "--suite", "integrity", "--format", "json")
    assert outcome.exit_code == 2, outcome.output
    results = json.loads(outcome.stdout)["results"]
    assert "LATE" in {result["status"] for result in results if result["suite"] == "integrity"}
    assert {result["status"] for result in results} == {"PASS", "LATE"}
    assert "not complete: no answer within the 300 s of --deadline; waited for " in outcome.stderr


def test_a_part_of_the_drift_is_never_taken_for_all_of_it(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty(str(deployed.environment.endpoint), "/transferConfigs", "drip", at_the_deadline) as endpoint:
        there = deployed.environment.model_copy(update={"endpoint": endpoint})
        text, document = (run(there, monkeypatch, "drift", "--format", form) for form in ("text", "json"))
    assert "declared aspects have drifted" in text.stdout
    assert document.stdout == ""
    for outcome in (text, document):
        assert outcome.exit_code == 2
        assert "not complete: no answer within the 120 s of --deadline" in outcome.stderr


def test_the_doctor_says_what_it_could_not_check_in_time(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty(str(deployed.environment.endpoint), "/queries", "silent", at_the_deadline) as endpoint:
        there = deployed.environment.model_copy(update={"endpoint": endpoint})
        outcome = run(there, monkeypatch, "doctor", "--format", "json")
    assert outcome.exit_code == 2, outcome.output
    unknown = {each["name"] for each in json.loads(outcome.stdout)["diagnoses"] if each["unknown"]}
    assert {"locks", "queue"} <= unknown
    assert "could not check: " in outcome.stderr
    assert "not complete: no answer within the 120 s of --deadline" in outcome.stderr


@pytest.mark.parametrize("command_name", ["verification", "drift", "doctor"])
@pytest.mark.parametrize("value", ["inf", "nan", "-1", "0", "1e300", "soon"])
def test_a_deadline_is_a_time(command_name: str, value: str) -> None:
    arguments = [] if command_name == "verification" else [command_name]
    outcome = command(*arguments, "--deadline", value)
    assert outcome.exit_code == 2
    assert "--deadline" in outcome.stderr
