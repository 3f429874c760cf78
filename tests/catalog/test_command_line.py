"""How a command line ends: a sentence, an exit code of 0, 1 or 2, and in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from catalog.command_line import ENDING_SECONDS
from catalog.files import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: More than any of these programs takes, on any machine.
PATIENCE = 60.0
LARGE = 200_000
PRELUDE = """
import itertools, os, sys, time, threading
from concurrent.futures import ThreadPoolExecutor
from catalog import command_line
from catalog.command_line import alarm, at_the_end, run
"""


def program(body: str) -> list[str]:
    """A program whose command line does something; ``Refused`` and ``Failed`` are known errors, with exit code 1."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    known = "class Refused(Exception): pass\nclass Failed(Exception): exit_code = 1\n"
    call = 'run("python -m example", app, (Refused, Failed), lambda text: text.replace("secret", "***"))'
    return [sys.executable, "-c", f"{PRELUDE}{known}def app():\n{lines}\n{call}", "go", "a b"]


def ended(body: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Such a program, run to its end."""
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), **more}
    return subprocess.run(
        program(body), env=variables, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=REPOSITORY
    )


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("print('done')", 0, ""),
        ("sys.exit(1)", 1, ""),
        ("raise Refused('no secret here')", 2, "no *** here\n"),
        ("raise Failed('not well')", 1, "not well\n"),
        ("open('/nowhere/at/all')", 2, "/nowhere/at/all: No such file or directory\n"),
        ("def deep(): deep()\ndeep()", 2, "something that was read is nested too deep: "),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code(body: str, code: int, sentence: str) -> None:
    done = ended(body)
    assert done.returncode == code
    assert done.stderr.startswith(sentence)
    assert bool(done.stderr) is bool(sentence)
    assert "Traceback" not in done.stderr


def test_a_defect_is_written_down_without_secrets() -> None:
    done = ended("raise KeyError('secret')")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("an unexpected KeyError, a defect of this program: open an issue with ")
    file = Path(line.partition("issue with ")[2].partition(", or")[0])
    try:
        details = file.read_text(encoding="utf-8")
        assert file.stat().st_mode & 0o077 == 0
    finally:
        file.unlink()
    assert "KeyError: '***'" in details
    assert "secret" not in details
    assert "python -m example go 'a b'" in details


def test_a_full_disk_is_a_sentence_and_not_exit_code_120() -> None:
    for body in ("print('x')", f"print('x' * {LARGE})"):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            done = subprocess.run(
                program(body), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=PATIENCE
            )
        assert done.returncode == 2
        assert done.stderr == "the output, or a file, cannot be written: No space left on device\n"


def test_everything_full_is_still_exit_code_2() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(program("print('x')"), stdout=full, stderr=full, check=False, timeout=PATIENCE)
    assert done.returncode == 2


def test_a_closed_output_is_no_error() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *program("print('x')")],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "body", [f"print('x\\n' * {LARGE})", "print('x')", "import typer; typer.echo('x\\n' * 200_000)"]
)
def test_a_reader_that_goes_ends_the_command_quietly(body: str) -> None:
    """As `cat` and other tools end: by SIGPIPE, which a shell shows as 141."""
    command = program(f"import os\nos.read(0, 1)\n{body}")  # waits until the reader has gone
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write("x")
        process.stdin.close()
        assert process.wait(PATIENCE) == -signal.SIGPIPE
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "? is ?\n"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "? is ?\n"),
        ({"LC_ALL": "C"}, "✓ is ü\n"),
    ],
)
def test_what_a_terminal_does_not_know_is_replaced(variables: Mapping[str, str], shown: str) -> None:
    done = ended("print('\\u2713 is \\xfc')", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == shown


def told_to_end(
    body: str, how: signal.Signals, command: list[str] | None = None, **more: str
) -> tuple[int, str, float]:
    """Exit code, errors, and the seconds after the signal of a program that says when it is ready."""
    with subprocess.Popen(
        command or program(body),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EROS_ENV": "prod", **more},
        cwd=REPOSITORY,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.send_signal(how)
        code = process.wait(PATIENCE)
        return code, process.stderr.read(), time.monotonic() - began


def told_together(programs: Sequence[tuple[str, signal.Signals]]) -> list[tuple[int, str, float]]:
    """The same of several programs, side by side: they wait more than they work."""
    with ThreadPoolExecutor(len(programs)) as pool:
        return list(pool.map(lambda each: told_to_end(*each), programs))


def in_time(programs: int) -> float:
    """The seconds that a command, one of several, may take to its end: 3, and more where a machine has other work."""
    assert ENDING_SECONDS <= 2.5
    at_once = max(end[2] for end in told_together([(f"{READY}time.sleep(60)", signal.SIGTERM)] * programs))
    return ENDING_SECONDS + 0.5 + 10 * at_once


IGNORING = "    except BaseException:\n        pass"
READY = "print('ready', flush=True)\n"


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("how", SIGNALS)
def test_a_signal_ends_the_command_with_what_is_half_done_and_how_to_go_on(how: signal.Signals) -> None:
    body = (
        f"try:\n    {READY}    time.sleep(60)\nexcept BaseException as error:\n    error.add_note('a step')\n    raise"
    )
    code, errors, _ = told_to_end(body, how)
    assert code == 2
    assert errors == (
        f"ended by {how.name}. Half done: a step.\nRun it again to go on: EROS_ENV=prod python -m example go 'a b'\n"
    )


def test_threads_that_wait_are_woken() -> None:
    woken = "woken = threading.Event()\nat_the_end(woken.set)\n"
    body = f"{woken}with ThreadPoolExecutor() as pool:\n    pool.submit(woken.wait)\n    {READY}    time.sleep(60)"
    code, errors, _ = told_to_end(body, signal.SIGINT)
    assert code == 2
    assert errors.startswith("ended by SIGINT.")


HANGING = "threading.Thread(target=time.sleep, args=(60,)).start()\n"
#: What waits too long, by what it does.
SLOW_TO_END = {
    "a thread": f"{HANGING}{READY}time.sleep(60)",
    "a pool": f"with ThreadPoolExecutor() as pool:\n    pool.submit(time.sleep, 60)\n    {READY}    time.sleep(60)",
    "ignores it": (
        f"for text in itertools.count():\n    try:\n        if not text: {READY}        time.sleep(60)\n{IGNORING}"
    ),
    "a callback fails": (
        "woken = threading.Event()\nat_the_end(lambda: 1 / 0)\nat_the_end(woken.set)\n"
        f"{HANGING}{READY}try:\n    time.sleep(60)\nfinally:\n    woken.wait()"
    ),
}


def test_what_does_not_stop_keeps_neither_others_nor_the_process() -> None:
    ends = told_together([(body, signal.SIGTERM) for body in SLOW_TO_END.values()])
    limit = in_time(len(ends))
    for what, (code, errors, seconds) in zip(SLOW_TO_END, ends, strict=True):
        assert code == 2, what
        assert errors.startswith("ended by SIGTERM." if what == "a callback fails" else "ended"), what
        assert seconds < limit, what


def test_what_a_signal_says_hides_credentials() -> None:
    step = f"try:\n    {READY}    time.sleep(60)\n"
    noted = "except BaseException as error:\n    error.add_note('a secret')\n    raise"
    code, errors, _ = told_to_end(step + noted, signal.SIGINT)
    assert code == 2
    assert "Half done: a ***." in errors


@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("module", ["operations", "verification", "local", "catalog"])
def test_a_signal_while_a_command_loads_is_a_sentence(tmp_path: Path, module: str, how: signal.Signals) -> None:
    """The library that it loads says that it is ready, and never ends."""
    library = {"catalog": "msgspec"}.get(module, "typer")  # the first of what catalog/__init__.py loads
    (tmp_path / f"{library}.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)")
    command = [sys.executable, "-m", module, "--help"]
    code, errors, _ = told_to_end("", how, command, PYTHONPATH=str(tmp_path))
    assert (code, errors) == (2, f"ended by {how.name}, before it began\n")


#: Takes a moment, in which the signal comes, and says that it is ready.
SLOWLY = "(os.write(1, b'ready\\n'), time.sleep(0.5))"


#: Programs that are told to end after their end, with their exit code and errors.
LATE = {
    "while the error is explained": (
        f"class Slow(Failed):\n    def __str__(self): {SLOWLY}; return 'not well'\nraise Slow",
        (1, "not well\n"),
    ),
    "after the end": (f"import atexit\natexit.register(lambda: {SLOWLY})", (0, "")),
    "while Python ends": (
        f"class Late:\n    def __del__(self, os=os, time=time): {SLOWLY}\nglobals()['late'] = Late()",
        (0, ""),
    ),
}


def test_a_signal_after_the_end_changes_nothing() -> None:
    cases = list(product(LATE, SIGNALS))
    ends = told_together([(LATE[when][0], how) for when, how in cases])
    for (when, how), found in zip(cases, ends, strict=True):
        assert found[:2] == LATE[when][1], (when, how)


def test_what_a_command_does_whole_is_not_cut_off() -> None:
    whole = f"with command_line.held_back():\n    {READY}    time.sleep(0.5)\n    print('whole', file=sys.stderr)\n"
    code, errors, _ = told_to_end(f"{whole}time.sleep(60)", signal.SIGINT)
    assert code == 2
    assert errors.startswith("whole\nended by SIGINT.")


def test_nohup_keeps_a_command_when_the_terminal_goes() -> None:
    command = ["nohup", *program(f"{READY}time.sleep(0.5)")]
    assert told_to_end("", signal.SIGHUP, command)[0] == 0


def test_nohup_keeps_a_command_that_loads_when_the_terminal_goes() -> None:
    loading = f"import time, starting\nstarting.end_early_with_a_sentence()\n{READY}time.sleep(0.5)"
    assert told_to_end("", signal.SIGHUP, ["nohup", sys.executable, "-c", loading])[0] == 0


def test_what_takes_too_long_ends_as_by_a_signal() -> None:
    done = ended("with alarm(0.2):\n    time.sleep(60)")
    assert done.returncode == 2
    assert done.stderr.startswith("ended: it took longer than its --deadline.\nRun it again to go on: ")


def test_an_alarm_ends_with_its_context() -> None:
    done = ended("with alarm(0.2):\n    pass\ntime.sleep(0.5)")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_with_handlers_of_its_own_ends_by_them() -> None:
    body = f"import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n{READY}time.sleep(60)"
    code, errors, _ = told_to_end(body, signal.SIGTERM)
    assert (code, errors) == (0, "")
