"""A command that is told to end: what it started ends too, and it says what is half done."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from catalog import command_line
from catalog.command_line import ENDING_SECONDS, StoppedError
from catalog.files import REPOSITORY
from operations.deploy import bootstrap, interrupts
from operations.deploy.interrupts import GENTLE_SECONDS, child
from operations.review import planned
from tests.harness.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: More than any of this takes, on any machine.
PATIENCE = 60.0
#: A child that has a child; both ignore SIGINT if they are told so. Each writes its process id to a file.
CHILD = """
import os, pathlib, signal, subprocess, sys, time
folder, depth, deaf = sys.argv[1:]
if deaf == "deaf":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if depth == "1":
    subprocess.Popen([sys.executable, __file__, folder, "0", deaf])
written = pathlib.Path(folder, f"{depth}.new")
written.write_text(str(os.getpid()))
written.rename(pathlib.Path(folder, f"{depth}.pid"))
time.sleep(600)
"""
COMMAND = """
import os, sys
from rich.console import Console
from catalog.command_line import run
from operations.deploy.steps import printed, step
def app():
    with step(Console(stderr=True), "Synthesis"):
        printed([sys.executable, *sys.argv[1:]], os.environ)
run("python -m example", app)
"""
#: Ends at SIGINT at once; what it started writes a file a moment later, as Terraform writes its state: how often it was
#: told, as Terraform does not write its state when it is told twice.
GONE_FIRST = """
import os, pathlib, signal, subprocess, sys, time
folder, child = pathlib.Path(sys.argv[1]), len(sys.argv) > 2
told = []
def write(*_):
    told.append(1)
    time.sleep(0.5)
    (folder / "state").write_text(str(len(told)))
    os._exit(0)
signal.signal(signal.SIGINT, write if child else signal.SIG_DFL)
if not child:
    subprocess.Popen([sys.executable, __file__, folder, "child"])
(folder / ("0" if child else "1")).write_text("0")
print("Approve? ", end="", flush=True)
time.sleep(600)
"""
#: Asks at the terminal, which it leaves without echo, and what it started waits.
ASKING = """
import os, pathlib, subprocess, sys, termios
folder = pathlib.Path(sys.argv[1])
answer = input("Approve? ")
settings = termios.tcgetattr(0)
settings[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, settings)
other = subprocess.Popen(["sleep", "600"])
(folder / "answer.new").write_text(answer + "1")
(folder / "0.pid").write_text(str(other.pid))
(folder / "1.pid").write_text(str(os.getpid()))
(folder / "answer.new").rename(folder / "answer")
if answer != "0":
    other.wait()
"""
#: Runs that, and shows whether it has the terminal again.
AT_THE_TERMINAL = """
import os, pathlib, sys, termios
from catalog.command_line import run
from operations.deploy.interrupts import run_at_the_terminal
pathlib.Path(sys.argv[2], "command.pid").write_text(str(os.getpid()))
def app():
    code = run_at_the_terminal([sys.executable, *sys.argv[1:]], "cdktf deploy *")
    echo = bool(termios.tcgetattr(0)[3] & termios.ECHO)
    print("ended with", code, "terminal again:", os.tcgetpgrp(0) == os.getpgrp(), "with echo:", echo)
run("python -m example", app)
"""
TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
#: Takes a turn, in which Node runs what sleeps; shows the ids of the group and of what sleeps.
WITH_A_TURN = """
import pathlib, sys
from operations.deploy import cdktf
from operations.deploy.interrupts import child
cdktf.TURN = pathlib.Path(sys.argv[1], "turn", "lock")
start = "console.log(require('child_process').spawn('sleep', ['600'], {stdio: 'ignore'}).pid)"
with cdktf.own_turn("a deployment", print), child(["node", "-e", start]) as process:
    print(process.pid, flush=True)
    process.wait()
"""
#: A signal comes when the child has been started and nobody knows of it.
JUST_STARTED = """
import os, signal, subprocess
from catalog.command_line import run
from operations.deploy.interrupts import child
start = subprocess.Popen
def started(*given, **settings):
    process = start(*given, **settings)
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    return process
def app():
    subprocess.Popen = started
    with child(["sleep", "600"]) as process:
        process.wait()
