"""A whole embedded server, the clock of whose engine a test can move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

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
        self._put_clock((datetime.now(UTC) + by).isoformat())

    def release(self) -> None:
        """Let the clock follow the machine's again."""
        self._put_clock(None)

    def _put_clock(self, now: str | None) -> None:
        httpx.put(f"{self.endpoint}/clock", json={"now": now}, timeout=60).raise_for_status()


def timed_server(folder: Path, environment: Environment) -> Timed:
    """The server of an environment, whose data is in ``folder``."""
    client = bigquery.Client(
        environment.project,
        AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": environment.endpoint},
    )
    return Timed(folder / "data", str(environment.endpoint), environment.project, client)
