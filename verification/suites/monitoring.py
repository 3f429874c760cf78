"""What the automation recorded of itself: nothing stuck, nothing failed and left, no alert that nobody has read."""

from __future__ import annotations

from verification.conditions import (
    FAILED_RUNS,
    HELD_LEASES,
    RECORDS_OUT_OF_RULE,
    REPEATED_QUEUE_ENTRIES,
    STUCK_RUNS,
    UNACKNOWLEDGED_ALERTS,
    condition_check,
)

CHECKS = (
    condition_check("monitoring.1", "no run is stuck", STUCK_RUNS),
    condition_check("monitoring.2", "failed runs were made good", FAILED_RUNS),
    condition_check("monitoring.3", "critical alerts are acknowledged", UNACKNOWLEDGED_ALERTS),
    condition_check("monitoring.4", "records keep their rules", RECORDS_OUT_OF_RULE, REPEATED_QUEUE_ENTRIES),
    condition_check("monitoring.5", "held leases have a running holder", HELD_LEASES),
)
