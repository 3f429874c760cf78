"""A whole embedded server, the clock of whose engine a test can move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.harness.client import connect, put_clock

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from declared.environment import Environment


@dataclass(frozen=True)
class Timed:
    """A server, its data folder and a client."""

    folder: Path
    endpoint: str
    project: str
    client: Any

    def move(self, by: timedelta) -> None:
        """Stop the clock at an instant that much later than now."""
        put_clock(self.endpoint, datetime.now(UTC) + by)

    def release(self) -> None:
        """Let the clock follow the machine's again."""
        put_clock(self.endpoint, None)


def timed_server(folder: Path, environment: Environment) -> Timed:
    """The server of an environment, whose data is in ``folder``."""
    endpoint = str(environment.endpoint)
    return Timed(folder / "data", endpoint, environment.project, connect(endpoint, environment.project))
