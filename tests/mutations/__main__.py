"""``make mutations``: applies every deliberate defect to a deployed system and prints how many were caught."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.harness.deployed import deploy, embedded_environment
from tests.mutations.defects import DEFECTS, HARMLESS, caught
from verification.running import verify


def main() -> int:
    """Apply every mutation to a system of its own and print the score; 0 when all are caught and nothing else is."""
    console = Console(highlight=False)
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder, embedded_environment(Path(folder)) as environment:
        with console.status("deploying …"):
            system = deploy(environment)
        for mutation in (*DEFECTS, *HARMLESS):
            with console.status(mutation.title):
                said = caught(system, mutation, everywhere=True)
            if bool(said) != bool(mutation.named):
                missed.append(mutation.title)
                found = "; ".join(f"{r.id} {r.object}: {r.expected} / {r.found}" for r in said[:3]) or "nothing said"
                console.print(f"[red]✗[/] {mutation.title}: {found}", markup=True)
        after = verify(environment)
    score = sum(mutation.title not in missed for mutation in DEFECTS)
    alarms = sum(mutation.title in missed for mutation in HARMLESS)
    console.print(
        f"{score}/{len(DEFECTS)} defects caught and named; "
        f"{alarms} false alarms in {len(HARMLESS)} harmless differences"
    )
    console.print(f"put back: {after.headline}")
    return int(bool(missed) or not after.well)


if __name__ == "__main__":
    sys.exit(main())
