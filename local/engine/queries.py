"""How a query starts. It does not ask DuckDB for what the process already knows, as the package does each time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from local_bigquery.catalog import datasets
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import query, runner
from local_bigquery.models import DatasetReference
from local_bigquery.sql import params, script
from local_bigquery.sql.translate import Context

if TYPE_CHECKING:
    from local.engine.connections import Connection

TEMPORARY = """
SELECT table_name FROM duckdb_tables() WHERE temporary
UNION ALL SELECT DISTINCT function_name || '()' FROM duckdb_functions() WHERE database_name = 'temp' AND NOT internal
"""


#: How many queries run at the same time, so that a long one does not delay others.
QUERIES = 128


def install() -> None:
    """Replace the function, and let more queries run at the same time."""
    query.execute = execute
    runner._executor = ThreadPoolExecutor(QUERIES, "query")


def execute(  # noqa: PLR0917 - the package's signature
    cursor: Connection, project: str, job: str | None, config: Any, dry_run: bool = False, session: Any = None
) -> Any:
    """Execute a query or script on a cursor: its statistics, those of its statements, and where the result is.

    The package's function lists the temporary tables of every cursor, which costs as much as a query, and can attach
    PostgreSQL, which is not needed here.
    """
    default = config.defaultDataset or DatasetReference()
    settings = session.settings if session else {}
    temporary = cursor.sql(TEMPORARY).fetchall() if cursor.temporaries else []
    own = {"current_job_id": job, "script.job_id": job, "session_id": session and session.id, "time_zone": "UTC"}
    context = Context(
        settings.get("project_id") or default.projectId or project,
        settings.get("dataset_id") or default.datasetId,
        *params.bind(config.queryParameters or []),
        temporary={name.casefold() for (name,) in temporary},
        attach_postgres=_no_postgres,
        variables=session.variables if session else {},
        settings=settings,
        system=own | settings,
    )
    database.attach(context.project_id)
    found = context.dataset_id and datasets.exists(context.project_id, context.dataset_id)
    cursor.place = database.quote(context.project_id, context.dataset_id if found else "main")
    cursor.execute(f"USE {cursor.place}")
    statements = script.parse_script(config.query or "")
    return query._execute(cursor, project, job, config, dry_run, bool(session), context, statements)


def _no_postgres(_uri: str) -> str:
    raise BigQueryError("invalidQuery", "EXTERNAL_QUERY is not supported here.")
