"""Prints the newest day of the automation; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.cloud import bigquery
from rich.table import Table

from catalog.zone import LOS_ANGELES
from declared.output import MaskingConsole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from google.client import GoogleApi

#: Rows of a table that are shown; the number of all rows is in its title.
SHOWN = 6
#: A log file has no width.
LOG_WIDTH = 132
CAPTION_WIDTH = 48


def print_day(api: GoogleApi, console: Console) -> None:
    """Print the day's runs, its queue, its reports, and the captions of one creator with the reasons."""
    if not console.is_terminal:
        console = MaskingConsole(file=console.file, width=LOG_WIDTH)
    names = {"d": f"{api.environment.project}.{api.environment.dataset}", "shown": SHOWN}
    runs = api.query("etl_job_runs", _RUNS.format(**names))
    if not runs:
        console.print("No day has run yet.")
        return
    console.print(_runs(runs))
    queue = api.query("schedule_generation_queue", _QUEUE.format(**names))
    reports = api.query("creator_performance_reports", _REPORTS.format(**names))
    console.print(_table(f"Queue: {queue[0].creators if queue else 0} creators", _QUEUE_COLUMNS, queue))
    console.print(_table(f"Reports: {reports[0].creators if reports else 0} creators", _REPORT_COLUMNS, reports))
    if queue:
        page = queue[0].page_name
        parameters = [bigquery.ScalarQueryParameter("page", "STRING", page)]
        captions = api.query("select_captions_for_creator", _SELECTION.format(**names), parameters)
        console.print(_selection(page, captions))


#: A creator's share of a day: captions of each tier, budget, mid, premium and bump.
_SELECTION = "CALL `{d}.select_captions_for_creator`(@page, 'Budget-Conscious', 3, 3, 2, 2)"
_RUNS = """
SELECT run.job_name, run.execution_date, run.job_start_time, run.job_status, run.creators_processed,
  run.creators_failed, run.job_duration_seconds, run.error_message
FROM `{d}.etl_job_runs` AS run
QUALIFY ROW_NUMBER() OVER (PARTITION BY run.job_name ORDER BY run.job_start_time DESC) = 1
ORDER BY run.job_start_time
"""
_QUEUE = """
SELECT queue.page_name, queue.saturation_pct, queue.status, COUNT(*) OVER () AS creators
FROM `{d}.schedule_generation_queue` AS queue
WHERE queue.execution_date = (SELECT MAX(newest.execution_date) FROM `{d}.schedule_generation_queue` AS newest)
ORDER BY queue.saturation_pct DESC, queue.page_name
LIMIT {shown}
"""
_QUEUE_COLUMNS = (("creator", "page_name"), ("captions locked, %", "saturation_pct"), ("status", "status"))
_REPORTS = """
SELECT
  report.page_name,
  JSON_VALUE(report.report, '$.account_classification.size_tier') AS size_tier,
  CAST(JSON_VALUE(report.report, '$.account_classification.total_revenue_period') AS FLOAT64) AS revenue,
  JSON_VALUE(report.report, '$.behavioral_segment.segment_label') AS segment,
  JSON_VALUE(report.report, '$.saturation.risk_level') AS risk_level,
  JSON_VALUE(report.report, '$.saturation.recommended_action') AS recommended_action,
  JSON_VALUE(report.report, '$.psychological_trigger_analysis[0].psychological_trigger') AS best_trigger,
  JSON_VALUE(report.report, '$.content_category_performance[0].content_category') AS best_category,
  COUNT(*) OVER () AS creators
FROM `{d}.creator_performance_reports` AS report
WHERE report.execution_date = (SELECT MAX(newest.execution_date) FROM `{d}.creator_performance_reports` AS newest)
ORDER BY revenue DESC, report.page_name
LIMIT {shown}
"""
_REPORT_COLUMNS = (
    ("creator", "page_name"),
    ("size", "size_tier"),
    ("revenue, $", "revenue"),
    ("segment", "segment"),
    ("saturation", "risk_level"),
    ("action", "recommended_action"),
    ("best trigger", "best_trigger"),
    ("best category", "best_category"),
)


def _runs(rows: Sequence[Any]) -> Table:
    table = Table(title="\nThe last run of each job", title_justify="left")
    for column in ("job", "began", "for", "status", "creators", "failed", "seconds"):
        table.add_column(column)
    for row in rows:
        began = row.job_start_time.astimezone(LOS_ANGELES)
        table.add_row(
            row.job_name,
            f"{began:%Y-%m-%d %H:%M %Z}",
            str(row.execution_date),
            f"{row.job_status} {row.error_message or ''}".strip(),
            _shown(row.creators_processed),
            _shown(row.creators_failed),
            _shown(row.job_duration_seconds),
        )
    return table


def _table(title: str, columns: Sequence[tuple[str, str]], rows: Sequence[Any]) -> Table:
    table = Table(title=f"\n{title}; the first {min(SHOWN, len(rows))}", title_justify="left")
    for heading, _ in columns:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(_shown(getattr(row, name)) for _, name in columns))
    return table


def _selection(page: str, rows: Sequence[Any]) -> Table:
    title = f"\nCaptions for {page}: 0.70 x draw + 0.15 x diversity + 0.15 x EMV share + 0.10 x penalty, x segment"
    table = Table(title=title, title_justify="left")
    for column in ("caption", "tier", "score", "draw", "of interval", "+/-", "diversity", "penalty", "segment"):
        table.add_column(column, no_wrap=True, max_width=CAPTION_WIDTH)
    for row in rows:
        reasons = row.debug_info
        table.add_row(
            row.caption_text,
            row.price_tier + (", urgent" if row.has_urgency else ""),
            f"{row.final_score:.3f}",
            f"{reasons['thompson_score']:.3f}",
            f"{reasons['confidence_lower']:.2f} to {reasons['confidence_upper']:.2f}",
            f"{reasons['successes']}/{reasons['failures']}",
            f"{reasons['diversity_bonus']:+.2f}",
            f"{reasons['budget_penalty']:+.2f}",
            f"x {reasons['segment_multiplier']:.2f}",
        )
    return table


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
