"""Faults that kill nothing: a server that hangs, a full disk, read-only folders, another clock, two at a time."""

from __future__ import annotations

import os
import re
import resource
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.faults.checkouts import checkout_with
from tests.faults.kills import LONGEST_SECONDS, check_that_nothing_is_left, sentences
from tests.harness.client import put_clock
from tests.harness.waiting import until
from tests.lifecycle.existing import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.checkout import Checkout

pytestmark = [pytest.mark.cdktf, pytest.mark.long]

HUNG_SECONDS = 30
STATE = ".local/state"
#: Bytes: less than any file of a deployment or of the server grows to.
FULL = 4_096


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A deployed checkout; each test leaves it deployed."""
    with checkout_with(True, tmp_path_factory.mktemp("faults")) as found:
        yield found


def without_room() -> None:
    """Let this process, and what it starts, write small files only."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL, FULL))


def is_green(checkout: Checkout) -> None:
    """The next deployment ends well, and leaves nothing."""
    checkout.make("deploy")
    check_that_nothing_is_left(checkout)


def is_a_sentence(printed: str) -> None:
    assert "Traceback" not in printed, printed
    assert sentences(printed), printed


def test_a_server_that_hangs_for_a_while_delays_a_deployment(checkout: Checkout) -> None:
    checkout.make("rollback")
    server, log = int(checkout.status()["pid"]), checkout.folder / ".local" / "cdktf.log"
    seen = log.stat().st_size
    deploy = checkout.start("make", "-s", "deploy")
    until(lambda: b"Creating" in log.read_bytes()[seen:] or deploy.poll() is not None, "Terraform to create objects")
    assert deploy.poll() is None
    os.kill(server, signal.SIGSTOP)
    try:
        time.sleep(HUNG_SECONDS)  # it is the time that is tested
    finally:
        os.kill(server, signal.SIGCONT)
    printed = deploy.communicate(timeout=LONGEST_SECONDS)[0]
    assert deploy.returncode == 0, printed
    is_green(checkout)


def test_a_server_without_room_for_files_ends_nothing_for_good(checkout: Checkout) -> None:
    checkout.make("rollback")
    server = int(checkout.status()["pid"])
    soft, hard = resource.prlimit(server, resource.RLIMIT_FSIZE)
    checkout.query(f"INSERT `{table('lock_sweep_log')}` (sweep_id, sweep_time) VALUES ('room', CURRENT_TIMESTAMP())")
    resource.prlimit(server, resource.RLIMIT_FSIZE, (FULL, hard))
    try:
        deploy = checkout.start("make", "-s", "deploy")
        printed = deploy.communicate(timeout=LONGEST_SECONDS)[0]
    finally:
        resource.prlimit(server, resource.RLIMIT_FSIZE, (soft, hard))
    assert deploy.returncode
    is_a_sentence(printed)
    is_green(checkout)
    kept = f"SELECT COUNT(*) FROM `{table('lock_sweep_log')}` WHERE sweep_id = 'room'"
    assert checkout.query(kept) == [["1"]]


@pytest.mark.parametrize("command", ["deploy", "destroy --stack automation", "plan"])
def test_a_command_without_room_for_files_is_a_sentence(checkout: Checkout, command: str) -> None:
    """Not by make, which would install what is older than its list, into what all checkouts share."""
    words = (".venv/bin/python", "-m", "operations", *command.split())
    done = checkout.start(*words, prepare=without_room)
    printed = done.communicate(timeout=LONGEST_SECONDS)[0]
    assert done.returncode
    is_a_sentence(printed)
    is_green(checkout)


@pytest.mark.skipif(os.getuid() == 0, reason="the administrator may write to read-only folders")
@pytest.mark.parametrize("place", [".local", STATE, ".local/data", "cdktf.out"])
def test_a_folder_that_becomes_read_only_is_a_sentence(checkout: Checkout, place: str) -> None:
    folder = checkout.folder / place
    mode = folder.stat().st_mode
    folder.chmod(0o500)
    try:
        command = checkout.start("make", "-s", "deploy")
        printed = command.communicate(timeout=LONGEST_SECONDS)[0]
    finally:
        folder.chmod(mode)
    # the others may hold nothing that a second deployment writes
    assert command.returncode or place != STATE, printed
    if command.returncode:
        is_a_sentence(printed)
        assert place != STATE or STATE in printed, printed
    is_green(checkout)


def test_a_file_in_place_of_the_states_folder_is_a_sentence(checkout: Checkout) -> None:
    """The administrator, too, can write nothing there."""
    kept = checkout.state.rename(checkout.folder / "kept")
    checkout.state.touch()
    try:
        command = checkout.start("make", "-s", "deploy")
        printed = command.communicate(timeout=LONGEST_SECONDS)[0]
    finally:
        checkout.state.unlink()
        kept.rename(checkout.state)
    assert command.returncode, printed
    is_a_sentence(printed)
    assert STATE in printed, printed
    is_green(checkout)


def test_the_engine_s_clock_a_day_ahead_and_a_day_behind(checkout: Checkout) -> None:
    try:
        for days in (1, -1):
            put_clock(checkout.endpoint, datetime.now(UTC) + timedelta(days=days))
            checkout.python("operations", "run-schedules")
    finally:
        put_clock(checkout.endpoint, None)
    is_green(checkout)


def test_two_deployments_take_turns(checkout: Checkout) -> None:
    checkout.make("rollback")
    both = [checkout.start("make", "-s", "deploy") for _ in range(2)]
    printed = [one.communicate(timeout=LONGEST_SECONDS)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], printed
    assert sum("Waiting for another run in this checkout" in text for text in printed) == 1
    is_green(checkout)


def test_a_second_server_on_the_folder_is_refused_and_the_first_goes_on(checkout: Checkout) -> None:
    server = checkout.status()["pid"]
    refused = checkout.python("local", "serve", "--port", "0", expect=2)
    assert re.search(rf"process id {server} has this data folder open", refused)
    assert checkout.status()["pid"] == server
    is_green(checkout)
