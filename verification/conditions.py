"""Conditions of the data: each is a question of sql/monitoring/, whose rows are the problems, and what fixes them.

check_health asks the same questions every hour; docs/runbook.md has a section for each.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.model import region
from declared.alerts import RUNBOOK
from declared.seed import seed_call
from verification.results import Check, Outcome, Subject, failed, passed, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHOWN_ROWS = 3
SHOWN_REMEDIES = 5
#: The columns that every question returns and that a reader sees; the others are for the remedy.
SUBJECT, DETAILS, PROBLEMS = "subject", "details", "problems"
SHOWN_COLUMNS = (SUBJECT, "status", DETAILS)


@dataclass(frozen=True)
class Condition:
    """A question of sql/monitoring/, the object that it is about, and what fixes its rows.

    ``remedy`` is a command or a statement. In it ``{dataset}`` is the dataset's qualified name, ``{env}`` the
    environment's, ``{project}`` and ``{region}`` are those of the job history, and a column's name in braces is its
    value. ``cause`` says what usually leads to this.
    """

    query: str
    object: str
    healthy: str
    remedy: str
    cause: str

    @property
    def section(self) -> str:
        """The section of the runbook."""
        return f"{RUNBOOK}#{self.query}"

    def rows(self, subject: Subject) -> list[dict[str, Any]]:
        """The violations, the 50 worst; ``problems`` is the number of all.

        Raises:
            RequestRefusedError: the question cannot be asked.
        """
        question = subject.catalog.monitoring[self.query]
        return [dict(row) for row in subject.api.query(self.object, question.body)]

    def remedies(self, subject: Subject, rows: Sequence[dict[str, Any]]) -> list[str]:
        """What fixes the rows, each command once."""
        environment = subject.environment
        values = {
            "dataset": f"{environment.project}.{environment.dataset}",
            "env": environment.name,
            "project": environment.project,
            "region": region(environment.location),
        }
        return list(dict.fromkeys(self.remedy.format(**_quotable(row), **values) for row in rows))[:SHOWN_REMEDIES]

    def outcomes(self, subject: Subject) -> Iterator[Outcome]:
        """One outcome; SKIP where an object that the question reads does not exist."""
        missing = sorted(self._read_objects(subject) - subject.live.tables.keys() - subject.live.routines.keys())
        if missing:
            yield skipped(self.object, self.healthy, f"{', '.join(missing)} does not exist: see existence")
        elif rows := self.rows(subject):
            remaining = rows[0][PROBLEMS] - len(rows[:SHOWN_ROWS])
            more = f", and {remaining} more" if remaining else ""
            found = "; ".join(described(row) for row in rows[:SHOWN_ROWS]) + more
            yield failed(self.object, self.healthy, found, "\n".join(self.remedies(subject, rows)))
        else:
            yield passed(self.object, self.healthy)

    def _read_objects(self, subject: Subject) -> set[str]:
        question = subject.catalog.monitoring[self.query]
        return set(question.reads | question.calls)


def _quotable(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its texts escaped for SQL, but for arguments, which are SQL; ``…_in_shell`` are words of a shell."""
    values = dict(row)
    for name, value in row.items():
        if isinstance(value, str) and name != "arguments":
            values[name] = value.replace("\\", "\\\\").replace("'", "\\'")
            values[f"{name}_in_shell"] = shlex.quote(value)
    return values


def described(row: dict[str, Any]) -> str:
    """A row in one line: its subject and what was found."""
    return f"{row[SUBJECT]}: {row[DETAILS]}"


def condition_check(identity: str, name: str, *conditions: Condition) -> Check:
    """A check of one or several conditions."""

    def run(subject: Subject) -> Iterator[Outcome]:
        for condition in conditions:
            yield from condition.outcomes(subject)

    return Check(identity, name, run)


