"""API resources of the objects in a dataset, and what they say in the words of the repository."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.client import GoogleApi

WORKERS = 8
MILLISECONDS_A_DAY = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class LiveSystem:
    """API resources of what stands, by object name; an object that does not stand is in no mapping."""

    dataset: Mapping[str, Any] | None
    tables: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    routines: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def read_live_system(api: GoogleApi, tables: Iterable[str], routines: Iterable[str]) -> LiveSystem:
    """Read the dataset and the named objects once, several at a time.

    Args:
        api: the environment's Google API.
        tables: names of tables and views to look for.
        routines: names of routines to look for.

    Raises:
        LiveSystemError: no answer came.
    """
    dataset = api.dataset()
    if dataset is None:
        api.check_project()
        return LiveSystem(None)
    tables, routines = list(tables), list(routines)
    with ThreadPoolExecutor(WORKERS) as pool:
        found_tables = pool.map(api.table, tables)
        found_routines = pool.map(api.routine, routines)
        return LiveSystem(
            dataset,
            {name: resource for name, resource in zip(tables, found_tables, strict=True) if resource},
            {name: resource for name, resource in zip(routines, found_routines, strict=True) if resource},
        )


def expiry_days(resource: Mapping[str, Any]) -> float | None:
    """Days after which a table's partitions expire, or None."""
    return days_of((resource.get("timePartitioning") or {}).get("expirationMs"))


def table_expiry_days(resource: Mapping[str, Any]) -> float | None:
    """Days after its creation, to a tenth, on which a table expires, or None."""
    if not (expiry := int(resource.get("expirationTime") or 0)):
        return None
    return round((expiry - int(resource.get("creationTime") or 0)) / MILLISECONDS_A_DAY, 1)


def days_of(milliseconds: str | None) -> float | None:
    """Days of a number of milliseconds as BigQuery's API writes it; None for none or 0."""
    return int(milliseconds or 0) / MILLISECONDS_A_DAY or None


def partition_of(resource: Mapping[str, Any]) -> str:
    """How a table is partitioned, such as 'DAY of last_updated'."""
    live = resource.get("timePartitioning")
    return f"{live['type']} of {live.get('field', 'ingestion time')}" if live else "none"


def column_types(resource: Mapping[str, Any]) -> dict[str, str]:
    """Type of each column of a table or view, as INFORMATION_SCHEMA writes it, in the table's order."""
    return {column["name"]: field_type(column) for column in resource.get("schema", {}).get("fields", [])}


STANDARD_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "DECIMAL": "NUMERIC"}


def field_type(column: Mapping[str, Any]) -> str:
    """The type of a field of the tables API, without its mode NULLABLE or REQUIRED."""
    kind = column["type"].upper()
    if kind in {"RECORD", "STRUCT"}:
        fields = ", ".join(f"{part['name']} {field_type(part)}" for part in column.get("fields", []))
        kind = f"STRUCT<{fields}>"
    kind = STANDARD_NAMES.get(kind, kind)
    return f"ARRAY<{kind}>" if column.get("mode") == "REPEATED" else kind


def standard_type(data_type: Mapping[str, Any]) -> str:
    """A StandardSqlDataType of the routines API as INFORMATION_SCHEMA writes it."""
    match data_type.get("typeKind"):
        case "ARRAY":
            return f"ARRAY<{standard_type(data_type['arrayElementType'])}>"
        case "STRUCT":
            fields = data_type.get("structType", {}).get("fields", [])
            return f"STRUCT<{', '.join(f'{part["name"]} {standard_type(part["type"])}' for part in fields)}>"
        case kind:
            return str(kind)
