"""Names that enter BigQuery's API: checked before they become part of a path or of a statement."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from local_bigquery.catalog import names as package
from local_bigquery.catalog import tables
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import runner, storage
from local_bigquery.settings import settings

from local import names

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {
    "projects": "project",
    "datasets": "dataset",
    "tables": "table",
    "routines": "routine",
    "jobs": "job",
    "queries": "job",
}
#: The verb after a resource in a path; the project of an organisation has a colon too.
VERB = re.compile(r":(?:\w+IamPolicy|testIamPermissions|batchDelete)\Z")
LOCATION = re.compile(r"gs://(?P<bucket>[^/]*)/(?P<name>.*)", re.DOTALL)
DECORATOR = re.compile(r"[$@][-\w]*\Z")  # of a partition or an instant
FOLDER = "gcs"  # in the data folder: what load jobs read and extract jobs write


def install() -> None:
    """Check what the package turns into paths."""
    package.dataset = functools.partial(check_name, "dataset")
    package.table = functools.partial(check_name, "table")
    database.attach = check_project
    runner.submit = checked_job(runner.submit)
    tables.reference = checked_table(tables.reference)
    tables.create = checked_sources(tables.create)
    storage._local = file_of
    storage._emulator = _no_other_storage


def check_name(kind: str, name: str | None, location: str | None = None) -> None:
    """Refuse a name that Google refuses.

    Args:
        kind: one of :data:`local.names.RULES`.
        name: the name.
        location: what of the request is wrong, for the error.

    Raises:
        BigQueryError: it is no name of this kind.
    """
    if said := names.fault(kind, name or ""):
        raise BigQueryError("invalid", said, location)


def check_project(project: str) -> None:
    """Refuse a project that is not served; the package would create one.

    Raises:
        BigQueryError: its id is no id, or there is no such project.
    """
    if project not in database._attached:
        check_name("project", project)
        raise BigQueryError("notFound", f"Not found: Project {project}")


def check_path(path: str) -> None:
    """Refuse a request whose path names something that Google refuses, or a project that is not served.

    Raises:
        BigQueryError: with the first such name.
    """
    parts = VERB.sub("", path.partition("/v2/")[2]).split("/")  # names may be called like collections
    for collection, name in zip(parts[::2], parts[1::2], strict=False):
        if collection == "projects":
            check_project(name)
        elif collection in KINDS:
            check_name(KINDS[collection], DECORATOR.sub("", name) if collection == "tables" else name)


def checked_job(original: Callable[..., Any]) -> Callable[..., Any]:
    """Start a job whose id is one."""

    @functools.wraps(original)
    def submit(project: str, job: str, *rest: Any) -> Any:
        check_name("job", job)
        return original(project, job, *rest)

    return submit


def checked_table(original: Callable[..., tuple[str, str, str]]) -> Callable[..., tuple[str, str, str]]:
    """A table that a request's body names: the destination of a query, the source of a copy."""

    @functools.wraps(original)
    def reference(table: Any) -> tuple[str, str, str]:
        found = original(table)
        check_project(found[0])
        check_name("dataset", found[1])
        check_name("table", DECORATOR.sub("", found[2]))
        return found

    return reference


def checked_sources(original: Callable[..., Any]) -> Callable[..., Any]:
    """Create a table; the sources of an external one are objects of Cloud Storage."""

    @functools.wraps(original)
    def create(project: str, dataset: str, body: Any, *rest: Any) -> Any:
        for uri in (body.externalDataConfiguration and body.externalDataConfiguration.sourceUris) or []:
            file_of(uri)
        return original(project, dataset, body, *rest)

    return create


def file_of(uri: str) -> str:
    """The file for an object of Cloud Storage: in the data folder, whatever the object is called.

    Args:
        uri: ``gs://BUCKET/OBJECT``.

    Raises:
        BigQueryError: it is another address, or its bucket or object has no name that Google accepts.
    """
    place = LOCATION.fullmatch(uri)
    if place is None:
        raise BigQueryError("invalid", f"Source URI must be a Google Cloud Storage location: {uri}")
    check_name("bucket", place["bucket"])
    check_name("object", place["name"])
    parts = [_escaped(part) for part in place["name"].split("/")]
    return str((settings.data_dir / FOLDER / place["bucket"]).joinpath(*parts))


def _escaped(part: str) -> str:
    """A file name for a part of an object's name: ``a/../b``, ``a//b`` and ``a/`` are objects of their own."""
    return "%" + part if part in {"", ".", ".."} or part.startswith("%") else part.replace("\0", "%00")


def _no_other_storage(_uri: str) -> None:
    """No address outside this machine, whatever the environment says."""
