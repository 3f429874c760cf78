"""The control plane as one FastAPI application."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from local.control_plane.answers import ApiError
from local.control_plane.data_transfer import RunQuery, data_transfer
from local.control_plane.iam import resource_manager, service_accounts

if TYPE_CHECKING:
    from local.control_plane.store import Store


def create_control_plane(store: Store, project_number: int, run_query: RunQuery) -> FastAPI:
    """The application.

    Args:
        store: where resources are kept.
        project_number: the project's number, which Data Transfer's names hold.
        run_query: executes a scheduled query.
    """
    app = FastAPI(title="Google control plane, as far as this project uses it", docs_url=None, redoc_url=None)
    # the paths with a verb come before those that would take the verb for a part of the name
    for router in (
        resource_manager(store, project_number),
        service_accounts(store),
        data_transfer(store, project_number, run_query),
    ):
        router.routes.sort(key=lambda route: ":" not in getattr(route, "path", ""))
        app.include_router(router)

    @app.exception_handler(ApiError)
    def answer_error(_request: Request, error: ApiError) -> JSONResponse:
        return JSONResponse(error.body, status_code=error.code)

    @app.exception_handler(Exception)
    def answer_unexpected(request: Request, error: Exception) -> JSONResponse:
        logging.getLogger(__name__).error("%s %s", request.method, request.url.path, exc_info=error)
        failure = ApiError(
            400, "INTERNAL", f"Unexpected error of the embedded control plane: {error!r}", "internalError"
        )
        return JSONResponse(failure.body, status_code=failure.code)

    return app
