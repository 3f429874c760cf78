"""Every suite, in the order of the reports. A new one is a file with CHECKS and a line here."""

from verification.results import Check
from verification.suites import (
    access,
    analyzer,
    caption_keys,
    drift,
    existence,
    freshness,
    functions,
    integrity,
    monitoring,
    performance,
    preflight,
    procedures,
    schedules,
    schema,
    time_zone,
    view,
)

SUITES: dict[str, tuple[Check, ...]] = {
    "preflight": preflight.CHECKS,
    "existence": existence.CHECKS,
    "functions": functions.CHECKS,
    "schema": schema.CHECKS,
    "view": view.CHECKS,
    "procedures": procedures.CHECKS,
    "integrity": integrity.CHECKS,
    "time_zone": time_zone.CHECKS,
    "performance": performance.CHECKS,
    "drift": drift.CHECKS,
    "schedules": schedules.CHECKS,
    "access": access.CHECKS,
    "monitoring": monitoring.CHECKS,
    "analyzer": analyzer.CHECKS,
    "caption_keys": caption_keys.CHECKS,
    "freshness": freshness.CHECKS,
}
