"""What a copy has from its source: the package copies columns and rows only.

BigQuery: CREATE TABLE … LIKE, COPY and CLONE, snapshots and copy jobs create a table "with the same metadata".
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from local_bigquery.catalog import ddl, metadata, names, tables
from local_bigquery.engine import database, types
from local_bigquery.jobs import copy, runner
from local_bigquery.models import Table
from local_bigquery.sql.rules import ddl as rules
from local_bigquery.sql.rules import tables as table_rules
from sqlglot import exp

from local.engine.tables import default_value

if TYPE_CHECKING:
    from collections.abc import Callable

    Reference = tuple[str, str, str]

TAKEN_OVER = (
    "schema",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "description",
    "labels",
    "requirePartitionFilter",
    "tableConstraints",
)
COPIES = "copies"


def install() -> None:
    """Wrap the functions behind the statements and behind copy jobs."""
    rules.split = marked(rules.split)
    table_rules._check = of_all_partitions(table_rules._check)
    ddl.apply = taking_over(ddl.apply)
    runner.HANDLERS["copy"] = job_taking_over(copy.run)


def _source(tree: exp.Expression) -> Any:
    """The table that a statement copies, clones or is like; None for any other statement."""
    if not isinstance(tree, exp.Create) or tree.args.get("kind") != "TABLE" or tree.find(exp.TemporaryProperty):
        return None
    if clone := tree.args.get("clone"):
        return clone.this
    like = tree.find(exp.LikeProperty)
    return like and like.this


def marked(original: Callable[..., list[exp.Expression]]) -> Callable[..., list[exp.Expression]]:
    """Mark the parts of a statement that copies a table."""

    @functools.wraps(original)
    def split(tree: exp.Expression) -> list[exp.Expression]:
        parts = original(tree)
        for part in parts if _source(tree) else ():
            part.meta[COPIES] = True
        return parts

    return split


def of_all_partitions(original: Callable[..., None]) -> Callable[..., None]:
    """A table that requires a partition filter is copied without one."""

    @functools.wraps(original)
    def check(tree: exp.Expression, table: exp.Table, is_target: bool) -> None:
        if tree.meta.get(COPIES) and not is_target:
            tree = exp.select("*").where(exp.column("_PARTITIONDATE"))
        original(tree, table, is_target)

    return check


def taking_over(original: Callable[..., None]) -> Callable[..., None]:
    """CREATE TABLE … LIKE, COPY and CLONE."""

    @functools.wraps(original)
    def apply(tree: exp.Expression, project: str, dataset: str, evaluate: Any) -> None:
        original(tree, project, dataset, evaluate)
        if source := _source(tree):
            take_over(names.reference(source, project, dataset), names.reference(tree.this, project, dataset))

    return apply


def job_taking_over(original: Callable[..., Any]) -> Callable[..., Any]:
    """A copy job that creates its table."""

    @functools.wraps(original)
    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        target = tables.reference(config.destinationTable)
        creates = not tables.exists(*target)
        done = original(cursor, config, upload)
        if creates and config.operationType not in copy.CLONES:
            source = (config.sourceTables or [config.sourceTable])[0]
            project, dataset, name = tables.reference(source)
            decorated = table_rules.DECORATOR.match(name)
            take_over((project, dataset, decorated[1] if decorated else name), target)
        return done

    return run


def take_over(source: Reference, target: Reference) -> None:
    """Describe a new table as its source is described, where its statement says nothing else."""
    taken = tables.load(*source).only(*TAKEN_OVER)
    own = metadata.load(Table, *target) or tables.defaults(*target)
    name = tables.name(*target)
    if database.fetch(f"SELECT 1 FROM {name} LIMIT 1"):
        for field in tables.fields(taken):
            _constrain(f"ALTER TABLE {name} ALTER COLUMN {database.quote(field.name)} SET", field)
    else:  # DuckLake makes no column of an empty table NOT NULL
        database.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(map(types.column, tables.fields(taken)))})")
    tables.record(*target, taken.merged(own.without("schema")))


def _constrain(alteration: str, field: Any) -> None:
    if field.mode == "REQUIRED":
        database.execute(f"{alteration} NOT NULL")
    if (value := default_value(field)) is not None:
        database.execute(f"{alteration} DEFAULT {value.sql(dialect='duckdb')}")
