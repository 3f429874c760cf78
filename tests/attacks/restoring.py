"""``python -m tests.attacks.restoring FOLDER`` reads Terraform's state files there, as a deployment does first.

It ends with 1 where a file is left that is no state.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

from catalog.command_line import run
from declared.loading import load_environment
from declared.output import MaskingConsole
from operations.deploy import states


def _restore() -> None:
    folder = Path(sys.argv[1])
    with mock.patch.object(states, "REPOSITORY", folder):
        states.restore_states(load_environment("local"), MaskingConsole())
    left = [file for file in folder.rglob("*.tfstate") if not isinstance(json.loads(file.read_bytes()), dict)]
    sys.exit(bool(left))


if __name__ == "__main__":
    run("python -m tests.attacks.restoring", _restore)
