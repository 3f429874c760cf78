"""Service Usage: which APIs are enabled, and how much queries may read in a day."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body

from local.control_plane.answers import invalid
from local.control_plane.projects import Projects
from local.control_plane.store import Resource, Store

#: Every API that is served here is enabled until somebody disables it.
SERVED = (
    "bigquery.googleapis.com",
    "bigquerydatatransfer.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "monitoring.googleapis.com",
    "serviceusage.googleapis.com",
)
DISABLED, OVERRIDE = "disabled_service", "quota_override"
METRIC = "bigquery.googleapis.com/quota/query/usage"
UNIT = "1/d/{project}"
UNLIMITED = "-1"


def service_usage(store: Store, projects: Projects) -> APIRouter:
    """The routes of Service Usage v1 and v1beta1 that the preflight calls."""
    router = APIRouter(prefix="/serviceusage")

    def name_of(project: str, service: str) -> str:
        return f"projects/{projects.number(project)}/services/{service}"

    @router.get("/v1/projects/{project}/services")
    def list_services(project: str) -> Resource:
        names = [name_of(project, service) for service in SERVED]
        return {
            "services": [
                {"name": name, "config": {"name": name.rsplit("/", 1)[1]}, "state": "ENABLED"}
                for name in names
                if not store.get(DISABLED, name)
            ]
        }

    @router.post("/v1/projects/{project}/services/{service}:disable")
    def disable(project: str, service: str) -> Resource:
        name = name_of(project, service)
        store.put(DISABLED, name, {"name": name})
        return {"done": True}

    @router.post("/v1/projects/{project}/services/{service}:enable")
    def enable(project: str, service: str) -> Resource:
        store.delete(DISABLED, name_of(project, service))
        return {"done": True}

    @router.get("/v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics/{metric:path}")
    def get_quota(project: str, service: str, metric: str) -> Resource:
        name = f"{name_of(project, service)}/consumerQuotaMetrics/{metric}"
        override = store.get(OVERRIDE, name) or {"overrideValue": UNLIMITED}
        bucket = {"effectiveLimit": override["overrideValue"], "defaultLimit": UNLIMITED}
        return {
            "name": name,
            "metric": METRIC,
            "unit": "MiBy",
            "consumerQuotaLimits": [{"metric": METRIC, "unit": UNIT, "quotaBuckets": [bucket]}],
        }

    @router.patch("/v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics/{metric:path}")
    def override_quota(project: str, service: str, metric: str, body: Annotated[Any, Body()] = None) -> Resource:
        """Not the path of Google's overrides, which have a resource each: one limit is all that is kept here."""
        if not isinstance(body, dict) or not str(body.get("overrideValue", "")).lstrip("-").isdigit():
            raise invalid("Name an overrideValue in MiB; -1 takes the limit away.")
        name = f"{name_of(project, service)}/consumerQuotaMetrics/{metric}"
        return store.put(OVERRIDE, name, {"overrideValue": str(body["overrideValue"])})

    return router
