"""Bad inputs by the hundred: each ends with a sentence and the right exit code, in time, and never with a traceback.

``EROS_ATTACK_SEED=N`` repeats a drawing; each run prints its seed.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from catalog import load_catalog, zetasql
from tests.attacks.answers import bad_server
from tests.attacks.attack import Attack, carry_out
from tests.attacks.inputs import drawn

if TYPE_CHECKING:
    from pathlib import Path

SHORT, WHOLE = 60, 420
FIXED_SEED = 15


def _try_all(seed: int, count: int, tmp_path: Path) -> str:
    """Carry out the attacks of a seed, and return the figures."""
    faults, tried, slowest = [], Counter[str](), (0.0, "none")
    with bad_server():
        for number, attack in enumerate(drawn(seed, count)):
            place = tmp_path / str(number)
            place.mkdir()
            ending = carry_out(attack, place)
            tried[attack.kind] += 1
            slowest = max(slowest, (ending.seconds, f"{attack.kind}: {attack.what}"))
            if fault := ending.fault(attack):
                faults.append(f"{number} {attack.kind}: {attack.what}\n    {fault}")
    kinds = ", ".join(f"{kind} {times}" for kind, times in sorted(tried.items()))
    tracebacks = sum("a traceback" in fault for fault in faults)
    figures = (
        f"EROS_ATTACK_SEED={seed}: {tried.total()} inputs ({kinds}), {tracebacks} tracebacks, "
        f"longest wait {slowest[0]:.1f} s ({slowest[1]})"
    )
    assert not faults, "\n".join([figures, *faults])
    return figures


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Compile the analyzer and the SQL files first: where nothing is cached, that takes longer than any bad input."""
    load_catalog()
    zetasql.parse("SELECT 1")


def test_some_bad_inputs(tmp_path: Path) -> None:
    _try_all(int(os.environ.get("EROS_ATTACK_SEED", FIXED_SEED)), SHORT, tmp_path)


def test_a_command_that_goes_on_ends_by_force(tmp_path: Path) -> None:
    attack = Attack("end", "deaf", "tests.attacks.deaf", (), names=("something did not stop",))
    ending = carry_out(attack, tmp_path)
    assert ending.fault(attack) == ""
    assert ending.seconds < 10


@pytest.mark.long
def test_hundreds_of_bad_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("EROS_ATTACK_SEED", secrets.randbelow(1_000_000)))
    figures = _try_all(seed, WHOLE, tmp_path)
    with capsys.disabled():
        print(f"\n{figures}")  # noqa: T201 - the figures of the run
