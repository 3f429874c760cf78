"""Keeps the package from the network."""

from __future__ import annotations

from duckdb_extensions import import_extension

EXTENSIONS = ("icu", "ducklake")  # time zones and the table format


def import_extensions() -> None:
    """Take DuckDB's extensions from the installed packages: DuckDB itself would download them."""
    for extension in EXTENSIONS:
        import_extension(extension)


def leave_out_geography() -> None:
    """Leave out the geography macros, which need another extension ('spatial') and which nothing here uses."""
    from local_bigquery.engine import database  # noqa: PLC0415 - the package looks for extensions when imported

    database.FUNCTIONS = [path for path in database.FUNCTIONS if path.stem != "geography"]


def never_ask_the_network() -> None:
    """Make a missing extension an immediate error, not a download that hangs."""
    from local_bigquery.engine import database  # noqa: PLC0415 - as above

    database.execute("SET GLOBAL autoinstall_known_extensions = false")
