"""A command that is killed or told to end at a drawn moment, and what must be true after it."""

from __future__ import annotations

import fcntl
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY
from tests.faults.checkouts import checkout_with
from tests.faults.load import DATASET, ROWS, TABLE
from tests.harness.checkout import SMALL
from tests.harness.processes import PROCESSES, below, in_folder, kill, words
from tests.lifecycle.existing import existing, table, transfer_configs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness.checkout import Checkout

#: Draws the same kills again. By default each day has its own.
SEED = int(os.environ.get("EROS_FAULT_SEED") or f"{datetime.now(UTC):%Y%m%d}")
KILLS = 30
#: A process that is asked for may not be there yet; an end gives no event.
POLL_SECONDS = 0.01
#: What a command may take, killed or not, on a busy machine.
LONGEST_SECONDS = 300
#: How often a kill is drawn again, each time earlier, when the command ended before it; and how many must come to it.
DRAWINGS = 3
KILLED_PART = 0.8
#: Whether each kill of this process killed something, after all its drawings.
KILLED: list[bool] = []
#: What a command's processes may take to notice that their parent was killed.
SECONDS_TO_END = 20
#: Subcommands of Terraform.
RUNS = {"init", "plan", "apply", "destroy"}
MARK = "a row that was written before"


class Victim(StrEnum):
    """What is killed, or the signal that tells the command to end."""

    SERVER = "server"
    TERRAFORM = "terraform"
    NODE = "node"
    PYTHON = "python"
    TREE = "tree"
    INTERRUPTED = "SIGINT"
    TERMINATED = "SIGTERM"
    HUNG_UP = "SIGHUP"


