"""The differences between the embedded engine and BigQuery, closed one by one: one module a field, one function each.

docs/fidelity.md tells them in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.engine import offline

if TYPE_CHECKING:
    from fastapi import FastAPI


def close_differences(app: FastAPI) -> None:
    """Replace or wrap the package's functions; before the data folder is opened, once a process."""
    offline.leave_out_geography()


def after_opening() -> None:
    """What needs the open data folder."""
    offline.never_ask_the_network()
