"""The automation's own records: no stuck run, no failed run without a later success, no unread alert."""

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
    condition_check("monitoring.2", "failed runs have a later success", FAILED_RUNS),
    condition_check("monitoring.3", "critical alerts are acknowledged", UNACKNOWLEDGED_ALERTS),
    condition_check("monitoring.4", "records keep their rules", RECORDS_OUT_OF_RULE, REPEATED_QUEUE_ENTRIES),
    condition_check("monitoring.5", "held leases have a running holder", HELD_LEASES),
)
