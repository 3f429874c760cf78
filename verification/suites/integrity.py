"""The rows of this system's tables keep their rules."""

from __future__ import annotations

from verification.conditions import (
    HOLIDAYS_OUT_OF_BOUNDS,
    REPEATED_HOLIDAYS,
    REPEATED_STATISTICS,
    STATISTICS_OUT_OF_BOUNDS,
    UNSEEDED_YEARS,
    condition_check,
)

CHECKS = (
    condition_check(
        "6.1", "holidays of this and the next year", UNSEEDED_YEARS, REPEATED_HOLIDAYS, HOLIDAYS_OUT_OF_BOUNDS
    ),
    condition_check("6.2", "statistics within bounds and unique", STATISTICS_OUT_OF_BOUNDS, REPEATED_STATISTICS),
)
