"""Runs of scheduled queries: each executes the query of its config and records how it ended."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.control_plane.answers import timestamp
from local.control_plane.due_times import next_due_time

if TYPE_CHECKING:
    from local.control_plane.store import Resource, Store

CONFIG = "transfer_config"
RUN = "transfer_run"
SCHEDULED_QUERY = "scheduled_query"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScheduledQuery:
    """What a run executes: the query of its config, as a job with this id, for this time."""

    project: str
    job_id: str
    query: str
    run_time: datetime


#: Executes a scheduled query with ``@run_time`` and ``@run_date`` bound, and waits; raises what the query raised.
RunQuery = Callable[[ScheduledQuery], None]


@dataclass(frozen=True)
class Runs:
    """Where runs are kept, the project whose jobs they are, and what executes their queries."""

    store: Store
    project: str
    run_query: RunQuery

    def begin(self, config: Resource, run_time: datetime) -> tuple[Resource, ScheduledQuery]:
        """Record a pending run of a config.

        Returns:
            The run, and the query to execute for it.
        """
        run = {
            "name": f"{config['name']}/runs/{uuid.uuid4()}",
            "dataSourceId": SCHEDULED_QUERY,
            "params": config["params"],
            "runTime": timestamp(run_time),
            "scheduleTime": timestamp(),
            "updateTime": timestamp(),
            "state": "PENDING",
            "userId": config["userId"],
            "emailPreferences": config.get("emailPreferences", {}),
        }
        job = f"{SCHEDULED_QUERY}_{run['name'].rsplit('/', 1)[1]}"
        query = ScheduledQuery(self.project, job, config["params"]["query"], run_time)
        return self.store.put(RUN, run["name"], run), query

    def execute(self, run: Resource, query: ScheduledQuery) -> None:
        """Execute a run to its end; an exception of the query is the run's outcome."""
        _note(self.store, run["name"], state="RUNNING", startTime=timestamp())
        try:
            self.run_query(query)
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("Run %s failed: %s", run["name"], error)
            status = {"code": 3, "message": str(error)}
            _note(self.store, run["name"], state="FAILED", endTime=timestamp(), errorStatus=status)
        else:
            _note(self.store, run["name"], state="SUCCEEDED", endTime=timestamp())

    def scheduled(self) -> list[Resource]:
        """The configs. One that is due later than its schedule says is due by its schedule: the clock was set back."""
        now = datetime.now(UTC)
        for config in self.store.list(CONFIG):
            if _is_late(config, now):
                with self.store.transaction():
                    if (current := self.store.get(CONFIG, config["name"])) and _is_late(current, now):
                        self.store.put(CONFIG, current["name"], due(current, next_due_time(current["schedule"], now)))
        return self.store.list(CONFIG)

    def run_due(self, config: Resource, run_time: datetime) -> None:
        """Run a config that is due, after moving its ``nextRunTime`` to the following one."""
        following = next_due_time(config["schedule"], run_time)
        with self.store.transaction():
            if current := self.store.get(CONFIG, config["name"]):
                self.store.put(CONFIG, config["name"], due(current, following))
        self.execute(*self.begin(config, run_time))

    def end_interrupted(self) -> None:
        """Fail the runs that an earlier server left unfinished."""
        for run in self.store.list(RUN):
            if run["state"] in {"PENDING", "RUNNING"}:
                status = {"code": 10, "message": "The server ended while the query ran. Start the run again."}
                _note(self.store, run["name"], state="FAILED", endTime=timestamp(), errorStatus=status)


def _is_late(config: Resource, now: datetime) -> bool:
    """Whether a config's next run is later than its schedule's next time."""
    kept, following = config.get("nextRunTime"), next_due_time(config.get("schedule", ""), now)
    return bool(kept and following and following < datetime.fromisoformat(kept))


def due(config: Resource, moment: datetime | None) -> Resource:
    """A config with the time of its next run, if there is one."""
    rest = {key: value for key, value in config.items() if key != "nextRunTime"}
    return {**rest, "nextRunTime": timestamp(moment)} if moment else rest


def _note(store: Store, name: str, **changes: Any) -> None:
    """Record a run's progress on the run and on its config, where they still exist."""
    with store.transaction():
        if run := store.get(RUN, name):
            store.put(RUN, name, {**run, **changes, "updateTime": timestamp()})
        config_name = name.partition("/runs/")[0]
        if config := store.get(CONFIG, config_name):
            store.put(CONFIG, config_name, {**config, "state": changes["state"]})
