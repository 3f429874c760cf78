"""Exports a schedule to a file, and records in schedule_export_log how that ended, also when it failed."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.cloud import bigquery

from google.failures import LiveSystemError
from google.waiting import current_limit, time_limit
from operations.deploy.steps import StepFailedError
from operations.export_files import SUFFIXES, FileKind, write_rows
from verification.deadlines import half_done

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.client import GoogleApi

#: What is kept of a command's time for recording that the export failed.
RECORDING_SECONDS = 10.0


class ExportStatus(StrEnum):
    """How an export ended, as the log has it."""

    SUCCESS = "SUCCESS"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Export:
    """A schedule that was exported: the file, its messages, and how many of them have no text."""

    file: Path
    messages: int
    without_text: int

    @property
    def status(self) -> ExportStatus:
        """PARTIAL where a message has no text."""
        return ExportStatus.PARTIAL if self.without_text else ExportStatus.SUCCESS

    @property
    def problem(self) -> str | None:
        """What the file lacks, in words."""
        if not self.without_text:
            return None
        return f"{self.without_text} of {self.messages} messages have no text: their caption is in no table of captions"


@dataclass(frozen=True)
class _Attempt:
    """An export that runs: its schedule, the pages it is for, its kind, and when it began."""

    api: GoogleApi
    schedule: str
    pages: tuple[str, ...]
    kind: FileKind
    began: float

    def record(self, status: ExportStatus, problem: str | None, messages: Mapping[str, int]) -> None:
        """Record how it ended, one row per page, with the number of the page's messages."""
        seconds = time.monotonic() - self.began
        for page in self.pages:
            parameters = [
                bigquery.ScalarQueryParameter("schedule", "STRING", self.schedule),
                bigquery.ScalarQueryParameter("page", "STRING", page),
                bigquery.ScalarQueryParameter("messages", "INT64", messages.get(page)),
                bigquery.ScalarQueryParameter("seconds", "FLOAT64", seconds),
                bigquery.ScalarQueryParameter("status", "STRING", status.value),
                bigquery.ScalarQueryParameter("problem", "STRING", problem),
                bigquery.ScalarQueryParameter("kind", "STRING", self.kind.value.upper()),
            ]
            self.api.query("record_schedule_export", _RECORD.format(d=_dataset(self.api)), parameters)


def export_schedule(
    api: GoogleApi, schedule: str, kind: FileKind, file: Path | None = None, overwrite: bool = False
) -> Export:
    """Write the active messages of a schedule to a file, in the order in which they are sent.

    Args:
        api: the environment's Google API.
        schedule: the schedule's id.
        kind: what kind of file.
        file: the file; by default its name is the schedule's id, in the current folder.
        overwrite: replace a file that exists.

    Raises:
        StepFailedError: there is no such schedule, the file exists or cannot be written, or the export is not recorded.
        LiveSystemError: the API does not answer, or the caller may not read the schedule.
    """
    place = file or Path(re.sub(r"[^\w.-]+|^\.", "_", schedule) + SUFFIXES[kind])
    if not overwrite and place.exists():
        raise StepFailedError(f"{place} exists: choose another name by --output, or replace it by --overwrite", 2)
    began = time.monotonic()
    attempt = _Attempt(api, schedule, _pages(api, schedule), kind, began)
    try:
        with half_done(f"Exporting {schedule}"), time_limit(max(1.0, current_limit().left - RECORDING_SECONDS)):
            rows = api.query(
                "schedule_recommendations_messages", _MESSAGES.format(d=_dataset(api)), [_parameter(schedule)]
            )
            write_rows(place, kind, list(rows[0].keys()) if rows else [], rows, overwrite)
    except (OSError, LiveSystemError) as error:
        problem = f"{place}: not writable: {error.strerror}" if isinstance(error, OSError) else str(error)
        _record_failure(attempt, problem)
        if isinstance(error, OSError):
            raise StepFailedError(problem, 2) from None
        raise
    made = Export(place, len(rows), sum(row["caption_text"] is None for row in rows))
    try:
        attempt.record(made.status, made.problem, Counter(row["page_name"] for row in rows))
    except LiveSystemError as error:
        raise StepFailedError(
            f"{place} is written, but not recorded: {error}\nExport it again with --overwrite.", 2
        ) from None
    return made


def _pages(api: GoogleApi, schedule: str) -> tuple[str, ...]:
    """The pages of a schedule; it is almost always one."""
    found = api.query("schedule_recommendations", _PAGES.format(d=_dataset(api)), [_parameter(schedule)])
    if not found:
        raise StepFailedError(
            f"no active message has the schedule {schedule!r}. This lists those that exist:\n"
            f"{_SCHEDULES.format(d=_dataset(api))}",
            2,
        )
    return tuple(row.page_name for row in found)


def _record_failure(attempt: _Attempt, problem: str) -> None:
    try:
        attempt.record(ExportStatus.FAILED, problem, {})
    except LiveSystemError as error:
        raise StepFailedError(f"{problem}\nNor is the failure in schedule_export_log: {error}", 2) from None


def _parameter(schedule: str) -> Any:
    return bigquery.ScalarQueryParameter("schedule", "STRING", schedule)


def _dataset(api: GoogleApi) -> str:
    return f"{api.environment.project}.{api.environment.dataset}"


_SCHEDULES = "SELECT DISTINCT schedule_id FROM `{d}.schedule_recommendations` WHERE is_active ORDER BY schedule_id"
_PAGES = """
SELECT DISTINCT slot.page_name
FROM `{d}.schedule_recommendations` AS slot
WHERE slot.schedule_id = @schedule AND slot.is_active AND slot.page_name IS NOT NULL
ORDER BY slot.page_name
"""
_MESSAGES = """
SELECT message.*
FROM `{d}.schedule_recommendations_messages` AS message
WHERE message.schedule_id = @schedule
ORDER BY message.page_name, message.scheduled_send_time, message.time_slot_rank, message.caption_id
"""
_RECORD = """
CALL `{d}.record_schedule_export`(@schedule, @page, @messages, @seconds, @status, @problem, @kind, SESSION_USER())
"""
