"""The price of the bytes that a query reads."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from declared.sizes import MEGABYTE, TEBIBYTE

SMALLEST_BILL = 10 * MEGABYTE
DOLLARS_PER_TEBIBYTE = 6.25  # on demand, US multi-region


def bytes_billed(bytes_read: int, tables: int) -> int:
    """The minimum that BigQuery bills for a query: whole megabytes, 10 per table; nothing where nothing is read.

    The bill is higher where some tables have fewer than 10 and others more: a dry run does not return bytes per table.
    """
    return max(SMALLEST_BILL * tables, -(-bytes_read // MEGABYTE) * MEGABYTE) if bytes_read else 0


def dollars(billed: float) -> float:
    """On-demand price of bytes, US multi-region."""
    return billed / TEBIBYTE * DOLLARS_PER_TEBIBYTE


@dataclass(frozen=True)
class DryRun:
    """The bytes that a query would read and be billed, and its tables, as ``project.dataset.table``.

    Google's dry run returns no bill and no bytes per table, so ``bytes_billed`` is the minimum.
    """

    bytes_read: int
    bytes_billed: int
    tables: frozenset[str]


@dataclass
class Usage:
    """What the queries of a verification have read; safe to share between threads."""

    queries: int = 0
    bytes_read: int = 0
    bytes_billed: int = 0

    def add(self, bytes_read: int) -> None:
        """Count a query of one table."""
        with _USAGE_LOCK:
            self.queries += 1
            self.bytes_read += bytes_read
            self.bytes_billed += bytes_billed(bytes_read, tables=1)

    @property
    def dollars(self) -> float:
        """On-demand price of the bytes billed."""
        return dollars(self.bytes_billed)

    def __str__(self) -> str:
        return f"{self.queries} queries read {self.bytes_read / MEGABYTE:.1f} MB, ${self.dollars:.5f}"


_USAGE_LOCK = Lock()
