"""BigQuery Data Transfer v1: the routes for scheduled queries."""

import threading
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query

from local.control_plane.answers import CALLER, check_name, fields_of, invalid, not_found, timestamp, update_fields
from local.control_plane.due_times import next_due_time
from local.control_plane.iam import check_account
from local.control_plane.plane import ControlPlane, Plane
from local.control_plane.store import Resource
from local.control_plane.transfer_runs import CONFIG, RUN, SCHEDULED_QUERY, due

THREAD_NAME = "scheduled query"
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

router = APIRouter(prefix="/bigquerydatatransfer/v1/projects/{project}/locations/{location}")


async def location_name(plane: Plane, project: str, location: str) -> str:
    """The name of a location, with the project's number."""
    check_name("location", location)
    return f"projects/{plane.projects.number(project)}/locations/{location.lower()}"


Location = Annotated[str, Depends(location_name)]


async def config_name(location: Location, config: str) -> str:
    """The name of a transfer config."""
    check_name("transfer config", config)
    return f"{location}/transferConfigs/{config}"


ConfigName = Annotated[str, Depends(config_name)]
ServiceAccount = Annotated[str, Query(alias="serviceAccountName")]


@router.get("/dataSources/{source}")
def get_data_source(location: Location, source: str) -> Resource:
    """The one data source of this server."""
    name = f"{location}/dataSources/{source}"
    if source != SCHEDULED_QUERY:
        raise not_found(_entity(name))
    return {"name": name, **DATA_SOURCE}


@router.get("/transferConfigs")
def list_configs(plane: Plane, location: Location) -> Resource:
    """The configs of a location."""
    return {"transferConfigs": plane.store.list(CONFIG, f"{location}/transferConfigs/")}


@router.post("/transferConfigs")
def create_config(plane: Plane, location: Location, body: Resource, service_account: ServiceAccount = "") -> Resource:
    """Create a config; its first run is due at its schedule's next time."""
    now = timestamp()
    config = {
        "name": f"{location}/transferConfigs/{uuid.uuid4()}",
        "userId": "1234567890123456789",
        "updateTime": now,
        "state": "PENDING",
        "datasetRegion": location.rpartition("/")[2],
        **{key: value for key, value in body.items() if value not in ("", None)},
        "ownerInfo": {"email": service_account or CALLER},
    }
    with plane.store.transaction():
        check_account(plane, service_account)
        return _keep(plane, due(config, next_due_time(config.get("schedule", ""), datetime.now(UTC))))


@router.get("/transferConfigs/{config}")
def get_config(plane: Plane, name: ConfigName) -> Resource:
    """A config."""
    return plane.find(CONFIG, name, _entity(name))


@router.patch("/transferConfigs/{config}")
def update_config(
    plane: Plane,
    name: ConfigName,
    body: Resource,
    mask: Annotated[str | None, Query(alias="updateMask")] = None,
    service_account: ServiceAccount = "",
) -> Resource:
    """Update the fields of the mask; a new schedule begins to count now."""
    if mask is None:
        raise invalid("The update mask is missing.")
    fields = fields_of(mask)  # empty when the provider takes the service account away
    with plane.store.transaction():
        current = get_config(plane, name)
        if "serviceAccountName" in fields:
            fields.remove("serviceAccountName")
            check_account(plane, service_account)
            current["ownerInfo"] = {"email": service_account or CALLER}
        updated = update_fields(current, body, fields, CONFIG_FIELDS)
        now = datetime.now(UTC)
        if {"schedule", "disabled"} & set(fields):
            moment = None if updated.get("disabled") else next_due_time(updated.get("schedule", ""), now)
            updated = due(updated, moment)
        return _keep(plane, {**updated, "updateTime": timestamp(now)})


@router.delete("/transferConfigs/{config}")
def delete_config(plane: Plane, name: ConfigName) -> Resource:
    """Delete a config and its runs."""
    with plane.store.transaction():
        get_config(plane, name)
        plane.store.delete(CONFIG, name)
        for run in plane.store.list(RUN, f"{name}/"):
            plane.store.delete(RUN, run["name"])
    return {}


@router.post("/transferConfigs/{config}:startManualRuns")
def start_manual_runs(plane: Plane, name: ConfigName, body: Annotated[Any, Body()] = None) -> Resource:
    """Start a run for a requested time; it executes in the background."""
    run, query = plane.runs.begin(get_config(plane, name), _requested_run_time(body))
    threading.Thread(target=plane.runs.execute, args=(run, query), name=THREAD_NAME, daemon=True).start()
    return {"runs": [run]}


@router.get("/transferConfigs/{config}/runs")
def list_runs(plane: Plane, name: ConfigName, states: Annotated[list[str] | None, Query()] = None) -> Resource:
    """The runs of a config, the newest first."""
    get_config(plane, name)
    runs = [run for run in plane.store.list(RUN, f"{name}/runs/") if not states or run["state"] in states]
    return {"transferRuns": sorted(runs, key=lambda run: str(run["scheduleTime"]), reverse=True)}


@router.get("/transferConfigs/{config}/runs/{run}")
def get_run(plane: Plane, name: ConfigName, run: str) -> Resource:
    """A run."""
    check_name("transfer config", run)
    return plane.find(RUN, f"{name}/runs/{run}", _entity(f"{name}/runs/{run}"))


def _entity(name: str) -> str:
    return f"Requested entity {name}"


def _keep(plane: ControlPlane, config: Resource) -> Resource:
    kept = plane.store.put(CONFIG, config["name"], _checked(config))
    plane.clock.changed()
    return kept


def _checked(config: Resource) -> Resource:
    """A config as it is stored.

    Raises:
        ApiError: it is not a scheduled query, or one that this environment cannot run.
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
        # always present: the provider does not send `false`, and would read an empty object as a missing block
        config["emailPreferences"] = {"enableFailureEmail": False, **(config["emailPreferences"] or {})}
    return config


def _requested_run_time(body: Any) -> datetime:
    requested = body.get("requestedRunTime") if isinstance(body, dict) else None
    if not isinstance(requested, str):
        raise invalid("Name one requestedRunTime; a time range is not supported here.")
    try:
        run_time = datetime.fromisoformat(requested)
    except ValueError:
        raise invalid(f"The requested run time {requested!r} is not an RFC 3339 time.") from None
    if run_time.tzinfo is None:
        raise invalid(f"The requested run time {requested!r} has no offset to UTC.")
    if run_time > datetime.now(UTC):
        raise invalid(f"The requested run time {requested} is in the future.")
    return run_time.astimezone(UTC)