_RUN_AGAIN = "CALL `{dataset}.{job_name}`({arguments});"
_RUN_THE_DAY_AGAIN = "CALL `{dataset}.run_daily_automation`(DATE '{execution_date}');"
#: Keeps the first of several rows with one key; all or nothing.
_KEEP_ONE = (
    "CREATE TEMP TABLE kept AS SELECT * FROM `{{dataset}}.{table}` WHERE {key} QUALIFY ROW_NUMBER() OVER (ORDER BY "
    "{order}) = 1; BEGIN TRANSACTION; DELETE FROM `{{dataset}}.{table}` WHERE {key}; INSERT INTO `{{dataset}}.{table}` "
    "SELECT * FROM kept; COMMIT TRANSACTION;"
)
_ACKNOWLEDGE = (
    "UPDATE `{dataset}.automation_alerts` SET acknowledged = TRUE, acknowledged_at = CURRENT_TIMESTAMP(), "
    "acknowledged_by = SESSION_USER() WHERE alert_id = '{alert_id}';"
)
UNSEEDED_YEARS = Condition(
    "unseeded_years",
    "holiday_calendar",
    "20 or more holidays in this and in the next year",
    seed_call("{dataset}"),
    cause=(
        "Rows were deleted, or neither a deployment nor the yearly query has run since the year before last. "
        "Without holidays the saturation of a holiday week is wrong."
    ),
)
_OF_THE_HOLIDAY = "holiday_date = DATE '{holiday_date}' AND holiday_name = '{holiday_name}'"
REPEATED_HOLIDAYS = Condition(
    "repeated_holidays",
    "holiday_calendar",
    "each (holiday_date, holiday_name) once",
    _KEEP_ONE.format(table="holiday_calendar", key=_OF_THE_HOLIDAY, order="saturation_impact_factor DESC")
    + "   -- keeps the row with the greatest factor",
    cause="Rows were inserted by hand or by a restore: the seed never writes a holiday that exists.",
)
HOLIDAYS_OUT_OF_BOUNDS = Condition(
    "holidays_out_of_bounds",
    "holiday_calendar",
    "known types, factors within 0 and 1",
    "UPDATE `{dataset}.holiday_calendar` SET holiday_type = IF(holiday_type IN ('FEDERAL', 'CULTURAL', 'COMMERCIAL'), "
    "holiday_type, 'CULTURAL'), saturation_impact_factor = GREATEST(0, LEAST(1, saturation_impact_factor)) "
    f"WHERE {_OF_THE_HOLIDAY};   -- or write the values that are right",
    cause="Rows were written by hand: the seed writes known types and factors only.",
)
_OF_THE_CAPTION = "page_name = '{page_name}' AND caption_id = {caption_id}"
STATISTICS_OUT_OF_BOUNDS = Condition(
    "statistics_out_of_bounds",
    "caption_bandit_stats",
    "counts not negative, 0 <= lower <= upper <= 1, exploration within 0 and 1, percentile within 0 and 100",
    f"DELETE FROM `{{dataset}}.caption_bandit_stats` WHERE {_OF_THE_CAPTION}; "
    "CALL `{dataset}.update_caption_performance`();   -- it recomputes what has messages in the last 90 days",
    cause="Something other than update_caption_performance writes statistics.",
)
REPEATED_STATISTICS = Condition(
    "repeated_statistics",
    "caption_bandit_stats",
    "one row for each (page_name, caption_id)",
    _KEEP_ONE.format(table="caption_bandit_stats", key=_OF_THE_CAPTION, order="last_updated DESC")
    + "   -- keeps the newest row",
    cause=(
        "Something other than update_caption_performance writes statistics, or a restore added rows. The next "
        "update deletes the older one by itself."
    ),
)
STUCK_RUNS = Condition(
    "stuck_runs",
    "etl_job_runs",
    "no run has the status RUNNING for longer than its limit",
    f"{_RUN_AGAIN}   -- it closes the row as FAILED, and does the work",
    cause=(
        "The run was killed, or the service stopped it: a job that ends writes its end. Its lease expires by "
        "itself, after the limit of the job (5 minutes for the sweep)."
    ),
)
FAILED_RUNS = Condition(
    "failed_runs",
    "etl_job_runs",
    "every run that failed in the last 7 days has a later success",
    f"{_RUN_AGAIN}   -- after fixing what the error names",
    cause=(
        "The error is in the details and in etl_job_runs. Usual ones: a missing column or table (a change of "
        "an external object), a missing permission, no slots."
    ),
)
RUNS_WITH_ERRORS = Condition(
    "runs_with_errors",
    "etl_job_runs",
    "every run that ended with errors in the last 7 days has a later run without",
    f"{_RUN_AGAIN}   -- after fixing what the errors name",
    cause=(
        "Some creators failed, the others are done: see failed_creators. A failed sweep at the end of the day "
        "counts too."
    ),
)
SLOW_RUNS = Condition(
    "slow_runs",
    "etl_job_runs",
    "the newest run of each job stayed within its limit",
    "python -m operations cost --env {env}   # what reads more than its budget? The next quick run ends this",
    cause="More data than before, a full scan after a change, or waiting for slots.",
)
BREAKER = Condition(
    "circuit_breaker",
    "etl_job_runs",
    "no day of the last 7 is unfinished because the circuit breaker stopped its run",
    f"{_RUN_THE_DAY_AGAIN}   -- after fixing the creators' errors above",
    cause=(
        "Five creators in a row failed, which is seldom their own fault: look for what they have in common, "
        "such as a broken import, a pattern in all restrictions, or a column that changed."
    ),
)
FAILED_CREATORS = Condition(
    "failed_creators",
    "creator_processing_errors",
    "no creator failed in the newest day",
    f"{_RUN_THE_DAY_AGAIN}   -- after fixing what the errors name",
    cause=(
        "Something in the creator's own data: a pattern that is not a valid regular expression, figures that "
        "overflow, a date that cannot be. All other creators are done. For a pattern, correct the source of "
        "active_creator_caption_restrictions_v."
    ),
)
CREATORS_WITHOUT_RESULTS = Condition(
    "creators_without_results",
    "creator_performance_reports",
    "every creator has today's report, and a queue entry if captions are free",
    f"{_RUN_THE_DAY_AGAIN}   -- it does what is missing and keeps what exists",
    cause=(
        "The daily run did not run, was cut off, or stopped at the breaker; or rows were deleted. A creator "
        "without a report gets no schedule."
    ),
)
SCHEDULES_WITHOUT_WORK = Condition(
    "schedules_without_work",
    "etl_job_runs",
    "every scheduled job has done work within its cadence",
    "python -m operations run-schedules --env {env}   # if that works, see whether {job_name} is paused: "
    "python -m verification doctor --case schedules --env {env}",
    cause=(
        "The scheduled query is paused, deleted, may not run, or fails each time. Three of them run every "
        "hour and end at their guard, so a transfer run proves nothing: this looks at the work."
    ),
)
DIVISIONS_BY_ZERO = Condition(
    "divisions_by_zero",
    "etl_job_runs",
    "no error of the last 7 days is a division by zero",
    "python -m verification drift --env {env}   # a division without SAFE_DIVIDE was added by hand; deploy again",
    cause=(
        "A division without SAFE_DIVIDE: in an object that was changed by hand, or in the SQL of somebody else. It "
        "ends by itself 7 days after the last error."
    ),
)
UNACKNOWLEDGED_ALERTS = Condition(
    "unacknowledged_alerts",
    "automation_alerts",
    "every CRITICAL alert is acknowledged",
    _ACKNOWLEDGE,
    cause="A procedure wrote a CRITICAL alert, and nobody has said yet that it is seen.",
)
RECORDS_OUT_OF_RULE = Condition(
    "records_out_of_rule",
    "etl_job_runs",
    "known statuses and levels; every finished run has an end time",
    "SELECT * FROM `{dataset}.{table_name}` WHERE {id_column} = '{record_id}';   -- find out what wrote it; correct it",
    cause=(
        "Something other than the procedures writes these tables, or a run was cut off in the middle of its "
        "last statement."
    ),
)
REPEATED_QUEUE_ENTRIES = Condition(
    "repeated_queue_entries",
    "schedule_generation_queue",
    "a creator is queued at most once per day",
    _KEEP_ONE.format(
        table="schedule_generation_queue",
        key="page_name = '{page_name}' AND execution_date = DATE '{execution_date}'",
        order="CASE status WHEN 'COMPLETED' THEN 1 WHEN 'PROCESSING' THEN 2 WHEN 'FAILED' THEN 3 ELSE 4 END, queued_at",
    )
    + "   -- keeps the entry that is done furthest",
    cause=(
        "Something other than run_daily_automation writes the queue: the run never queues a creator twice for a day."
    ),
)
DIFFERING_CAPTION_KEYS = Condition(
    "differing_caption_keys",
    "caption_bank",
    "each stored caption_key is caption_key_v2 of its text",
    "UPDATE `{dataset}.caption_bank` SET caption_key = `{dataset}.caption_key_v2`(caption_text) "
    "WHERE caption_key IS DISTINCT FROM `{dataset}.caption_key_v2`(caption_text);",
    cause=(
        "The caption's text was changed and its key was not, or another program computed the key. Messages "
        "without a caption_id are not matched to such a caption."
    ),
)
UNSWEPT_LOCKS = Condition(
    "unswept_locks",
    "active_caption_assignments",
    "no lock is active after its day",
    "CALL `{dataset}.sweep_expired_caption_locks`();",
    cause="The hourly sweep does not run or fails: see schedules_without_work and failed_runs.",
)
DOUBLE_LOCKED_CAPTIONS = Condition(
    "double_locked_captions",
    "active_caption_assignments",
    "a caption is locked once for a creator",
    "UPDATE `{dataset}.active_caption_assignments` SET is_active = FALSE WHERE page_name = '{page_name}' AND "
    "caption_id = {caption_id} AND is_active AND NOT (COALESCE(schedule_id, assignment_key, 'no schedule') = "
    "'{kept_schedule_id}' AND COALESCE(assigned_at, TIMESTAMP '1970-01-01 00:00:00+00') = TIMESTAMP "
    "'{kept_assigned_at}');   -- the oldest lock stays; generate the other schedules again",
    cause="Something other than lock_captions_for_creator locks captions.",
)
SHORT_SELECTIONS = Condition(
    "short_selections",
    "automation_alerts",
    "every schedule of the last 24 hours got the captions that it asked for",
    f"{_ACKNOWLEDGE}   -- after adding captions, or lifting what keeps them out",
    cause=(
        "Too few captions of a tier are left for the creator. The details count what keeps the others out: "
        "restrictions, locks of other schedules, the cooldown of 7 days, the weekly budgets (5 urgent, 20 of "
        "a category)."
    ),
)
FAILED_EXPORTS = Condition(
    "failed_exports",
    "schedule_export_log",
    "the newest export of each schedule succeeded",
    "python -m operations export {schedule_id_in_shell} --as {export_format} --overwrite --env {env}",
    cause=(
        "The error is in the details: a folder that does not exist, a full disk, a missing permission. "
        "PARTIAL: some messages have no text. It ends by itself after 7 days."
    ),
)
UNDRAINED_QUEUE = Condition(
    "undrained_queue",
    "schedule_generation_queue",
    "every entry of a past day is COMPLETED or FAILED",
    "UPDATE "
    "`{dataset}.schedule_generation_queue` SET status = 'FAILED', processed_at = CURRENT_TIMESTAMP(), error_message = "
    "'not generated in time' WHERE execution_date = DATE '{execution_date}' AND status = '{queue_status}';"
    "   -- gives them up; ask first the person who generates schedules",
    cause="The program that generates schedules did not run, or did not finish.",
)
_FREE = (
    "UPDATE `{dataset}.leases` SET holder = NULL, expires_at = NULL WHERE lease_name = '{lease_name}' AND holder = "
    "'{holder}';"
)
EXPIRED_LEASES = Condition(
    "expired_leases",
    "leases",
    "no lease that has expired is held",
    _FREE,
    cause=(
        "A run was killed. Such a lease does no harm: another run of the same name takes it. The name of a daily "
        "run's lease has the day, so that only the same day takes it."
    ),
)
HELD_LEASES = Condition(
    "held_leases",
    "leases",
    "every held lease has a running holder",
    _FREE,
    cause=("A run was killed. Other runs of the job end as SKIPPED until the lease expires."),
)
UNUSUAL_VOLUMES = Condition(
    "unusual_volumes",
    "etl_job_runs",
    "creators per run and swept locks per day are in their usual range",
    "python -m operations day --env {env}   # is this expected, such as new creators? Then it ends by itself",
    cause="Many new creators, a purge, an import that stopped, or a mass release of locks.",
)
BYTES_OVER_BUDGET = Condition(
    "bytes_over_budget",
    "daily_bytes_budget",
    "queries of the last 24 hours were billed no more than the day's budget",
    "SELECT user_email, total_bytes_billed, creation_time, SUBSTR(query, 1, 200) AS query FROM "
    "`{project}.{region}.INFORMATION_SCHEMA.JOBS` "
    "WHERE creation_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 24 HOUR) ORDER BY total_bytes_billed DESC "
    "LIMIT 10;   -- end what is not needed. If all is needed, raise sql/functions/daily_bytes_budget.sql and deploy; "
    "deploy, too, where the budget above is not that of the file",
    cause="A query without a filter on the partition column, a loop, or a dashboard that refreshes too often.",
)
