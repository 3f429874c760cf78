"""BigQuery Data Transfer: configs of scheduled queries, and runs that really execute them."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from local.control_plane.answers import fields_of, invalid, not_found, timestamp, update_fields
from local.control_plane.clock import Clock
from local.control_plane.due_times import next_due_time
from local.control_plane.iam import check_account
from local.control_plane.projects import Projects
from local.control_plane.store import Resource, Store

CONFIG = "transfer_config"
RUN = "transfer_run"
SCHEDULED_QUERY = "scheduled_query"
THREAD_NAME = "scheduled query"
#: Who owns a config that no service account was named for.
CALLER = "local@example.com"
CONFIG_FIELDS = frozenset(
    {
        "disabled",
        "displayName",
        "emailPreferences",
        "notificationPubsubTopic",
        "params",
        "schedule",
        "scheduleOptions",
        "scheduleOptionsV2",
    }
)
DATA_SOURCE = {
    "dataSourceId": SCHEDULED_QUERY,
    "displayName": "Scheduled Queries",
    "defaultSchedule": "every 24 hours",
    "supportsCustomSchedule": True,
    "minimumScheduleInterval": "900s",
    "parameters": [{"paramId": "query", "displayName": "Query", "type": "STRING", "required": True}],
}


@dataclass(frozen=True)
class ScheduledQuery:
    """What a run executes: the query of its config, as a job of this name, for this time."""

    project: str
    job_id: str
    query: str
    run_time: datetime


#: Executes a scheduled query with ``@run_time`` and ``@run_date`` bound, and waits; raises what the query raised.
RunQuery = Callable[[ScheduledQuery], None]


def data_transfer(store: Store, projects: Projects, run_query: RunQuery) -> tuple[APIRouter, Clock]:
    """The routes of Data Transfer v1 that scheduled queries need, and the clock that runs what is due once started."""
    router = APIRouter(prefix="/bigquerydatatransfer/v1/projects/{project}/locations/{location}")
    _end_interrupted_runs(store)

    def parent(project: str, location: str) -> str:
        return f"projects/{projects.number(project)}/locations/{location.lower()}"

    def config_name(project: str, location: str, config: str) -> str:
        return f"{parent(project, location)}/transferConfigs/{config}"

    def keep(config: Resource) -> Resource:
        kept = store.put(CONFIG, config["name"], _checked(config))
        clock.changed()
        return kept

    def begin(config: Resource, run_time: datetime) -> tuple[Resource, ScheduledQuery]:
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
        query = ScheduledQuery(projects.own, job, config["params"]["query"], run_time)
        return store.put(RUN, run["name"], run), query

    def run_due(config: Resource, run_time: datetime) -> None:
        following = next_due_time(config["schedule"], run_time)
        with store.transaction():
            if current := store.get(CONFIG, config["name"]):
                store.put(CONFIG, config["name"], _due(current, following))
        run, query = begin(config, run_time)
        _execute(store, run, query, run_query)

    clock = Clock(lambda: store.list(CONFIG), run_due)

    def find(kind: str, name: str) -> Resource:
        if found := store.get(kind, name):
            return found
        raise not_found(f"Requested entity {name}")

    @router.get("/dataSources/{source}")
    def get_data_source(project: str, location: str, source: str) -> Resource:
        name = f"{parent(project, location)}/dataSources/{source}"
        if source != SCHEDULED_QUERY:
            raise not_found(f"Requested entity {name}")
        return {"name": name, **DATA_SOURCE}

    @router.get("/transferConfigs")
    def list_configs(project: str, location: str) -> Resource:
        return {"transferConfigs": store.list(CONFIG, config_name(project, location, ""))}

    @router.post("/transferConfigs")
    def create_config(
        project: str,
        location: str,
        body: Resource,
        service_account: Annotated[str, Query(alias="serviceAccountName")] = "",
    ) -> Resource:
        now = timestamp()
        config = {
            "name": config_name(project, location, str(uuid.uuid4())),
            "userId": "1234567890123456789",
            "updateTime": now,
            "state": "PENDING",
            "datasetRegion": location.lower(),
            **{key: value for key, value in body.items() if value not in ("", None)},
            "ownerInfo": {"email": service_account or CALLER},
        }
        with store.transaction():
            check_account(store, projects, service_account)
            return keep(_due(config, next_due_time(config.get("schedule", ""), datetime.now(UTC))))

    @router.get("/transferConfigs/{config}")
    def get_config(project: str, location: str, config: str) -> Resource:
        return find(CONFIG, config_name(project, location, config))

    @router.patch("/transferConfigs/{config}")
    def update_config(
        project: str,
        location: str,
        config: str,
        body: Resource,
        mask: Annotated[str | None, Query(alias="updateMask")] = None,
        service_account: Annotated[str, Query(alias="serviceAccountName")] = "",
    ) -> Resource:
        if mask is None:
            raise invalid("The update mask is missing.")
        fields = fields_of(mask)  # empty when the provider takes the service account away
        with store.transaction():
            current = find(CONFIG, config_name(project, location, config))
            if "serviceAccountName" in fields:
                fields.remove("serviceAccountName")
                check_account(store, projects, service_account)
                current["ownerInfo"] = {"email": service_account or CALLER}
            updated = update_fields(current, body, fields, CONFIG_FIELDS)
            now = datetime.now(UTC)
            if {"schedule", "disabled"} & set(fields):
                due = None if updated.get("disabled") else next_due_time(updated.get("schedule", ""), now)
                updated = _due(updated, due)
            return keep({**updated, "updateTime": timestamp(now)})

    @router.delete("/transferConfigs/{config}")
    def delete_config(project: str, location: str, config: str) -> Resource:
        name = config_name(project, location, config)
        with store.transaction():
            find(CONFIG, name)
            store.delete(CONFIG, name)
            for run in store.list(RUN, f"{name}/"):
                store.delete(RUN, run["name"])
        return {}

    @router.post("/transferConfigs/{config}:startManualRuns")
    def start_manual_runs(project: str, location: str, config: str, body: Annotated[Any, Body()] = None) -> Resource:
        found = find(CONFIG, config_name(project, location, config))
        run, query = begin(found, _requested_run_time(body))
        threading.Thread(target=_execute, args=(store, run, query, run_query), name=THREAD_NAME, daemon=True).start()
        return {"runs": [run]}

    @router.get("/transferConfigs/{config}/runs")
    def list_runs(
        project: str, location: str, config: str, states: Annotated[list[str] | None, Query()] = None
    ) -> Resource:
        name = config_name(project, location, config)
        find(CONFIG, name)
        runs = [run for run in store.list(RUN, f"{name}/runs/") if not states or run["state"] in states]
        return {"transferRuns": sorted(runs, key=lambda run: str(run["scheduleTime"]), reverse=True)}

    @router.get("/transferConfigs/{config}/runs/{run}")
    def get_run(project: str, location: str, config: str, run: str) -> Resource:
        return find(RUN, f"{config_name(project, location, config)}/runs/{run}")

    return router, clock


def _due(config: Resource, moment: datetime | None) -> Resource:
    """The config with the time at which it runs next, if it does."""
    rest = {key: value for key, value in config.items() if key != "nextRunTime"}
    return {**rest, "nextRunTime": timestamp(moment)} if moment else rest


def _checked(config: Resource) -> Resource:
    """A config as it may be kept.

    Raises:
        ApiError: it is no scheduled query, or one that this environment cannot run.
    """
    if config.get("dataSourceId") != SCHEDULED_QUERY:
        raise invalid(f"Data source {config.get('dataSourceId')!r} does not exist here, only {SCHEDULED_QUERY!r}.")
    if not config.get("displayName"):
        raise invalid("A transfer config needs a displayName.")
    if not config.get("params", {}).get("query"):
        raise invalid("A scheduled query needs params.query.")
    if config.get("destinationDatasetId"):
        raise invalid("A destination dataset is not supported here: write the query as DML, a script or a CALL.")
    if "emailPreferences" in config:
        # always said: the provider does not send `false`, and would read an empty object as no block at all
        config["emailPreferences"] = {"enableFailureEmail": False, **(config["emailPreferences"] or {})}
    return config


def _requested_run_time(body: Any) -> datetime:
    requested = body.get("requestedRunTime") if isinstance(body, dict) else None
    if not isinstance(requested, str):
        raise invalid("Name one requestedRunTime; a time range is not supported here.")
    try:
        run_time = datetime.fromisoformat(requested)
    except ValueError:
        raise invalid(f"The requested run time {requested!r} is no RFC 3339 time.") from None
    if run_time.tzinfo is None:
        raise invalid(f"The requested run time {requested!r} has no offset to UTC.")
    if run_time > datetime.now(UTC):
        raise invalid(f"The requested run time {requested} lies in the future.")
    return run_time.astimezone(UTC)


def _execute(store: Store, run: Resource, query: ScheduledQuery, run_query: RunQuery) -> None:
    """Execute a run to its end; whatever the query raises is the run's outcome."""
    _note(store, run["name"], state="RUNNING", startTime=timestamp())
    try:
        run_query(query)
    except Exception as error:  # noqa: BLE001 - see above
        logging.getLogger(__name__).warning("Run %s failed: %s", run["name"], error)
        status = {"code": 3, "message": str(error)}
        _note(store, run["name"], state="FAILED", endTime=timestamp(), errorStatus=status)
    else:
        _note(store, run["name"], state="SUCCEEDED", endTime=timestamp())


def _note(store: Store, name: str, **changes: Any) -> None:
    """Write down how a run stands, on the run and on its config, as far as they still exist."""
    with store.transaction():
        if run := store.get(RUN, name):
            store.put(RUN, name, {**run, **changes, "updateTime": timestamp()})
        config_name = name.partition("/runs/")[0]
        if config := store.get(CONFIG, config_name):
            store.put(CONFIG, config_name, {**config, "state": changes["state"]})


def _end_interrupted_runs(store: Store) -> None:
    """No run outlives the server: those that it left behind have failed."""
    for run in store.list(RUN):
        if run["state"] in {"PENDING", "RUNNING"}:
            status = {"code": 10, "message": "The server ended while the query ran. Start the run again."}
            _note(store, run["name"], state="FAILED", endTime=timestamp(), errorStatus=status)
