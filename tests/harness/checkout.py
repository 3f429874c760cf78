"""A copy of this checkout with an embedded environment of its own, so that tests and benchmarks disturb nobody's."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def copy_checkout(target: Path) -> Path:
    """Copy the repository's files, as they are now, to ``target``; installed things and caches are shared by links.

    The copy's local environment gets a free port; its data and state are its own.

    Returns:
        The copy's folder.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
    (REPOSITORY / ".cache").mkdir(exist_ok=True)
    for shared in (".venv", "node_modules", ".cache"):
        (target / shared).symlink_to(REPOSITORY / shared)
    settings = target / "environments" / "local.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{free_port()}", text), encoding="utf-8")
    return target
