"""A command of which a process is killed at a drawn moment, and what must be true after it."""

from __future__ import annotations

import fcntl
import os
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY
from tests.faults.checkouts import checkout_with
from tests.faults.load import DATASET, ROWS, TABLE
from tests.harness.checkout import SMALL
from tests.harness.processes import below, in_folder, kill, words
from tests.lifecycle.existing import existing, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness.checkout import Checkout

#: Draws the same kills again. By default each day has its own.
SEED = int(os.environ.get("EROS_FAULT_SEED") or f"{datetime.now(UTC):%Y%m%d}")
KILLS = 30
#: A process that is asked for may not be there yet; an end gives no event.
POLL_SECONDS = 0.01
#: What a command's processes may take to notice that their parent was killed.
SECONDS_TO_END = 20
MARK = "a row that was written before"


class Victim(StrEnum):
    """What is killed."""

    SERVER = "server"
    TERRAFORM = "terraform"
    NODE = "node"
    PYTHON = "python"
    TREE = "tree"


@dataclass(frozen=True)
class Moment:
    """What is done while something is killed; ``seconds`` is about how long that takes, ``applying`` its Terraform."""

    name: str
    command: tuple[str, ...]
    seconds: float
    applying: float = 0.0
    deployed: bool = True

    @property
    def victims(self) -> tuple[Victim, ...]:
        """What can be killed."""
        return tuple(Victim) if self.applying else (Victim.SERVER, Victim.PYTHON, Victim.TREE)


LOAD = Moment("load", (sys.executable, "-m", "tests.faults.load"), 8)
MOMENTS = (
    Moment("first-deployment", ("make", "-s", "deploy"), 16, 9, deployed=False),
    Moment("second-deployment", ("make", "-s", "deploy"), 9, 3),
    LOAD,
    Moment("daily-run", (".venv/bin/python", "-m", "operations", "run-schedules"), 4),
    Moment("rollback", ("make", "-s", "rollback"), 7, 5),
    Moment("destroy", ("make", "-s", "destroy"), 12, 10),
    Moment("preview", ("make", "-s", "preview-up", "NUMBER=7"), 18, 9),
)


@dataclass(frozen=True)
class Kill:
    """A victim, and when: after this part of what is done."""

    moment: Moment
    victim: Victim
    part: float

    def __str__(self) -> str:
        return f"{self.moment.name}-{self.victim}-{self.part:.3f}"


def drawn() -> list[Kill]:
    """The kills of a seed; each moment is in it about equally often."""
    draw = random.Random(SEED)  # noqa: S311 - repeatable
    moments = (MOMENTS * KILLS)[:KILLS]
    return [Kill(moment, draw.choice(moment.victims), draw.random()) for moment in moments]


def survive(one: Kill, folder: Path, record: Callable[[str, object], None]) -> None:
    """Run the command of a kill, kill, and check what must be true after it; the record says whether it came to that.

    The command may have ended before.
    """
    record("EROS_FAULT_SEED", SEED)
    print(f"EROS_FAULT_SEED={SEED}")  # noqa: T201 - shown with a failure
    with checkout_with(one.moment.deployed, folder) as checkout:
        if one.moment.deployed:
            checkout.query(
                f"INSERT `{table('lock_sweep_log')}` (sweep_id, sweep_time) VALUES ('{MARK}', CURRENT_TIMESTAMP())"
            )
        code, printed, killed = run_and_kill(one, checkout)
        if killed:
            check_the_end(one, code, printed, checkout)
        recover(one, printed, checkout)
    record("killed", killed)


def run_and_kill(one: Kill, checkout: Checkout) -> tuple[int, str, bool]:
    """Run a command and kill its victim; exit code, output, whether the victim was killed."""
    command, place = list(one.moment.command), checkout.folder
    if one.moment is LOAD:
        command += [checkout.endpoint, "eros-local"]
        place = REPOSITORY
    server = int(checkout.status()["pid"])
    with (checkout.folder / "printed").open("w+") as printed:
        process = subprocess.Popen(
            command, cwd=place, env={**os.environ, "EROS_ENV": "local"}, stdout=printed, stderr=subprocess.STDOUT
        )
        waits_for_it = one.victim in {Victim.TERRAFORM, Victim.NODE}
        started = None if waits_for_it else time.monotonic()
        pause = one.part * (one.moment.applying if waits_for_it else one.moment.seconds)
        killed = False
        while process.poll() is None and not killed:
            victims = [server] if one.victim is Victim.SERVER else _victims(one.victim, process.pid)
            if victims and started is None:
                started = time.monotonic()
            if victims and started is not None and time.monotonic() - started >= pause:
                killed = sum(map(kill, victims)) > 0
            time.sleep(POLL_SECONDS)
        code = process.wait(300)
        printed.seek(0)
        return code, printed.read(), killed


