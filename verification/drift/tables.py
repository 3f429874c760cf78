"""Tables, views and the dataset: columns, layout, descriptions and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog import Table
from declared.environment import DATASET_DESCRIPTION
from google.resources import days_of, expiry_days, field_type, partition_of, table_expiry_days, user_labels
from verification.drift.core import Aspect, Property, aspect_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog import View
    from verification.results import Subject

PARTITION, PARTITION_EXPIRY, CLUSTER = "partition", "partition expiry", "cluster"


@dataclass(frozen=True)
class ColumnText:
    """A column; ``description`` is None where none can be declared, as in a view."""

    name: str
    type: str
    required: bool
    default: str | None
    description: str | None
    policy_tags: str = ""

    @property
    def definition(self) -> str:
        """Type, mode and default as DDL writes them."""
        default = f" DEFAULT {self.default.upper()}" if self.default else ""
        return self.type + (" NOT NULL" if self.required else "") + default

    def __str__(self) -> str:
        tags = f" POLICY TAGS {self.policy_tags}" if self.policy_tags else ""
        comment = "" if self.description is None else f" -- {self.description}"
        return f"{self.name} {self.definition}{tags}{comment}"


@dataclass(frozen=True)
class Label:
    """A label of a table or view."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


def descriptions(subject: Subject) -> Iterator[Aspect[str]]:
    """The descriptions of routines, views and tables."""
    live = {**subject.live.routines, **subject.live.tables}
    declared = {**subject.catalog.routines, **subject.catalog.views, **subject.catalog.tables}
    for name, item in declared.items():
        if resource := live.get(name):
            found = resource.get("description", "")
            yield aspect_of(subject, item, "description", [item.description or ""], [found])


def labels(subject: Subject) -> Iterator[Aspect[Label]]:
    """The labels of views and tables."""
    items: list[Table | View] = [*subject.catalog.views.values(), *subject.catalog.tables.values()]
    for item in items:
        if resource := subject.live.tables.get(item.name):
            yield aspect_of(subject, item, "labels", _labels(item.labels), _labels(user_labels(resource)))


def _labels(labels: Mapping[str, Any]) -> list[Label]:
    return [Label(name, value) for name, value in sorted(labels.items())]


def table_columns(subject: Subject) -> Iterator[Aspect[ColumnText]]:
    """The columns of tables in their order, with type, mode, default and description."""
    return _columns(subject, subject.catalog.tables)


def view_columns(subject: Subject) -> Iterator[Aspect[ColumnText]]:
    """The columns of views in their order, with their types."""
    return _columns(subject, subject.catalog.views)


def columns(subject: Subject) -> Iterator[Aspect[ColumnText]]:
    """The columns of tables and views."""
    yield from table_columns(subject)
    yield from view_columns(subject)


def _columns(subject: Subject, items: Mapping[str, Table] | Mapping[str, View]) -> Iterator[Aspect[ColumnText]]:
    for item in items.values():
        if resource := subject.live.tables.get(item.name):
            described = isinstance(item, Table)  # nothing declares the descriptions of a view's columns
            yield aspect_of(subject, item, "columns", columns_of(item, described), live_columns(resource, described))


def columns_of(item: Table | View, described: bool = True) -> list[ColumnText]:
    """The declared columns in their order, with or without descriptions."""
    return [
        ColumnText(c.name, c.type.sql, c.required, c.default, (c.description or "") if described else None)
        for c in item.columns
    ]


def live_columns(resource: Mapping[str, Any], described: bool = True) -> list[ColumnText]:
    """The columns of a table or view of the API in their order, with or without descriptions."""
    return [
        ColumnText(
            field["name"],
            field_type(field),
            field.get("mode") == "REQUIRED",
            field.get("defaultValueExpression"),
            field.get("description", "") if described else None,
            str(field.get("policyTags") or ""),
        )
        for field in resource.get("schema", {}).get("fields", [])
    ]


def layouts(subject: Subject) -> Iterator[Aspect[Property]]:
    """Partitioning, expiry and clustering of tables."""
    for name, table in subject.catalog.tables.items():
        if resource := subject.live.tables.get(name):
            declared = layout_of(table, subject.environment.tables_expire_after_days)
            yield aspect_of(subject, table, "layout", declared, live_layout(resource))


def layout_of(table: Table, expires_after_days: int | None) -> list[Property]:
    """The declared partitioning, expiry and clustering, in an environment whose tables expire or do not."""
    partitioning = table.partitioning
    return [
        Property(PARTITION, f"{partitioning.granularity} of {partitioning.column}" if partitioning else "none"),
        Property(PARTITION_EXPIRY, _days(partitioning.expiration_days if partitioning else None)),
        Property(CLUSTER, ", ".join(table.clustering) or "none"),
        Property("table expiry", _after_creation(expires_after_days)),
    ]


def live_layout(resource: Mapping[str, Any]) -> Iterator[Property]:
    """Partitioning, expiry and clustering of a table of the API."""
    yield Property(PARTITION, partition_of(resource))
    yield Property(PARTITION_EXPIRY, _days(expiry_days(resource)))
    yield Property(CLUSTER, ", ".join(resource.get("clustering", {}).get("fields", [])) or "none")
    yield Property("table expiry", _after_creation(table_expiry_days(resource)))
    if resource.get("requirePartitionFilter"):
        yield Property("partition filter", "required")


def _days(days: float | None) -> str:
    return f"{days:g} days" if days else "never"


def _after_creation(days: float | None) -> str:
    return f"{days:g} days after creation" if days is not None else "never"


def dataset(subject: Subject) -> Iterator[Aspect[Property]]:
    """Location, description, labels and default expiry of the dataset."""
    live = subject.live.dataset
    if live is None:
        return
    environment = subject.environment
    days = environment.tables_expire_after_days
    declared = _dataset_properties(environment.location, DATASET_DESCRIPTION, environment.dataset_labels, days, None)
    found = _dataset_properties(
        str(live.get("location", "")),
        live.get("description", ""),
        user_labels(live),
        days_of(live.get("defaultTableExpirationMs")),
        days_of(live.get("defaultPartitionExpirationMs")),
    )
    yield Aspect(environment.dataset, "dataset", declared, found, f"Run `{subject.deploy}`.")


def _dataset_properties(
    location: str, description: str, labels: Mapping[str, str], table_days: float | None, partition_days: float | None
) -> tuple[Property, ...]:
    return (
        Property("location", location.upper()),
        Property("description", description),
        *(Property(f"label {name}", value) for name, value in sorted(labels.items())),
        Property("default table expiry", _days(table_days)),
        Property("default partition expiry", _days(partition_days)),
    )
