"""``make bench-deploy``: the warm times of the main tasks, each with its budget."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.harness.checkout import copy_checkout


@dataclass(frozen=True)
class Timing:
    """A measured operation: its wall time and its budget, in seconds."""

    operation: str
    seconds: float
    budget: float


def timed(checkout: Path, command: list[str], environment_name: str = "local") -> float:
    """Seconds that a command takes in a checkout.

    Raises:
        SystemExit: the command failed; its output is printed.
    """
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=checkout,
        env={**os.environ, "EROS_ENV": environment_name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return time.monotonic() - started


def measure(checkout: Path) -> list[Timing]:
    """Run the main tasks in a fresh checkout with installed requirements, and time them."""
    cdktf, python = str(checkout / "operations" / "cdktf.sh"), str(checkout / ".venv/bin/python")
    synthesis = [python, "main.py"]
    timed(checkout, synthesis, "prod")
    timings = [Timing("synthesis of prod", timed(checkout, synthesis, "prod"), 2.5)]
    timings.append(Timing("first make deploy, with sample data", timed(checkout, ["make", "-s", "deploy"]), 60))
    timings.append(Timing("second make deploy", timed(checkout, ["make", "-s", "deploy"]), 25))
    timings.append(Timing("cdktf plan of one stack", timed(checkout, [cdktf, "plan", "eros-local-warehouse"]), 5))
    timings.append(Timing("verification", timed(checkout, [python, "-m", "verification", "--env", "local"]), 10))
    return timings


def main() -> None:
    """Print the table; exit 1 if a budget is exceeded."""
    with tempfile.TemporaryDirectory(prefix="eros-bench-") as folder:
        checkout = copy_checkout(Path(folder))
        try:
            timings = measure(checkout)
        finally:
            subprocess.run([str(checkout / ".venv/bin/python"), "-m", "local", "down"], cwd=checkout, check=False)
    table = Table("operation", "seconds", "budget", "")
    for timing in timings:
        kept = "ok" if timing.seconds <= timing.budget else "OVER"
        table.add_row(timing.operation, f"{timing.seconds:.1f}", f"{timing.budget:g}", kept)
    Console().print(table)
    raise SystemExit(int(any(timing.seconds > timing.budget for timing in timings)))


if __name__ == "__main__":
    main()
