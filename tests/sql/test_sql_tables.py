"""The tables that this system owns: columns, modes, defaults, partitions, labels, and how writes meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest

from catalog import load_catalog

if TYPE_CHECKING:
    from catalog.model import Column
    from tests.sql.conftest import Sandbox

TABLES = load_catalog().tables
#: From the specification: columns with their types ('!' where required), partition, expiry in days, clustering.
SPECIFIED = {
    "caption_bandit_stats": (
        (
            "caption_id INT64!, page_name STRING!, successes INT64, failures INT64, total_observations INT64, "
            "total_revenue FLOAT64, avg_conversion_rate FLOAT64, avg_emv FLOAT64, last_emv_observed FLOAT64, "
            "confidence_lower_bound FLOAT64, confidence_upper_bound FLOAT64, exploration_score FLOAT64, "
            "last_used TIMESTAMP, last_updated TIMESTAMP!, performance_percentile INT64"
        ),
        ("last_updated", "DAY", 90),
        "page_name, caption_id, last_used",
    ),
    "holiday_calendar": (
        (
            "holiday_date DATE!, holiday_name STRING!, holiday_type STRING!, is_major_holiday BOOL!, "
            "saturation_impact_factor FLOAT64!"
        ),
        ("holiday_date", "YEAR", 2192),
        "",
    ),
    "schedule_export_log": (
        (
            "schedule_id STRING!, page_name STRING!, export_timestamp TIMESTAMP!, message_count INT64, "
            "execution_time_seconds FLOAT64, status STRING, error_message STRING, "
            "export_format STRING, exported_by STRING"
        ),
        ("export_timestamp", "DAY", 90),
        "page_name, status",
    ),
    "etl_job_runs": (
        (
            "job_id STRING!, job_name STRING!, job_start_time TIMESTAMP!, job_end_time TIMESTAMP, job_status STRING!, "
            "execution_date DATE, creators_processed INT64, creators_failed INT64, error_message STRING, "
            "job_duration_seconds FLOAT64"
        ),
        ("job_start_time", "DAY", 90),
        "job_name, job_status",
    ),
    "automation_alerts": (
        (
            "alert_id STRING!, alert_time TIMESTAMP!, alert_level STRING!, alert_source STRING!, alert_message STRING, "
            "job_id STRING, acknowledged BOOL!, acknowledged_at TIMESTAMP, acknowledged_by STRING"
        ),
        ("alert_time", "DAY", 90),
        "alert_level, alert_source, acknowledged",
    ),
    "lock_sweep_log": (
        (
            "sweep_id STRING!, sweep_time TIMESTAMP!, locks_expired_stale INT64, locks_expired_past_date INT64, "
            "total_locks_cleaned INT64, sweep_duration_seconds FLOAT64"
        ),
        ("sweep_time", "DAY", 30),
        "",
    ),
    "health_checks": (
        (
            "checked_at TIMESTAMP!, check_name STRING!, subject STRING, status STRING!, details STRING, "
            "first_seen_at TIMESTAMP, notified_at TIMESTAMP"
        ),
        ("checked_at", "DAY", 90),
        "check_name, status",
    ),
    "creator_processing_errors": (
        "job_id STRING!, page_name STRING!, execution_date DATE, error_message STRING, error_time TIMESTAMP!",
        ("error_time", "DAY", 90),
        "job_id, page_name",
    ),
    "schedule_generation_queue": (
        (
            "page_name STRING!, execution_date DATE!, saturation_pct FLOAT64, queued_at TIMESTAMP!, "
            "processed_at TIMESTAMP, status STRING!, schedule_id STRING, error_message STRING"
        ),
        ("execution_date", "DAY", 90),
        "status, page_name",
    ),
    "leases": (
        "lease_name STRING!, holder STRING, acquired_at TIMESTAMP, expires_at TIMESTAMP",
        None,
        "lease_name",
    ),
    "creator_performance_reports": (
        "page_name STRING!, execution_date DATE!, job_id STRING!, report JSON!, created_at TIMESTAMP!",
        ("execution_date", "DAY", 90),
        "page_name",
    ),
}


def written(column: Column) -> str:
    return f"{column.name} {column.type.sql}{'!' if column.required else ''}"


def test_every_table_is_specified() -> None:
    assert set(TABLES) == set(SPECIFIED)


@pytest.mark.parametrize("name", SPECIFIED)
def test_table_as_specified(name: str) -> None:
    columns, partitioning, clustering = SPECIFIED[name]
    table = TABLES[name]
    assert ", ".join(map(written, table.columns)) == columns
    assert ", ".join(table.clustering) == clustering
    found = table.partitioning
    assert (found and (found.column, found.granularity, found.expiration_days)) == partitioning


@pytest.mark.parametrize("name", SPECIFIED)
def test_everything_is_described_and_labelled(name: str) -> None:
    table = TABLES[name]
    assert table.description
    assert [column.name for column in table.columns if not column.description] == []
    assert set(table.labels) == {"system", "component", "retention"}


VALUES = {
    "JSON": "JSON '{}'",
    "BOOL": "TRUE",
    "STRING": "'x'",
    "DATE": "CURRENT_DATE('America/Los_Angeles')",
    "TIMESTAMP": "CURRENT_TIMESTAMP()",
    "INT64": "1",
    "FLOAT64": "0.5",
}


def insert(name: str, without: set[str]) -> str:
    """An INSERT of one row with every column but those, which are NULL."""
    values = ["NULL" if column.name in without else VALUES[column.type.sql] for column in TABLES[name].columns]
    names = ", ".join(column.name for column in TABLES[name].columns)
    return f"INSERT INTO `{{d}}.{name}` ({names}) VALUES ({', '.join(values)});"


@pytest.mark.parametrize("name", SPECIFIED)
def test_required_columns_take_no_null_and_the_others_do(embedded: Sandbox, name: str) -> None:
    required = {column.name for column in TABLES[name].columns if column.required}
    for column in required:
        with pytest.raises(BadRequest, match=r"(?i)null"):
            embedded.query(insert(name, {column}))
    embedded.query(insert(name, {column.name for column in TABLES[name].columns} - required))
    assert embedded.value(f"SELECT COUNT(*) FROM `{{d}}.{name}`") == 1


def test_an_alert_is_not_acknowledged_by_default(embedded: Sandbox) -> None:
    embedded.query(
        "INSERT INTO `{d}.automation_alerts` (alert_id, alert_time, alert_level, alert_source) "
        "VALUES ('a', CURRENT_TIMESTAMP(), 'INFO', 'test')"
    )
    assert embedded.value("SELECT acknowledged FROM `{d}.automation_alerts`") is False
