"""Two starts at the same time: the second waits for the first, and says the same. Each start is delayed on purpose."""

from __future__ import annotations

import json
import os
import re
import select
import signal
from typing import TYPE_CHECKING

import pytest

from local import process
from tests.harness.checkout import Checkout, copy_checkout
from tests.harness.waiting import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

WAITS = "another start is under way: waiting for it\n"
#: Python runs this when a server starts: it says that it is there, waits for the gate, then continues or fails.
HELD_UP = """
import os, pathlib, sys, time
if "serve" in sys.orig_argv:
    folder = pathlib.Path(__file__).parent
    (folder / "held").touch()
    end = time.monotonic() + 60
    while not (folder / "gate").exists() and time.monotonic() < end:
        time.sleep(0.01)
    if (folder / "gate").read_text() == "fail":
        sys.stderr.write("the first start fails on purpose")
        sys.stderr.flush()
        os._exit(1)
"""
#: A server that has locked its folder and does not answer before the gate is open.
HOLDS_THE_FOLDER = """
import pathlib, sys
from local import cli, server
from tests.harness.waiting import until
folder, create = pathlib.Path(sys.argv.pop()), server.create_bigquery_app
def create_late(*arguments):
    (folder / "held").touch()
    until((folder / "gate").exists, "the gate")
    return create(*arguments)
server.create_bigquery_app = create_late
cli.app()
"""


class Gate:
    """What a start waits for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sitecustomize.py").write_text(HELD_UP)

    def wait_until_held(self, begun: subprocess.Popen[str]) -> None:
        """Wait until a start has come to the gate."""
        until(lambda: (self.folder / "held").exists() or begun.poll() is not None, "a start at the gate")
        assert begun.poll() is None, end_of(begun)

    def open(self, then: str = "") -> None:
        """Let it continue, or fail."""
        part = self.folder / "part"
        part.write_text(then)
        part.rename(self.folder / "gate")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(copy_checkout(tmp_path_factory.mktemp("checkout")))


@pytest.fixture
def checkout(copied: Checkout, tmp_path: Path) -> Iterator[Checkout]:
    """The copy with no data folder, and no server at the end."""
    yield copied
    process.stop(copied.data)
    copied.data.rename(tmp_path / "used")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    folder = tmp_path / "gate"
    folder.mkdir()
    return Gate(folder)


@pytest.fixture
def up(checkout: Checkout) -> Iterator[list[subprocess.Popen[str]]]:
    """The processes of a test; none outlives it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for each in started:
        each.kill()
        end_of(each)


def end_of(begun: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for the end of a process; its two outputs."""
    return begun.communicate(timeout=60)


def wait_until_it_waits(begun: subprocess.Popen[str]) -> None:
    assert begun.stderr is not None
    readable, _, _ = select.select([begun.stderr], [], [], 60)
    assert readable, "it says nothing"
    assert begun.stderr.readline() == WAITS


def test_the_second_waits_and_says_the_same_as_the_first(
    checkout: Checkout, gate: Gate, up: list[subprocess.Popen[str]]
) -> None:
    up.append(first := checkout.begin("-m", "local", "up", PYTHONPATH=str(gate.folder)))
    gate.wait_until_held(first)
    up.append(second := checkout.begin("-m", "local", "up"))
    wait_until_it_waits(second)
    gate.open()
    said = [end_of(each)[0] for each in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert said[0].startswith("up at http://127.0.0.1:")
    assert said[0] == said[1]


def test_the_second_tries_itself_when_the_first_fails(
    checkout: Checkout, gate: Gate, up: list[subprocess.Popen[str]]
) -> None:
    up.append(first := checkout.begin("-m", "local", "up", PYTHONPATH=str(gate.folder)))
    gate.wait_until_held(first)
    up.append(second := checkout.begin("-m", "local", "up"))
    wait_until_it_waits(second)
    gate.open("fail")
    assert end_of(first)[1] == "the first start fails on purpose\n"
    assert first.returncode == 2
    said, problem = end_of(second)
    assert second.returncode == 0, problem
    assert said.startswith("up at http://127.0.0.1:")


def test_a_start_waits_for_a_server_that_does_not_answer_yet_and_a_seed_no_longer_than_its_deadline(
    checkout: Checkout, gate: Gate, up: list[subprocess.Popen[str]]
) -> None:
    settings = (checkout.folder / "environments" / "local.yaml").read_text()
    port = re.search(r"127\.0\.0\.1:(\d+)", settings)
    assert port is not None
    serve = ("serve", "--port", port[1], "--data", str(checkout.data))
    up.append(server := checkout.begin("-c", HOLDS_THE_FOLDER, *serve, str(gate.folder)))
    gate.wait_until_held(server)
    up.append(second := checkout.begin("-m", "local", "up"))
    wait_until_it_waits(second)
    gate.open()
    said, problem = end_of(second)
    assert (second.returncode, said) == (0, f"up at http://127.0.0.1:{port[1]}\n"), problem
    assert json.loads((checkout.data / "server.json").read_text())["pid"] == server.pid
    os.kill(server.pid, signal.SIGSTOP)  # it takes requests, and never answers
    try:
        seed = checkout.begin("-m", "local", "seed", "--deadline", "2")
        said, problem = end_of(seed)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert (seed.returncode, said) == (2, "")
    assert problem.startswith("ended: it took longer than its --deadline.\nRun it again to go on: ")
