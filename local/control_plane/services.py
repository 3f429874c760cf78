"""Service Usage: which APIs are enabled, and how much queries may read per day."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from declared.roles import QUERY_USAGE, SERVICES
from local.control_plane.answers import invalid
from local.control_plane.plane import ControlPlane, Plane
from local.control_plane.store import Resource

DISABLED, OVERRIDE = "disabled_service", "quota_override"
UNIT = "1/d/{project}"
UNLIMITED = "-1"

router = APIRouter(prefix="/serviceusage")


def name_of(plane: ControlPlane, project: str, service: str) -> str:
    """The name of an API of a project."""
    return f"projects/{plane.projects.number(project)}/services/{service}"


async def service_name(plane: Plane, project: str, service: str) -> str:
    """The name of the API that a request names."""
    return name_of(plane, project, service)


async def metric_name(service: Annotated[str, Depends(service_name)], metric: str) -> str:
    """The name of a quota metric of an API."""
    return f"{service}/consumerQuotaMetrics/{metric}"


ServiceName = Annotated[str, Depends(service_name)]
MetricName = Annotated[str, Depends(metric_name)]


@router.get("/v1/projects/{project}/services")
def list_services(plane: Plane, project: str) -> Resource:
    """The enabled APIs of a project: every API served here, until someone disables it."""
    names = {service: name_of(plane, project, service) for service in SERVICES}
    return {
        "services": [
            {"name": name, "config": {"name": service}, "state": "ENABLED"}
            for service, name in names.items()
            if not plane.store.get(DISABLED, name)
        ]
    }


@router.post("/v1/projects/{project}/services/{service}:disable")
def disable(plane: Plane, name: ServiceName) -> Resource:
    """Disable an API."""
    plane.store.put(DISABLED, name, {"name": name})
    return {"done": True}


@router.post("/v1/projects/{project}/services/{service}:enable")
def enable(plane: Plane, name: ServiceName) -> Resource:
    """Enable an API."""
    plane.store.delete(DISABLED, name)
    return {"done": True}


@router.get("/v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics/{metric:path}")
def get_quota(plane: Plane, name: MetricName) -> Resource:
    """The limit of a quota metric."""
    override = plane.store.get(OVERRIDE, name) or {"overrideValue": UNLIMITED}
    bucket = {"effectiveLimit": override["overrideValue"], "defaultLimit": UNLIMITED}
    return {
        "name": name,
        "metric": QUERY_USAGE,
        "unit": "MiBy",
        "consumerQuotaLimits": [{"metric": QUERY_USAGE, "unit": UNIT, "quotaBuckets": [bucket]}],
    }


@router.patch("/v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics/{metric:path}")
def override_quota(plane: Plane, name: MetricName, body: Annotated[Any, Body()] = None) -> Resource:
    """Set the limit. Google's overrides are separate resources; this server keeps one limit per metric."""
    if not isinstance(body, dict) or not str(body.get("overrideValue", "")).lstrip("-").isdigit():
        raise invalid("Name an overrideValue in MiB; -1 takes the limit away.")
    return plane.store.put(OVERRIDE, name, {"overrideValue": str(body["overrideValue"])})
