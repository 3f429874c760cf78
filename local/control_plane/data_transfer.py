"""BigQuery Data Transfer: configs of scheduled queries, and runs that really execute them."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Body, Query

from local.control_plane.answers import already_exists, invalid, not_found, timestamp, update_by_mask
from local.control_plane.store import Resource, Store

#: Runs a scheduled query's text with ``@run_time`` and ``@run_date`` bound; raises what the query raised.
RunQuery = Callable[[str, str, datetime], None]

SCHEDULED_QUERY = "scheduled_query"


def data_transfer(store: Store, project_number: int, run_query: RunQuery) -> APIRouter:
    """The routes of Data Transfer v1 that scheduled queries need."""
    router = APIRouter(prefix="/bigquerydatatransfer/v1")

    def find(name: str) -> Resource:
        config = store.get("transfer_config", name)
        if config is None:
            raise not_found(f"Requested entity {name}")
        return config

    @router.get("/projects/{project}/locations/{location}/transferConfigs")
    def list_configs(project: str, location: str) -> Resource:  # noqa: ARG001 - one project, one location
        return {"transferConfigs": store.list("transfer_config")}

    @router.post("/projects/{project}/locations/{location}/transferConfigs")
    def create_config(
        project: str,  # noqa: ARG001 - answers name the project by its number
        location: str,
        body: Resource,
        service_account: str = Query("", alias="serviceAccountName"),
    ) -> Resource:
        if body.get("dataSourceId") != SCHEDULED_QUERY:
            raise invalid(f"Data source {body.get('dataSourceId')!r} is not supported here, only {SCHEDULED_QUERY}.")
        if not body.get("params", {}).get("query"):
            raise invalid("A scheduled query needs params.query.")
        identity = uuid.UUID(int=store.next_number() << 64 | 0xABC)
        name = f"projects/{project_number}/locations/{location.lower()}/transferConfigs/{identity}"
        now = timestamp()
        config = {
            "name": name,
            "userId": "1234567890123456789",
            "updateTime": now,
            "state": "PENDING",
            "datasetRegion": location.lower(),
            "nextRunTime": now,
            **{key: value for key, value in body.items() if value != "" or key != "destinationDatasetId"},
        }
        if service_account:
            config["ownerInfo"] = {"email": service_account}
        return store.put("transfer_config", name, _with_preferences(config))

    @router.get("/projects/{project}/locations/{location}/transferConfigs/{config}")
    def get_config(project: str, location: str, config: str) -> Resource:
        return find(_name(project, location, config))

    @router.patch("/projects/{project}/locations/{location}/transferConfigs/{config}")
    def update_config(
        project: str,
        location: str,
        config: str,
        body: Resource,
        mask: str = Query("", alias="updateMask"),
        service_account: str = Query("", alias="serviceAccountName"),
    ) -> Resource:
        with store.lock:
            current = find(_name(project, location, config))
            fields = [field for field in mask.split(",") if field]
            if "serviceAccountName" in fields or "service_account_name" in fields:
                current["ownerInfo"] = {"email": service_account}
            rest = [field for field in fields if field not in {"serviceAccountName", "service_account_name"}]
            updated = _with_preferences(update_by_mask(current, body, ",".join(rest)))
            return store.put("transfer_config", current["name"], {**updated, "updateTime": timestamp()})

    @router.delete("/projects/{project}/locations/{location}/transferConfigs/{config}")
    def delete_config(project: str, location: str, config: str) -> Resource:
        name = _name(project, location, config)
        with store.lock:
            find(name)
            store.delete("transfer_config", name)
            for run in store.list("transfer_run", f"{name}/"):
                store.delete("transfer_run", run["name"])
        return {}

    @router.post("/projects/{project}/locations/{location}/transferConfigs/{config}:startManualRuns")
    def start_manual_runs(project: str, location: str, config: str, body: Any = Body(None)) -> Resource:  # noqa: B008
        found = find(_name(project, location, config))
        if not isinstance(body, dict) or "requestedRunTime" not in body:
            raise invalid("startManualRuns needs a requestedRunTime here; ranges are not supported.")
        try:
            run_time = datetime.fromisoformat(body["requestedRunTime"]).astimezone(UTC)
        except ValueError:
            raise invalid(f"requestedRunTime {body['requestedRunTime']!r} is no RFC 3339 time.") from None
        if run_time > datetime.now(UTC):
            raise invalid("The requested run time lies in the future.")
        return {"runs": [start_run(found, run_time)]}

    @router.get("/projects/{project}/locations/{location}/transferConfigs/{config}/runs")
    def list_runs(project: str, location: str, config: str) -> Resource:
        name = _name(project, location, config)
        find(name)
        runs = store.list("transfer_run", f"{name}/runs/")
        return {"transferRuns": sorted(runs, key=lambda run: str(run["scheduleTime"]), reverse=True)}

    @router.get("/projects/{project}/locations/{location}/transferConfigs/{config}/runs/{run}")
    def get_run(project: str, location: str, config: str, run: str) -> Resource:
        found = store.get("transfer_run", f"{_name(project, location, config)}/runs/{run}")
        if found is None:
            raise not_found(f"Requested entity {run}")
        return found

    def start_run(config: Resource, run_time: datetime) -> Resource:
        name = f"{config['name']}/runs/{uuid.uuid4()}"
        run = {
            "name": name,
            "dataSourceId": SCHEDULED_QUERY,
            "params": config["params"],
            "runTime": timestamp(run_time),
            "scheduleTime": timestamp(),
            "updateTime": timestamp(),
            "state": "PENDING",
            "userId": config["userId"],
        }
        if store.get("transfer_run", name):
            raise already_exists(name)
        store.put("transfer_run", name, run)
        threading.Thread(target=execute, args=(name, run_time), daemon=True).start()
        return run

    def execute(name: str, run_time: datetime) -> None:
        def note(**changes: Any) -> None:
            with store.lock:
                run = store.get("transfer_run", name)
                if run is not None:  # the config may be gone meanwhile
                    store.put("transfer_run", name, {**run, **changes, "updateTime": timestamp()})

        run = store.get("transfer_run", name)
        if run is None:
            return
        note(state="RUNNING", startTime=timestamp())
        try:
            run_query(run["params"]["query"], name, run_time)
        except Exception as error:  # noqa: BLE001 - whatever the query raised is the run's outcome
            logging.getLogger(__name__).warning("scheduled query %s failed: %s", name, error)
            note(state="FAILED", endTime=timestamp(), errorStatus={"code": 3, "message": str(error)})
        else:
            note(state="SUCCEEDED", endTime=timestamp())

    # runs that a kill cut off are no longer running
    for run in store.list("transfer_run"):
        if run["state"] in {"PENDING", "RUNNING"}:
            status = {"code": 10, "message": "The server ended while the run was under way."}
            store.put("transfer_run", run["name"], {**run, "state": "FAILED", "errorStatus": status})
    return router


def _name(project: str, location: str, config: str) -> str:
    return f"projects/{project}/locations/{location}/transferConfigs/{config}"


def _with_preferences(config: Resource) -> Resource:
    """An answer always says whether failure mail is on: an empty object would read as no block at all."""
    if "emailPreferences" in config:
        return {**config, "emailPreferences": {"enableFailureEmail": False, **(config["emailPreferences"] or {})}}
    return config