def _victims(victim: Victim, command: int) -> list[int]:
    processes = below(command)
    match victim:
        case Victim.TREE:
            return processes
        case Victim.PYTHON:
            return [
                one
                for one in processes
                if "-m" in (said := words(one)) and said[2] in {"operations", "tests.faults.load"}
            ]
        case Victim.NODE:
            return [one for one in processes if words(one)[:1] == ["node"]]
        case _:
            return [one for one in processes if words(one)[:1] and words(one)[0].endswith("terraform")]


def check_the_end(one: Kill, code: int, printed: str, checkout: Checkout) -> None:
    """The command ended with the truth, and with a sentence where it could still say one."""
    assert "Traceback" not in printed, printed
    assert "Plugin did not respond" not in printed, printed
    if code == 0:
        check_that_it_is_done(one, checkout)
    elif one.victim not in {Victim.PYTHON, Victim.TREE}:
        assert sentences(printed), printed


def sentences(printed: str) -> list[str]:
    """The lines that a command printed for its reader, without make's and without those of its steps."""
    return [line for line in printed.splitlines() if line and not line.startswith(("make:", "✓", "✗"))]


def check_that_it_is_done(one: Kill, checkout: Checkout) -> None:
    """A command that ended with 0 has done all that it says."""
    checkout.make("up")
    found = existing(checkout)
    match one.moment.name:
        case "rollback":
            assert not found["configs"]
        case "destroy":
            assert not found["datasets"]
        case "first-deployment" | "second-deployment" | "preview":
            environment = "preview-local-7" if one.moment.name == "preview" else "local"
            checkout.python("verification", "--env", environment)


def recover(one: Kill, printed: str, checkout: Checkout) -> None:
    """The next deployment ends green, and nothing is lost or left."""
    if one.moment.name in {"first-deployment", "destroy"}:
        checkout.make("up")
        checkout.seed()  # a few rows instead of the many that a deployment would create
    checkout.make("deploy")
    assert checkout.query(f"SELECT COUNT(*) FROM `{table('mass_messages')}`") == [[str(SMALL.messages)]]
    if one.moment.deployed and one.moment.name != "destroy":
        kept = f"SELECT COUNT(*) FROM `{table('lock_sweep_log')}` WHERE sweep_id = '{MARK}'"
        assert checkout.query(kept) == [["1"]]
    if one.moment is LOAD:
        check_the_load(printed, checkout)
    if one.moment.name == "preview":
        checkout.make("preview-down", "NUMBER=7")
        assert not [name for names in existing(checkout).values() for name in names if "pr7" in name]
    check_that_nothing_is_left(checkout)


def check_the_load(printed: str, checkout: Checkout) -> None:
    """Each job's rows are there once or not at all, and all that were said to be written."""
    said = max(map(int, re.findall(r"^written (\d+)$", printed, re.MULTILINE)), default=0)
    tables = checkout.bigquery("GET", "projects/eros-local/datasets").get("datasets", [])
    if not said and not any(found["id"].endswith(DATASET) for found in tables):
        return
    rows = [[str(said), str(said)]]
    if said or checkout.bigquery("GET", "projects/eros-local/datasets/loads/tables").get("tables"):
        rows = checkout.query(f"SELECT COUNT(*), COUNT(DISTINCT number) FROM `eros-local.{TABLE}`")
    assert rows[0][0] == rows[0][1]
    assert int(rows[0][0]) % ROWS == 0
    assert said <= int(rows[0][0]) <= said + ROWS


def check_that_nothing_is_left(checkout: Checkout) -> None:
    """No process but the server, and no lock."""
    server = int(checkout.status()["pid"])
    deadline = time.monotonic() + SECONDS_TO_END
    while left := [one for one in in_folder(checkout.folder) if one != server]:
        assert time.monotonic() < deadline, [words(one) for one in left]
        time.sleep(POLL_SECONDS)
    assert not list(checkout.state.glob(".*.lock.info"))
    with (checkout.folder / ".local" / "cdktf.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
