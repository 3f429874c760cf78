"""One deployed system per worker, and the order of the tests."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from catalog.command_line import ENDINGS
from catalog.zone import LOS_ANGELES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared.environment import Environment
    from tests.harness.deployed import Deployed

# the same examples each time, whatever the machine is busy with; a fixture may serve several examples
settings.register_profile(
    "repository",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("repository")

#: Several servers share the cores; small statements are faster without handing work to other threads.
os.environ.setdefault("EROS_THREADS", "1")

if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # `nohup` runs the tests, and what they start must hear of it
    signal.signal(signal.SIGHUP, lambda *_: None)  # unlike an ignored one, it has its default in a new program

#: The folders that take longest come first, so that all workers end at about the same time.
FIRST = (
    "tests/catalog/test_command_line.py",
    "tests/operations/test_interrupts.py",
    "tests/google/",
    "tests/lifecycle/",
    "tests/sql/",
    "tests/operations/",
    "tests/verification/",
    "tests/local/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first."""
    places = {folder: number for number, folder in enumerate(FIRST)}
    items.sort(key=lambda item: next((places[f] for f in FIRST if item.nodeid.startswith(f)), len(FIRST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many of the kills were survived, where tests killed something (tests/faults/)."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    kills = [(report, dict(report.user_properties)) for report in reports if report.when == "call"]
    tried = [(report.passed, found) for report, found in kills if "EROS_FAULT_SEED" in found]
    if tried:
        late = sum(found.get("killed") is False for _, found in tried)
        terminalreporter.write_line(
            f"kills survived: {sum(passed for passed, _ in tried)} of {len(tried)} "
            f"({late} of commands that had just ended); EROS_FAULT_SEED={tried[0][1]['EROS_FAULT_SEED']}"
        )


@pytest.fixture(autouse=True)
def _handlers_stay() -> Iterator[None]:
    """A command's signal handlers, left by one test, would end the worker in another."""
    before = [signal.getsignal(number) for number in ENDINGS]
    yield
    assert signal.set_wakeup_fd(-1) == -1
    assert [signal.getsignal(number) for number in ENDINGS] == before


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The environment of an embedded server of this worker's own, on which the system is deployed."""
    from tests.harness.deployed import (  # noqa: PLC0415 - Google's client, which only the workers need
        Deployed,
        embedded_environment,
        fill_deployed,
    )
    from tests.harness.template import copy_template  # noqa: PLC0415 - the same

    folder = tmp_path_factory.mktemp("embedded")
    copy_template("deployed", folder, fill_deployed, f"{datetime.now(LOS_ANGELES):%Y-%m-%d}")  # a day's work is done
    with embedded_environment(folder) as found:
        Deployed(found).work()
        yield found


@pytest.fixture(scope="session")
def deployed(environment: Environment) -> Deployed:
    """The deployed system; a test that changes it restores it."""
    from tests.harness.deployed import Deployed  # noqa: PLC0415 - as above

    return Deployed(environment)
