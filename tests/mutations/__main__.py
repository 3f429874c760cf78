"""``make mutations``: apply every deliberate defect alone to a deployed system, verify it, and print the score."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.harness.deployed import deploy, embedded_environment
from tests.mutations.defects import DEFECTS
from tests.mutations.harmless import HARMLESS
from tests.mutations.mutation import look
from verification.running import verify


def main() -> int:
    """Try each mutation alone with a whole run; 0 when every defect is caught and nothing else is reported."""
    console = Console(highlight=False)
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder, embedded_environment(Path(folder)) as environment:
        with console.status("deploying …"):
            system = deploy(environment)
            before = verify(environment)
        for mutation in (*DEFECTS, *HARMLESS):
            with console.status(mutation.title):
                suites = mutation.suites if mutation.before_a_plan else ()
                results = look(system, before, [mutation], suites)[mutation]
            if bool(results) != bool(mutation.named):
                missed.append(mutation.title)
                found = "; ".join(f"{r.id} {r.object}: {r.expected} / {r.found}" for r in results[:3])
                console.print(f"[red]✗[/] {mutation.title}: {found or 'nothing reported'}", markup=True)
        after = verify(environment)
    score = sum(mutation.title not in missed for mutation in DEFECTS)
    alarms = sum(mutation.title in missed for mutation in HARMLESS)
    console.print(
        f"{score}/{len(DEFECTS)} defects caught and named; "
        f"{alarms} false alarms in {len(HARMLESS)} harmless differences"
    )
    console.print(f"restored: {after.headline}")
    return int(bool(missed) or not after.well)


if __name__ == "__main__":
    sys.exit(main())
