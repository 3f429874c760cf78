"""Every ASSERT after `-- Tests` in an SQL file holds, and fails when what it says is not so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest

from catalog import load_catalog

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

TESTED = [item.name for item in load_catalog() if item.tests]


@pytest.mark.parametrize("name", TESTED)
def test_asserts_of_the_file(session_server: Sandbox, name: str) -> None:
    (tests,) = [item.tests for item in session_server.catalog if item.tests and item.name == name]
    session_server.query(tests)


def test_every_function_has_asserts() -> None:
    """But for the questions of sql/monitoring/, which need planted rows (test_sql_questions), and constants."""
    catalog = load_catalog()
    others = {*catalog.monitoring, "scheduled_jobs"}
    assert {*catalog.functions, *catalog.table_functions} - others <= set(TESTED)


def test_an_assert_that_does_not_hold_is_an_error(session_server: Sandbox) -> None:
    with pytest.raises(BadRequest, match="not so"):
        session_server.query("ASSERT `{d}.caption_key`('a') = `{d}.caption_key`('b') AS 'not so'")
