"""The control plane as one FastAPI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from local.control_plane.answers import ApiError, invalid
from local.control_plane.data_transfer import RunQuery, data_transfer
from local.control_plane.federation import custom_roles, identity_pools
from local.control_plane.iam import resource_manager, service_accounts
from local.control_plane.monitoring import monitoring
from local.control_plane.services import service_usage
from local.control_plane.storage import object_contents, storage

if TYPE_CHECKING:
    from local.control_plane.projects import Projects
    from local.control_plane.store import Store


def create_control_plane(store: Store, projects: Projects, run_query: RunQuery) -> FastAPI:
    """The application; ``state.clock`` runs scheduled queries when they are due, once it is started.

    Args:
        store: where resources are kept.
        projects: the environment's project and its number.
        run_query: executes a scheduled query.
    """
    app = FastAPI(title="Google control plane, as far as this project uses it", openapi_url=None)
    transfers, app.state.clock = data_transfer(store, projects, run_query)
    for router in (
        resource_manager(store, projects),
        service_accounts(store, projects),
        service_usage(store, projects),
        monitoring(store),
        transfers,
        identity_pools(store, projects),
        custom_roles(store),
        storage(store, projects),
        object_contents(store),
    ):
        # a path with a verb comes before the one that would take the verb for a part of the name
        router.routes.sort(key=lambda route: ":" not in getattr(route, "path", ""))
        app.include_router(router)

    @app.exception_handler(ApiError)
    def answer_error(_request: Request, error: ApiError) -> JSONResponse:
        return JSONResponse(error.body, error.code)

    @app.exception_handler(RequestValidationError)
    def answer_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        problem = error.errors()[0]
        refused = invalid(f"Invalid request: {'.'.join(map(str, problem['loc']))}: {problem['msg']}")
        return JSONResponse(refused.body, refused.code)

    @app.exception_handler(HTTPException)
    def answer_unknown(request: Request, _error: HTTPException) -> JSONResponse:
        unknown = ApiError("NOT_FOUND", f"The embedded control plane has no {request.method} {request.url.path}.")
        return JSONResponse(unknown.body, unknown.code)

    return app
