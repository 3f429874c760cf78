"""A table's columns as BigQuery's tables API writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from catalog.model import FIELD_TYPES

if TYPE_CHECKING:
    from catalog.model import Column, SqlType


def schema_json(columns: tuple[Column, ...]) -> str:
    """A table's columns as the tables API writes them."""
    return json.dumps([_field(column) for column in columns], ensure_ascii=False)


def _field(column: Column) -> dict[str, Any]:
    field = {"name": column.name, **_typed(column.type)}
    field.setdefault("mode", "REQUIRED" if column.required else "NULLABLE")
    if column.description:
        field["description"] = column.description
    if column.default:
        field["defaultValueExpression"] = column.default
    return field


def _typed(kind: SqlType) -> dict[str, Any]:
    """Type, mode and inner fields; an array is a mode of its elements' type."""
    if kind.kind == "ARRAY" and kind.element is not None:
        return {**_typed(kind.element), "mode": "REPEATED"}
    if kind.kind == "STRUCT":
        fields = [{"name": name, "mode": "NULLABLE", **_typed(inner)} for name, inner in kind.fields]
        return {"type": FIELD_TYPES["STRUCT"], "fields": fields}
    return {"type": FIELD_TYPES.get(kind.kind, kind.kind)}
