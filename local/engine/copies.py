"""What a copy has from its source: the package copies columns and rows only.

BigQuery: CREATE TABLE … LIKE, COPY and CLONE, snapshots and copy jobs create a table "with the same metadata".
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_bigquery.catalog import ddl, metadata, names, tables
from local_bigquery.engine import database
from local_bigquery.jobs import copy, query, runner
from local_bigquery.models import Table
from local_bigquery.sql import rules
from local_bigquery.sql.rules import ddl as ddl_rules
from local_bigquery.sql.rules import partitions
from local_bigquery.sql.rules import tables as table_rules
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable

    Reference = tuple[str, str, str]

CONTENTS = ("schema", "tableConstraints")
PARTITIONS = ("timePartitioning", "rangePartitioning")
TAKEN_OVER = (
    *CONTENTS,
    *PARTITIONS,
    "clustering",
    "description",
    "friendlyName",
    "labels",
    "requirePartitionFilter",
)
SOURCE = "source"
COLUMNS = """
SELECT column_name, data_type, is_nullable, nullif(column_default, 'NULL') FROM duckdb_columns()
WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index
"""


@dataclass(frozen=True)
class Constraint:
    """What DuckDB keeps of a column besides its type; the default value is its SQL."""

    required: bool = False
    default: str | None = None

    def __str__(self) -> str:
        return " NOT NULL" * self.required + (f" DEFAULT {self.default}" if self.default else "")


UNCONSTRAINED = Constraint()


@dataclass(frozen=True)
class Source:
    """A table before it is copied, since the copy may replace it."""

    description: Table
    constraints: dict[str, Constraint]


def install() -> None:
    """Wrap the functions behind the statements and behind copy jobs."""
    query._ddl = noted(query._ddl)
    ddl_rules.split = marked(ddl_rules.split)
    table_rules._check = of_all_partitions(table_rules._check)
    position = rules.STATEMENT_RULES.index(partitions.ingestion_time)
    rules.STATEMENT_RULES[position] = with_ingestion_time(partitions.ingestion_time)
    ddl.apply = taking_over(ddl.apply)
    runner.HANDLERS["copy"] = job_taking_over(copy.run)


def noted(original: Callable[..., Any]) -> Callable[..., Any]:
    """Note the table that a statement copies, clones or is like."""

    @functools.wraps(original)
    def statistics(tree: exp.Expression, context: Any) -> Any:
        if isinstance(tree, exp.Create) and (node := tree.args.get("clone") or tree.find(exp.LikeProperty)):
            reference = table_rules.resolve(node.this, context, set())
            tree.meta[SOURCE] = reference and _described(reference)
        return original(tree, context)

    return statistics


def _described(reference: Reference, taken_over: tuple[str, ...] = TAKEN_OVER) -> Source | None:
    """A table; None if it is gone, of which the rows of an earlier time can be copied."""
    if not tables.exists(*reference):
        return None
    constraints = {name: Constraint(not nullable, default) for name, _, nullable, default in _columns(reference)}
    return Source(tables.load(*reference).only(*taken_over), constraints)


def _columns(table: Reference) -> list[tuple[str, str, bool, str | None]]:
    return database.fetch(COLUMNS, list(table))  # type: ignore[no-any-return]


def marked(original: Callable[..., list[exp.Expression]]) -> Callable[..., list[exp.Expression]]:
    """Mark the parts of a statement that copies a table, for the functions that translate them."""

    @functools.wraps(original)
    def split(tree: exp.Expression) -> list[exp.Expression]:
        parts = original(tree)
        for part in parts:
            part.meta[SOURCE] = tree.meta.get(SOURCE)
        return parts

    return split


def of_all_partitions(original: Callable[..., None]) -> Callable[..., None]:
    """A table that requires a partition filter is copied without one."""

    @functools.wraps(original)
    def check(tree: exp.Expression, table: exp.Table, is_target: bool) -> None:
        if tree.meta.get(SOURCE) and not is_target:
            tree = exp.select("*").where(exp.column("_PARTITIONDATE"))  # a filter, as the package looks for one
        original(tree, table, is_target)

    return check


def with_ingestion_time(original: Callable[..., exp.Expression]) -> Callable[..., exp.Expression]:
    """A copy has the hidden column with the time of ingestion."""

    @functools.wraps(original)
    def ingestion_time(tree: exp.Expression, context: Any) -> exp.Expression:
        return tree if tree.meta.get(SOURCE) else original(tree, context)

    return ingestion_time


def taking_over(original: Callable[..., None]) -> Callable[..., None]:
    """CREATE TABLE … LIKE, COPY and CLONE."""

    @functools.wraps(original)
    def apply(tree: exp.Expression, project: str, dataset: str, evaluate: Any) -> None:
        original(tree, project, dataset, evaluate)
        if (source := tree.meta.get(SOURCE)) and not tree.find(exp.TemporaryProperty):
            take_over(source, names.reference(tree.this, project, dataset))

    return apply


def job_taking_over(original: Callable[..., Any]) -> Callable[..., Any]:
    """A copy job that creates its table, or replaces its columns and rows."""

    @functools.wraps(original)
    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        target = tables.reference(config.destinationTable)
        taken_over: tuple[str, ...]
        if tables.exists(*target):
            taken_over = CONTENTS if config.writeDisposition == "WRITE_TRUNCATE" else ()
        else:  # a clone is a statement, see above
            taken_over = () if config.operationType in copy.CLONES else TAKEN_OVER
        project, dataset, name = tables.reference((config.sourceTables or [config.sourceTable])[0])
        decorated = table_rules.DECORATOR.match(name)
        source = _described((project, dataset, decorated[1] if decorated else name), taken_over) if taken_over else None
        done = original(cursor, config, upload)
        if source:
            take_over(source, target)
        return done

    return run


def take_over(source: Source, target: Reference) -> None:
    """Describe a new table as its source is described, where its statement says nothing else."""
    own = (metadata.load(Table, *target) or tables.defaults(*target)).without(*CONTENTS)
    said = {*own.dump()}
    if said & {*PARTITIONS}:
        said |= {*PARTITIONS}
    with database.writing(*target):
        _constrain(target, source.constraints)
        tables.record(*target, source.description.without(*said).merged(own))


def _constrain(target: Reference, constraints: dict[str, Constraint]) -> None:
    """Make columns required, with their default values; DuckLake refuses that for a RECORD or RANGE that has rows."""
    columns = [(name, kind, constraints.get(name, UNCONSTRAINED)) for name, kind, *_ in _columns(target)]
    if all(constraint == UNCONSTRAINED for *_, constraint in columns):
        return
    table = tables.name(*target)
    if not database.fetch(f"SELECT 1 FROM {table} LIMIT 1"):  # DuckLake makes no column of an empty table NOT NULL
        defined = [f"{database.quote(name)} {kind} {constraint}" for name, kind, constraint in columns]
        database.execute(f"CREATE OR REPLACE TABLE {table} ({', '.join(defined)})")
        return
    for name, kind, constraint in columns:
        change = f"ALTER TABLE {table} ALTER COLUMN {database.quote(name)} SET"
        if constraint.required and not kind.startswith("STRUCT"):
            database.execute(f"{change} NOT NULL")
        if constraint.default:
            database.execute(f"{change} DEFAULT {constraint.default}")
