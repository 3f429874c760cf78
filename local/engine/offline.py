"""What the package would fetch from the network, and does not need here."""

from __future__ import annotations

from duckdb_extensions import import_extension

EXTENSIONS = ("icu", "ducklake")  # time zones and the table format


def import_extensions() -> None:
    """Take DuckDB's extensions from the installed packages: DuckDB itself would ask the network for them."""
    for extension in EXTENSIONS:
        import_extension(extension)


def leave_out_geography() -> None:
    """Geography macros need one more extension ('spatial'), and nothing in this project has a place on the map."""
    from local_bigquery.engine import database  # noqa: PLC0415 - the package looks for extensions when imported

    database.FUNCTIONS = [path for path in database.FUNCTIONS if path.stem != "geography"]


def never_ask_the_network() -> None:
    """An extension that is missing is an error at once, not a download that hangs."""
    from local_bigquery.engine import database  # noqa: PLC0415 - as above

    database.execute("SET GLOBAL autoinstall_known_extensions = false")
