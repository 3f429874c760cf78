"""The SQL files as typed objects: what they declare, their dependencies, and the same for another project."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m catalog` loads this before catalog/__main__.py
    from starting import end_early_with_a_sentence

    end_early_with_a_sentence()

from catalog.files import SQL
from catalog.findings import CatalogError, Finding
from catalog.loading import dependents, deployment_order, load_catalog, retarget
from catalog.model import (
    Argument,
    Catalog,
    Column,
    Partitioning,
    Routine,
    RoutineKind,
    ScheduledQuery,
    SqlObject,
    SqlType,
    Table,
    View,
)

__all__ = [
    "SQL",
    "Argument",
    "Catalog",
    "CatalogError",
    "Column",
    "Finding",
    "Partitioning",
    "Routine",
    "RoutineKind",
    "ScheduledQuery",
    "SqlObject",
    "SqlType",
    "Table",
    "View",
    "dependents",
    "deployment_order",
    "load_catalog",
    "retarget",
]
