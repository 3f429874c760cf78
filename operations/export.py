"""Exports a schedule to a file, and records in schedule_export_log how that ended, also when it failed."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.cloud import bigquery

from declared.masking import masked
from google.failures import LiveSystemError, NotPermittedError
from google.waiting import ending_earlier
from operations.deploy.steps import StepFailedError
from operations.export_files import SUFFIXES, FileKind, write_rows
from operations.review.sections import counted
from verification.deadlines import half_done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.client import GoogleApi

#: What is kept of a command's time for recording that the export failed.
RECORDING_SECONDS = 10.0
#: The most captions that a sentence names.
NAMED_CAPTIONS = 5


class ExportStatus(StrEnum):
    """How an export ended, as the log has it."""

    SUCCESS = "SUCCESS"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Export:
    """A schedule that was exported: the file, and its messages by column."""

    file: Path
    messages: Sequence[Any]

    @property
    def problem(self) -> str | None:
        """Which messages have no text, in words; None where all have one."""
        return _problem(self.messages)


@dataclass(frozen=True)
class _Attempt:
    """An export that runs: its schedule, the pages it is for, its kind, and when it began."""

    api: GoogleApi
    schedule: str
    pages: tuple[str, ...]
    kind: FileKind
    began: float

    def record(self, page: str, messages: int | None, status: ExportStatus, problem: str | None) -> None:
        """Record how it ended for a page."""
        seconds = time.monotonic() - self.began
        parameters = [
            bigquery.ScalarQueryParameter("schedule", "STRING", self.schedule),
            bigquery.ScalarQueryParameter("page", "STRING", page),
            bigquery.ScalarQueryParameter("messages", "INT64", messages),
            bigquery.ScalarQueryParameter("seconds", "FLOAT64", seconds),
            bigquery.ScalarQueryParameter("status", "STRING", status.value),
            bigquery.ScalarQueryParameter("problem", "STRING", problem and masked(problem)),
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
    if place.exists() and not place.is_file():
        raise StepFailedError(f"{place} is not a file: choose another name by --output", 2)
    if place.exists() and not overwrite:
        raise _exists(place)
    began = time.monotonic()
    attempt = _Attempt(api, schedule, _pages(api, schedule), kind, began)
    try:
        with half_done(f"Exporting {schedule}"), ending_earlier(RECORDING_SECONDS):
            rows = api.query(
                "schedule_recommendations_messages", _MESSAGES.format(d=_dataset(api)), [_parameter(schedule)]
            )
            write_rows(place, kind, list(rows[0].keys()) if rows else [], rows, overwrite)
    except FileExistsError:
        raise _exists(place) from None
    except OSError as error:
        problem = f"{place}: not writable: {error.strerror or error}"
        _record_failure(attempt, problem)
        raise StepFailedError(problem, 2) from None
    except LiveSystemError as error:
        _record_failure(attempt, str(error))
        raise
    with half_done(f"{place} is written, and not yet recorded"):
        _record_success(attempt, place, rows)
    return Export(place, rows)


def _exists(place: Path) -> StepFailedError:
    return StepFailedError(f"{place} exists: choose another name by --output, or replace it by --overwrite", 2)


def _pages(api: GoogleApi, schedule: str) -> tuple[str, ...]:
    """The pages of a schedule; it is almost always one."""
    found = [
        row.page_name
        for row in api.query("schedule_recommendations", _PAGES.format(d=_dataset(api)), [_parameter(schedule)])
    ]
    if not found:
        raise StepFailedError(
            f"no active message has the schedule {schedule!r}. This lists those that exist:\n"
            f"{_SCHEDULES.format(d=_dataset(api))}",
            2,
        )
    if not all(page and page.strip() for page in found):
        raise StepFailedError(
            f"the schedule {schedule!r} has active messages without a page: set their page_name in "
            f"{_dataset(api)}.schedule_recommendations",
            2,
        )
    return tuple(found)


def _problem(messages: Sequence[Any]) -> str | None:
    without = [message for message in messages if message["caption_text"] is None]
    if not without:
        return None
    captions = sorted({message["caption_id"] for message in without if message["caption_id"] is not None})
    named = ", ".join(map(str, captions[:NAMED_CAPTIONS])) + (", …" if len(captions) > NAMED_CAPTIONS else "")
    of_none = sum(message["caption_id"] is None for message in without)
    reasons = [f"add the texts of captions {named} to caption_bank"] if captions else []
    reasons += [f"{counted(of_none, 'message')} without a caption"] if of_none else []
    return f"{len(without)} of {counted(len(messages), 'message')} without a text: {'; '.join(reasons)}"


def _record_success(attempt: _Attempt, place: Path, rows: Sequence[Any]) -> None:
    by_page = sorted(rows, key=lambda row: str(row["page_name"]))
    try:
        for page, group in groupby(by_page, key=lambda row: str(row["page_name"])):
            messages = list(group)
            problem = _problem(messages)
            status = ExportStatus.PARTIAL if problem else ExportStatus.SUCCESS
            attempt.record(page, len(messages), status, problem)
    except NotPermittedError as error:
        raise StepFailedError(
            f"{place} is written, but not recorded: {error}\n"
            "Recording it needs roles/bigquery.dataEditor on the dataset: ask for it.",
            2,
        ) from None
    except LiveSystemError as error:
        raise StepFailedError(
            f"{place} is written, but not recorded: {error}\nExport it again with --overwrite.", 2
        ) from None


def _record_failure(attempt: _Attempt, problem: str) -> None:
    try:
        for page in attempt.pages:
            attempt.record(page, None, ExportStatus.FAILED, problem)
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
WHERE slot.schedule_id = @schedule AND slot.is_active
ORDER BY slot.page_name
"""
_MESSAGES = """
SELECT message.*
FROM `{d}.schedule_recommendations_messages` AS message
WHERE message.schedule_id = @schedule
ORDER BY message.scheduled_send_time, message.page_name, message.time_slot_rank, message.caption_id
"""
_RECORD = """
CALL `{d}.record_schedule_export`(@schedule, @page, @messages, @seconds, @status, @problem, @kind, SESSION_USER())
"""