#: Those that a command handles; it has to do so first.
SIGNALS = (Victim.INTERRUPTED, Victim.TERMINATED, Victim.HUNG_UP)


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
        if self.applying:
            return tuple(Victim)
        return (Victim.SERVER, Victim.PYTHON, Victim.TREE, *(SIGNALS if self is not LOAD else ()))


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

    A command that ended before is run again elsewhere, and killed earlier.
    """
    record("EROS_FAULT_SEED", SEED)
    print(f"EROS_FAULT_SEED={SEED}")  # noqa: T201 - shown with a failure
    killed = False
    for drawing in range(DRAWINGS):
        place = folder / str(drawing)
        place.mkdir()
        if killed := _survives(replace(one, part=one.part / 2**drawing), place):
            break
    KILLED.append(killed)
    record("killed", killed)


def most_killed_something() -> None:
    """Enough of the kills of this process came to their victims: the others say nothing."""
    assert sum(KILLED) >= KILLED_PART * len(KILLED), f"{sum(KILLED)} of {len(KILLED)} kills killed something"


def _survives(one: Kill, folder: Path) -> bool:
    """Whether a kill killed something; what must be true is checked then."""
    with checkout_with(one.moment.deployed, folder) as checkout:
        if one.moment.deployed:
            checkout.query(
                f"INSERT `{table('lock_sweep_log')}` (sweep_id, sweep_time) VALUES ('{MARK}', CURRENT_TIMESTAMP())"
            )
        code, printed, killed = run_and_kill(one, checkout)
        assert killed or code == 0, printed
        if killed:
            check_the_end(one, code, printed, checkout)
            recover(one, printed, checkout)
        return killed


def run_and_kill(one: Kill, checkout: Checkout) -> tuple[int, str, bool]:
    """Run a command and kill its victim; exit code, output, whether the victim was killed."""
    command, place = list(one.moment.command), checkout.folder
    if one.moment is LOAD:
        command += [checkout.endpoint, "eros-local"]
        place = REPOSITORY
    server = int(checkout.status()["pid"])
    how = signal.Signals[one.victim] if one.victim in SIGNALS else signal.SIGKILL
    with (checkout.folder / "printed").open("w+") as printed:
        process = subprocess.Popen(
            command, cwd=place, env={**os.environ, "EROS_ENV": "local"}, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            killed = _kill(one, process, server, how)
            code = process.wait(LONGEST_SECONDS)
        finally:
            if process.poll() is None:
                for left in below(process.pid):
                    kill(left)
        printed.seek(0)
        return code, printed.read(), killed


def _kill(one: Kill, process: subprocess.Popen[bytes], server: int, how: signal.Signals) -> bool:
    """Send a signal to the victims at the drawn moment; False if the command ended before."""
    by_terraform = one.victim in {Victim.TERRAFORM, Victim.NODE}
    pause = one.part * (one.moment.applying if by_terraform else one.moment.seconds)
    began = time.monotonic()
    started = None if by_terraform or one.victim in SIGNALS else began
    while process.poll() is None:
        assert time.monotonic() - began < LONGEST_SECONDS, f"{one}: the command does not end"
        victims = [server] if one.victim is Victim.SERVER else _victims(one.victim, process.pid)
        if victims and started is None:
            started = time.monotonic()
        if started is not None and time.monotonic() - started >= pause and sum(kill(each, how) for each in victims):
            return True
        time.sleep(POLL_SECONDS)
    return False


def _victims(victim: Victim, command: int) -> list[int]:
    processes = below(command)
    match victim:
        case Victim.TREE:
            return processes
        case Victim.NODE:
            return [one for one in processes if words(one)[:1] == ["node"]]
        case Victim.TERRAFORM:
            return [one for one in processes if _is_terraform(one)]
    commands = [one for one in processes if words(one)[1:3] in (["-m", "operations"], ["-m", "tests.faults.load"])]
    return commands if victim is Victim.PYTHON else [one for one in commands if _handles_signals(one)]


def _is_terraform(process: int) -> bool:
    """Whether terraform.sh waits for this process: the binary, or Python with the library that is bundled."""
    said = words(process)
    runs = not RUNS.isdisjoint(said) and not _is_terraform_script(said)
    return runs and _is_terraform_script(words(int(_status(process).get("PPid", 0))))


def _is_terraform_script(said: list[str]) -> bool:
    return any(word.endswith("operations/terraform.sh") for word in said[:2])


def _handles_signals(process: int) -> bool:
    """Whether a command has come to where it handles SIGTERM; before, it ends as any program does."""
    return bool(int(_status(process).get("SigCgt", "0"), 16) >> (signal.SIGTERM - 1) & 1)


def _status(process: int) -> dict[str, str]:
    """What the kernel says of a process; nothing for one that has ended."""
    with suppress(OSError):
        lines = (PROCESSES / str(process) / "status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {}


def check_the_end(one: Kill, code: int, printed: str, checkout: Checkout) -> None:
    """The command ended with the truth, and with a sentence where it could still say one."""
    assert "Traceback" not in printed, printed
    assert "Plugin did not respond" not in printed, printed
    if one.victim in SIGNALS:
        assert code == 2, printed
        sentence = rf"ended by {one.victim}(, before it began|\.|\. Half done: .+\.)$|ended, although"
        assert re.search(sentence, printed, re.MULTILINE), printed
        check_that_nothing_runs(checkout)
    elif code == 0:
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
        case "daily-run":
            for config in transfer_configs(checkout):
                newest = checkout.api(f"bigquerydatatransfer/v1/{config['name']}/runs")["transferRuns"][0]
                assert newest["state"] == "SUCCEEDED", newest
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
    check_that_nothing_runs(checkout)
    assert not list(checkout.state.glob(".*.lock.info"))
    with (checkout.folder / ".local" / "cdktf.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_that_nothing_runs(checkout: Checkout) -> None:
    """No process but the server."""
    server = int(checkout.status()["pid"])
    deadline = time.monotonic() + SECONDS_TO_END
    while left := [one for one in in_folder(checkout.folder) if one != server]:
        assert time.monotonic() < deadline, [words(one) for one in left]
        time.sleep(POLL_SECONDS)
