"""The differences between the embedded engine and BigQuery, closed one by one: a module per field, a function each.

docs/fidelity.md lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.engine import offline

if TYPE_CHECKING:
    from collections.abc import Callable


def close_differences() -> None:
    """Replace or wrap the package's functions; once per process, before the data folder is opened."""
    from local.engine import (  # noqa: PLC0415 - they import the package
        cancelling,
        clock,
        connections,
        copies,
        cost,
        disk,
        expressions,
        failures,
        functions,
        grammar,
        idle_sessions,
        information_schema,
        job_history,
        known,
        merging,
        naming,
        queries,
        results,
        routine_texts,
        scripting,
        tables,
        translations,
        turns,
        walls,
    )

    offline.leave_out_geography()
    for part in (connections, failures, disk, clock, functions, translations, job_history, expressions, scripting):
        part.install()
    for part in (tables, copies, known, information_schema, results, queries, cancelling, turns, merging, cost):
        part.install()
    for part in (idle_sessions, routine_texts, naming, grammar, walls):
        part.install()


def after_opening() -> Callable[[], None]:
    """Start what needs the open data folder, such as its maintenance.

    Returns:
        A function that ends the maintenance.
    """
    from local_bigquery.engine import database  # noqa: PLC0415
    from local_bigquery.settings import settings  # noqa: PLC0415

    from local.engine import clock, disk, grammar, job_history, known, maintenance, results, walls  # noqa: PLC0415 - as above

    clock.set_clock(None)
    offline.never_ask_the_network()
    known.read_resources()
    job_history.open_file()
    maintenance.time_to_next(clock.now())  # its file can be read
    disk.settle()
    results.open_folder()
    walls.fence(database.connection(), settings.data_dir)
    grammar.warm_up()
    background = maintenance.Maintenance()
    clock.moved.append(background.wake)
    disk.healed.append(background.clean)
    background.start()
    return background.stop
