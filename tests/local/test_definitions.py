"""Declarations that BigQuery refuses: types, options and argument names, in BigQuery's words."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest

from tests.harness.bigquery import DATASET, PROJECT, Server

DAY = "CREATE TABLE `{d}.t` (d DATE) PARTITION BY d OPTIONS (partition_expiration_days = {value})"
OPTION = "CREATE TABLE `{d}.t` (d DATE) OPTIONS ({value})"
VIEW = "CREATE VIEW `{d}.v` OPTIONS ({value}) AS SELECT 1 AS a"
ROUTINE = "CREATE FUNCTION `{d}.f`({value}) RETURNS INT64 AS (1)"


@pytest.mark.parametrize(
    ("sql", "value", "said"),
    [
        (DAY, "-1", "Invalid value for option partition_expiration_days: it must be greater than 0"),
        (DAY, "0", "it must be greater than 0"),
        (DAY, "1e300", "it must be greater than 0"),
        (DAY, "CAST('inf' AS FLOAT64)", "it must be greater than 0"),
        (DAY, "'x'", "Option partition_expiration_days value has type STRING which cannot be coerced"),
        (OPTION, "labels = 5", "Option labels value has type INT64 which cannot be coerced to expected type ARRAY"),
        (OPTION, "labels = [('a', 1)]", "Option labels value has type ARRAY<STRUCT<STRING, INT64>> which cannot"),
        (OPTION, "labels = [('a', 'x'), ('a', 'y')]", "Duplicate label key 'a'"),
        (OPTION, "description = 3", "Option description value has type INT64 which cannot be coerced"),
        (OPTION, "description = 'a', description = 'b'", "Duplicate option specified for 'description'"),
        (OPTION, "expiration_timestamp = 'soon'", 'Could not cast literal "soon" to type TIMESTAMP'),
        (OPTION, "frobnicate = 3", "Unknown option: frobnicate"),
        (VIEW, "description = 3", "Option description value has type INT64"),
        (VIEW, "frobnicate = 3", "Unknown option: frobnicate"),
        ("CREATE SCHEMA `s` OPTIONS ({value})", "labels = 5", "Option labels value has type INT64"),
        ("CREATE SCHEMA `s` OPTIONS ({value})", "default_table_expiration_days = -1", "must be greater than 0"),
        ("ALTER TABLE `{d}.t` SET OPTIONS ({value})", "labels = 5", "Option labels value has type INT64"),
        ("CREATE PROCEDURE `{d}.p`() OPTIONS ({value}) BEGIN END", "strict_mode = 3", "Option strict_mode value has"),
        (ROUTINE, "x STRINGG", "Type not found: STRINGG at [1:"),
        (ROUTINE, "x INT64, X INT64", "Duplicate argument name X at [1:"),
        ("CREATE TEMP FUNCTION f({value}) AS (x); SELECT f(1, 2)", "x INT64, x INT64", "Duplicate argument name x"),
        ("CREATE PROCEDURE `{d}.p`({value}) BEGIN END", "x INT64, x INT64", "Duplicate argument name x"),
        ("CREATE TABLE `{d}.t` (\n  a {value})", "STRINGG", "Type not found: STRINGG at [2:5]"),
        ("CREATE TABLE `{d}.t` (a {value})", "ARRAY<STRUCT<b HUGEINT>>", "Type not found: HUGEINT"),
        ("CREATE TABLE `{d}.t` ({value})", "a INT64, A STRING", "Duplicate column name A in CREATE TABLE"),
        ("DECLARE v {value}; SELECT 1", "VARCHAR", "Type not found: VARCHAR at [1:11]"),
        ("SELECT CAST(1 AS {value})", "STRINGG", "Type not found: STRINGG at [1:18]"),
    ],
)
def test_refused(server: Server, sql: str, value: str, said: str) -> None:
    text = sql.replace("{d}", f"{PROJECT}.{DATASET}").replace("{value}", value)
    with pytest.raises(BadRequest) as caught:
        server.client.query_and_wait(text, job_retry=None)  # type: ignore[arg-type]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "description = 'a' || 'b'",
        "LABELS = [], Description = NULL, friendly_name = 'x'",
        "expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)",
    ],
)
def test_accepted(server: Server, value: str) -> None:
    text = (
        OPTION.replace("{d}", f"{PROJECT}.{DATASET}").replace("CREATE", "CREATE OR REPLACE").replace("{value}", value)
    )
    server.client.query_and_wait(text, job_retry=None)  # type: ignore[arg-type]


def test_a_handler_catches_what_a_statement_declares(server: Server) -> None:
    text = "BEGIN CREATE TEMP TABLE t (a STRINGG); EXCEPTION WHEN ERROR THEN SELECT @@error.message AS said; END"
    (row,) = server.client.query_and_wait(text, job_retry=None)  # type: ignore[arg-type]
    assert "Type not found: STRINGG" in row["said"]
