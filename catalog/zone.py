"""The zone of the operators' days: every date and hour in the SQL is Los Angeles time."""

from __future__ import annotations

from zoneinfo import ZoneInfo

ZONE = "America/Los_Angeles"
LOS_ANGELES = ZoneInfo(ZONE)
