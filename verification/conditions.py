"""Conditions of the data: each is a query of sql/monitoring/ that returns the rows that violate it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from declared.seed import seed_call
from verification.results import Check, Outcome, Subject, failed, passed, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHOWN_ROWS = 3
SHOWN_REMEDIES = 5


@dataclass(frozen=True)
class Condition:
    """A query of sql/monitoring/, the object that it is about, and what fixes its rows.

    ``remedy`` is a command or a statement. ``{dataset}`` is the dataset's qualified name, ``{env}`` for the
    environment's name, and a column's name in braces for its value.
    """

    query: str
    object: str
    healthy: str
    remedy: str

    def rows(self, subject: Subject) -> list[dict[str, Any]]:
        """The violations, at most 100 rows.

        Raises:
            RequestRefusedError: the query cannot be run.
        """
        query = subject.catalog.monitoring[self.query]
        return [dict(row) for row in subject.api.query(self.object, query.query)]

    def remedies(self, subject: Subject, rows: Sequence[dict[str, Any]]) -> list[str]:
        """What fixes the rows, each command once."""
        place = f"{subject.environment.project}.{subject.environment.dataset}"
        values = {"dataset": place, "env": subject.environment.name}
        return list(dict.fromkeys(self.remedy.format(**_quotable(row), **values) for row in rows))[:SHOWN_REMEDIES]

    def outcomes(self, subject: Subject) -> Iterator[Outcome]:
        """One outcome; SKIP where an object that the query reads does not exist."""
        missing = sorted(self._read_objects(subject) - subject.live.tables.keys() - subject.live.routines.keys())
        if missing:
            yield skipped(self.object, self.healthy, f"{', '.join(missing)} does not exist: see existence")
        elif rows := self.rows(subject):
            more = f", and {len(rows) - SHOWN_ROWS} more" if len(rows) > SHOWN_ROWS else ""
            found = "; ".join(described(row) for row in rows[:SHOWN_ROWS]) + more
            yield failed(self.object, self.healthy, found, "\n".join(self.remedies(subject, rows)))
        else:
            yield passed(self.object, self.healthy)

    def _read_objects(self, subject: Subject) -> set[str]:
        query = subject.catalog.monitoring[self.query]
        return set(query.reads | query.calls)


def _quotable(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its texts escaped for SQL quotes."""
    return {
        name: value.replace("\\", "\\\\").replace("'", "\\'") if isinstance(value, str) else value
        for name, value in row.items()
    }


def described(row: dict[str, Any]) -> str:
    """A row in one line."""
    return ", ".join(f"{name} {shown(value)}" for name, value in row.items())


