"""The zone of the operators' days, every date and hour in the SQL being Los Angeles time, and the length of a year."""

from __future__ import annotations

from zoneinfo import ZoneInfo

ZONE = "America/Los_Angeles"
#: The average, leap years included.
DAYS_PER_YEAR = 365.25
LOS_ANGELES = ZoneInfo(ZONE)
