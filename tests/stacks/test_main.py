"""The CDKTF app as a command."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

#: Runs the app with an environment that nobody expects.
PROGRAM = """
import runpy, sys
from pathlib import Path
from catalog import command_line
from declared import loading
def broken(*_):
    raise KeyError("nobody expects this")
command_line.FAULTS = Path(sys.argv.pop())
loading.load_environment = broken
runpy.run_path("main.py", run_name="__main__")
"""


def test_a_defect_of_the_synthesis_is_a_sentence_and_a_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    (file,) = tmp_path.iterdir()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("an unexpected KeyError, a defect of this program: open an issue with ")
    assert str(file) in done.stderr
    assert "python main.py" in file.read_text(encoding="utf-8")


def test_a_file_in_place_of_its_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=REPOSITORY,
        env={**os.environ, "EROS_ENV": "local", "CDKTF_OUTDIR": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("The synthesis cannot write its files: ")
    assert len(done.stderr.splitlines()) == 1
