"""A command that is told to end: what it started ends too, and it says what is half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from catalog.files import REPOSITORY

if TYPE_CHECKING:
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


@pytest.mark.parametrize("deaf", ["hears", "deaf"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_what_a_command_started_ends_with_it(tmp_path: Path, how: signal.Signals, deaf: str) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(script), str(tmp_path), "1", deaf],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        children = [awaited(tmp_path / f"{depth}.pid") for depth in (1, 0)]
        began = time.monotonic()
        process.send_signal(how)
        assert process.wait(PATIENCE) == 2
        assert time.monotonic() - began < 20  # 3 on a machine that does nothing else
        errors = process.stderr.read()
    assert [child for child in children if exists(child)] == []
    assert "✗ Synthesis" in errors
    assert f"ended by {how.name}. Half done: Synthesis." in errors
    assert "Run it again to go on: " in errors
    assert "Traceback" not in errors
