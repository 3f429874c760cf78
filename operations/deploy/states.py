"""State files that a killed Terraform left unreadable: it empties the file before it writes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY
from declared.names import stack_names, state_file

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from declared.environment import Environment


def restore_states(environment: Environment, console: Console) -> None:
    """Put back the state from before the run that was cut off; the caller has its turn in cdktf.out.

    Terraform takes an empty file for a new state, and would destroy nothing. What the older state does not know, a
    deployment adopts; what it knows and is gone, Terraform notices.
    """
    for file in (REPOSITORY / state_file(stack) for stack in stack_names(environment.name)):
        backup = file.with_name(f"{file.name}.backup")
        if file.exists() and not _is_state(file):
            if backup.exists() and _is_state(backup):
                file.write_bytes(backup.read_bytes())
                console.print(f"{file.name} was cut off while it was written: its backup is used.", highlight=False)
            else:
                file.unlink()
                console.print(f"{file.name} was cut off while it was written, and has no backup.", highlight=False)


def _is_state(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (ValueError, RecursionError):
        return False
