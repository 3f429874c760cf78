"""The differences between the embedded engine and BigQuery, closed one by one."""

from __future__ import annotations


def close_differences() -> None:
    """Replace or wrap the package's functions, once a process."""
