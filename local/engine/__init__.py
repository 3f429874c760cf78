"""The differences between the embedded engine and BigQuery, closed one by one: one module a field, one function each.

docs/fidelity.md tells them in words.
"""

from __future__ import annotations

from local.engine import offline


def close_differences() -> None:
    """Replace or wrap the package's functions; before the data folder is opened, once a process."""
    from local.engine import clock, cost, expressions, failures, functions, information_schema, scripting, tables  # noqa: PLC0415 - they import the package

    offline.leave_out_geography()
    failures.install()
    clock.install()
    functions.install()
    expressions.install()
    scripting.install()
    tables.install()
    information_schema.install()
    cost.install()


def after_opening() -> None:
    """What needs the open data folder."""
    from local.engine import clock, failures  # noqa: PLC0415 - as above

    clock.set_clock(None)
    offline.never_ask_the_network()
    failures.end_jobs_of_a_dead_process()