run("python -m example", app)
"""
VARIABLES = {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def exists(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def awaited(file: Path) -> int:
    """The number in a file that somebody will write."""
    end = time.monotonic() + PATIENCE
    while not file.exists():
        assert time.monotonic() < end, f"{file.name} was never written"
        time.sleep(0.02)
    return int(file.read_text())


def in_time(folder: Path, commands: int) -> float:
    """The seconds that the ends of commands and their children may take: 3, and more where a machine has other work."""
    assert GENTLE_SECONDS < ENDING_SECONDS <= 2.5
    (folder / "at_once.py").write_text("import os\nprint('ready', flush=True)\nos.read(0, 1)")
    at_once = [sys.executable, str(folder / "at_once.py")]

    def run(_: int) -> None:
        subprocess.run(at_once, check=True, input=b"x", stdout=subprocess.DEVNULL)

    began = time.monotonic()
    with ThreadPoolExecutor(commands) as pool:
        list(pool.map(run, range(commands)))
    return ENDING_SECONDS + 0.5 + 10 * (time.monotonic() - began)


def told_to_end(folder: Path, how: signal.Signals, deaf: str) -> tuple[float, str, list[int]]:
    """The seconds after the signal, the errors, and the descendants of a command that it has ended."""
    folder.mkdir()
    script = folder / "child.py"
    script.write_text(CHILD)
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(script), str(folder), "1", deaf],
        env=VARIABLES,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        children = [awaited(folder / f"{depth}.pid") for depth in (1, 0)]
        began = time.monotonic()
        process.send_signal(how)
        assert process.wait(PATIENCE) == 2
        return time.monotonic() - began, process.stderr.read(), children


def test_what_a_command_started_ends_with_it(tmp_path: Path) -> None:
    cases = list(product((signal.SIGINT, signal.SIGTERM), ("hears", "deaf")))
    with ThreadPoolExecutor(len(cases)) as pool:  # they wait more than they work
        found = list(pool.map(lambda case: told_to_end(tmp_path / f"{case[0].name}-{case[1]}", *case), cases))
    limit = in_time(tmp_path, len(cases))
    for (how, deaf), (seconds, errors, children) in zip(cases, found, strict=True):
        print(how.name, deaf)  # noqa: T201 - pytest shows it with a failure
        assert seconds < limit
        assert [child for child in children if exists(child)] == []
        assert "✗ Synthesis" in errors
        assert f"ended by {how.name}. Half done: Synthesis." in errors
        assert "Run it again to go on: " in errors
        assert "Traceback" not in errors


@pytest.fixture
def at_the_terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a terminal of its own that runs what asks there; its input is what a person types."""
    script = tmp_path / "asking.py"
    script.write_text(getattr(request, "param", ASKING))
    command = [sys.executable, "-c", AT_THE_TERMINAL, str(script), str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", TERMINAL, *command], env=VARIABLES, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        text = b""
        while not text.endswith(b"Approve? "):
            part = os.read(process.stdout.fileno(), 1000)
            assert part, "it never asked"
            text += part
        yield process
        process.kill()


def typed(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Type something."""
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_asks_at_the_terminal_ends_with_everything_that_it_started(
    at_the_terminal: subprocess.Popen[bytes], tmp_path: Path, how: signal.Signals
) -> None:
    typed(at_the_terminal, b"5\n")
    assert awaited(tmp_path / "answer") == 51
    if how == signal.SIGINT:
        typed(at_the_terminal, b"\x03")
    else:
        os.kill(awaited(tmp_path / "command.pid"), how)
    text = at_the_terminal.communicate(timeout=PATIENCE)[0].decode()
    assert f"ended by {how.name}. Half done: cdktf deploy *." in text
    assert [each for each in (0, 1) if exists(awaited(tmp_path / f"{each}.pid"))] == []


def test_the_terminal_comes_back_and_nothing_is_left(at_the_terminal: subprocess.Popen[bytes], tmp_path: Path) -> None:
    typed(at_the_terminal, b"\x1a0\n")  # Ctrl-Z stops nothing: nobody could continue it
    text = at_the_terminal.communicate(timeout=PATIENCE)[0].decode()
    assert "ended with 0 terminal again: True with echo: True" in text
    left = awaited(tmp_path / "0.pid")
    until(lambda: not exists(left), "the end of what the script started")  # a signal takes its time on a busy machine


def test_what_outlives_its_parent_ends_gently_too(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(GONE_FIRST)
    with suppress(InterruptedError), child([sys.executable, str(script), str(tmp_path)]):
        assert [awaited(tmp_path / name) for name in ("0", "1")] == [0, 0]
        raise InterruptedError
    assert awaited(tmp_path / "state") == 1


@pytest.mark.parametrize("at_the_terminal", [GONE_FIRST], indirect=True, ids=[""])
def test_what_the_terminal_has_told_is_not_told_again(at_the_terminal: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert [awaited(tmp_path / name) for name in ("0", "1")] == [0, 0]
    typed(at_the_terminal, b"\x03")
    text = at_the_terminal.communicate(timeout=PATIENCE)[0].decode()
    assert "ended by SIGINT. Half done: cdktf deploy *." in text
    assert awaited(tmp_path / "state") == 1


def test_a_signal_at_the_start_of_a_child_ends_the_child() -> None:
    done = subprocess.run(
        [sys.executable, "-c", JUST_STARTED], env=VARIABLES, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ended by SIGINT.")
    until(lambda: not exists(int(done.stdout)), "the end of what it has left")


def test_a_turn_lasts_as_long_as_the_last_that_it_started(tmp_path: Path) -> None:
    """Python is killed, then Node; Terraform goes on."""
    variables = {**VARIABLES, "PATH": f"{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}"}
    with subprocess.Popen(
        [sys.executable, "-c", WITH_A_TURN, str(tmp_path)], env=variables, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        group, last = (int(process.stdout.readline()) for _ in range(2))
        process.kill()
        process.wait(PATIENCE)
    listed = subprocess.run(["ps", "-eo", "pgid=,pid="], capture_output=True, text=True, check=True)
    members = {int(pid) for pgid, pid in map(str.split, listed.stdout.splitlines()) if int(pgid) == group}
    assert last in members
    for other in members - {last}:
        os.kill(other, signal.SIGKILL)
    while any(exists(other) for other in members - {last}):
        time.sleep(0.02)
    with (tmp_path / "turn" / "lock").open() as file:
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.kill(last, signal.SIGKILL)
        fcntl.flock(file, fcntl.LOCK_EX)


@pytest.mark.parametrize("what", ["a plan is read", "a bootstrap asks"])
def test_what_runs_terraform_itself_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\nsleep 600 &\necho $! >{tmp_path}/0.pid\nkill -USR1 $PPID\nwait\n")
    script.chmod(0o755)
    (tmp_path / "plan").touch()
    monkeypatch.setattr(planned, "STACK_COMMAND", script)
    monkeypatch.setattr(planned, "stack_folder", lambda _: tmp_path)
    monkeypatch.setattr(bootstrap, "_terraform", lambda: str(script))
    monkeypatch.setattr(interrupts, "GENTLE_SECONDS", 0.1)  # a shell's background process ignores SIGINT

    monkeypatch.setattr(command_line, "_ending", type(command_line._ending)())  # noqa: SLF001 - it ends no other test

    def run() -> None:
        if what == "a plan is read":
            planned.read_plans(("warehouse",), os.environ)
        else:
            workspace = bootstrap.Workspace(tmp_path, "bootstrap", os.environ)
            bootstrap._apply(workspace, Console(), adopt=False, auto_approve=False)  # noqa: SLF001 - where it asks

    before = signal.signal(signal.SIGUSR1, command_line._stop)  # noqa: SLF001 - as for SIGINT, which may be held back
    try:
        with pytest.raises(StoppedError):
            run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    left = awaited(tmp_path / "0.pid")
    until(lambda: not exists(left), "the end of what the script started")  # a signal takes its time on a busy machine
