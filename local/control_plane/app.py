"""The control plane as one FastAPI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from local.control_plane import data_transfer, federation, iam, monitoring, services, storage
from local.control_plane.answers import ApiError, invalid
from local.control_plane.clock import Clock
from local.control_plane.plane import ControlPlane, known_project
from local.control_plane.transfer_runs import RunQuery, Runs

if TYPE_CHECKING:
    from local.control_plane.projects import Projects
    from local.control_plane.store import Store

ROUTERS = (
    iam.resource_manager,
    iam.service_accounts,
    services.router,
    monitoring.router,
    data_transfer.router,
    federation.identity_pools,
    federation.custom_roles,
    storage.storage,
    storage.object_contents,
)
for _router in ROUTERS:
    # a path with a verb comes before the one that would take the verb as part of the name
    _router.routes.sort(key=lambda route: ":" not in getattr(route, "path", ""))


def create_control_plane(store: Store, projects: Projects, run_query: RunQuery) -> FastAPI:
    """The application. ``state.plane`` is what its routes work with.

    The clock of ``state.plane`` runs scheduled queries when they are due, once it is started.

    Args:
        store: where resources are kept.
        projects: the environment's project and its number.
        run_query: executes a scheduled query.
    """
    runs = Runs(store, projects.own, run_query)
    runs.end_interrupted()
    app = FastAPI(
        title="Google control plane, as far as this project uses it",
        openapi_url=None,
        exception_handlers={
            ApiError: answer_error,
            RequestValidationError: answer_invalid,
            HTTPException: answer_unknown,
        },
    )
    app.state.plane = ControlPlane(store, projects, runs, Clock(runs.scheduled, runs.run_due))
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(known_project)])

    return app


async def answer_error(_request: Request, error: ApiError) -> JSONResponse:
    """Answer with an error in Google's form."""
    return JSONResponse(error.body, error.code)


async def answer_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer that a request does not fit its route; with the first reason."""
    problem = error.errors()[0]
    refused = invalid(f"Invalid request: {'.'.join(map(str, problem['loc']))}: {problem['msg']}")
    return JSONResponse(refused.body, refused.code)


async def answer_unknown(request: Request, _error: HTTPException) -> JSONResponse:
    """Answer that there is no such route."""
    unknown = ApiError("NOT_FOUND", f"The embedded control plane has no {request.method} {request.url.path}.")
    return JSONResponse(unknown.body, unknown.code)