def shown(value: Any) -> str:
    """A value for a person: instants to the second."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat(" ", "seconds") if hasattr(value, "hour") else value.isoformat())
    return f"{value:g}" if isinstance(value, float) else str(value)


def condition_check(identity: str, name: str, *conditions: Condition) -> Check:
    """A check of one or several conditions."""

    def run(subject: Subject) -> Iterator[Outcome]:
        for condition in conditions:
            yield from condition.outcomes(subject)

    return Check(identity, name, run)


UNSEEDED_YEARS = Condition(
    "unseeded_years",
    "holiday_calendar",
    "20 or more holidays in this and in the next year",
    seed_call("{dataset}"),
)
_RESEED = (
    "DELETE FROM `{dataset}.holiday_calendar` WHERE holiday_date = DATE '{holiday_date}'; then "
    "CALL `{dataset}.seed_holiday_calendar`(EXTRACT(YEAR FROM DATE '{holiday_date}'), "
    "EXTRACT(YEAR FROM DATE '{holiday_date}'));"
)
REPEATED_HOLIDAYS = Condition(
    "repeated_holidays",
    "holiday_calendar",
    "each (holiday_date, holiday_name) once",
    f"{_RESEED} check first which saturation_impact_factor is correct.",
)
HOLIDAYS_OUT_OF_BOUNDS = Condition(
    "holidays_out_of_bounds",
    "holiday_calendar",
    "known types, factors within 0 and 1",
    _RESEED,
)
STATISTICS_OUT_OF_BOUNDS = Condition(
    "statistics_out_of_bounds",
    "caption_bandit_stats",
    "counts not negative, 0 <= lower <= upper <= 1, exploration within 0 and 1, percentile within 0 and 100",
    "CALL `{dataset}.update_caption_performance`(); it recomputes each row. Find out what else writes there.",
)
REPEATED_STATISTICS = Condition(
    "repeated_statistics",
    "caption_bandit_stats",
    "one row for each (page_name, caption_id)",
    "DELETE FROM `{dataset}.caption_bandit_stats` WHERE page_name = '{page_name}' AND caption_id = {caption_id}; then "
    "CALL `{dataset}.update_caption_performance`(); find out what else writes there.",
)
STUCK_RUNS = Condition(
    "stuck_runs",
    "etl_job_runs",
    "no run has the status RUNNING for longer than its limit",
    "python -m operations run-schedules --env {env}   # the next run of {job_name} closes the row as FAILED",
)
FAILED_RUNS = Condition(
    "failed_runs",
    "etl_job_runs",
    "every run that failed in the last 7 days has a later success",
    "python -m operations run-schedules --env {env}   # after fixing what error_message of {job_name} names",
)
BREAKER = Condition(
    "circuit_breaker",
    "etl_job_runs",
    "no day of the last 7 is unfinished because the circuit breaker stopped its run",
    "CALL `{dataset}.run_daily_automation`(DATE '{execution_date}');   -- after fixing the creators' errors above",
)
DIVISIONS_BY_ZERO = Condition(
    "divisions_by_zero",
    "etl_job_runs",
    "no error of the last 7 days is a division by zero",
    "python -m verification drift --env {env}   # a division without SAFE_DIVIDE was added by hand; deploy again",
)
UNACKNOWLEDGED_ALERTS = Condition(
    "unacknowledged_alerts",
    "automation_alerts",
    "every CRITICAL alert of the last 7 days is acknowledged",
    "UPDATE `{dataset}.automation_alerts` SET acknowledged = TRUE, acknowledged_at = CURRENT_TIMESTAMP(), "
    "acknowledged_by = SESSION_USER() WHERE alert_id = '{alert_id}';",
)
RECORDS_OUT_OF_RULE = Condition(
    "records_out_of_rule",
    "etl_job_runs",
    "known statuses and levels; every finished run has an end time",
    "Find out what wrote record {record_id} of {table_name}: no procedure of this repository writes {found!r} there.",
)
REPEATED_QUEUE_ENTRIES = Condition(
    "repeated_queue_entries",
    "schedule_generation_queue",
    "a creator is queued at most once per day",
    "DELETE FROM `{dataset}.schedule_generation_queue` WHERE page_name = '{page_name}' AND execution_date = "
    "DATE '{execution_date}' AND status = 'PENDING'; then "
    "CALL `{dataset}.run_daily_automation`(DATE '{execution_date}');",
)
DIFFERING_CAPTION_KEYS = Condition(
    "differing_caption_keys",
    "caption_bank",
    "each stored caption_key is caption_key_v2 of its text",
    "UPDATE `{dataset}.caption_bank` SET caption_key = `{dataset}.caption_key_v2`(caption_text) "
    "WHERE caption_key IS DISTINCT FROM `{dataset}.caption_key_v2`(caption_text);",
)
UNSWEPT_LOCKS = Condition(
    "unswept_locks",
    "active_caption_assignments",
    "no lock is active after its day",
    "CALL `{dataset}.sweep_expired_caption_locks`();",
)
UNDRAINED_QUEUE = Condition(
    "undrained_queue",
    "schedule_generation_queue",
    "every entry of a past day is COMPLETED or FAILED",
    "Ask the person who generates schedules why {execution_date} is not finished. To give it up: UPDATE "
    "`{dataset}.schedule_generation_queue` SET status = 'FAILED', processed_at = CURRENT_TIMESTAMP(), error_message = "
    "'not generated in time' WHERE execution_date = DATE '{execution_date}' AND status = '{status}';",
)
HELD_LEASES = Condition(
    "held_leases",
    "leases",
    "every held lease has a running holder",
    "UPDATE `{dataset}.leases` SET holder = NULL, expires_at = NULL WHERE lease_name = '{lease_name}' AND holder = "
    "'{holder}';   -- or wait: it expires at {expires_at}",
)
