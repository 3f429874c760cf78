"""The zone of the operators' days: every date and hour of the SQL is one of Los Angeles."""

from __future__ import annotations

from zoneinfo import ZoneInfo

ZONE = "America/Los_Angeles"
LOS_ANGELES = ZoneInfo(ZONE)
