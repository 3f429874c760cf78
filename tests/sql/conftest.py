"""One embedded server per session, with every object of the SQL files; tables are emptied before each test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

from catalog import Table
from tests.harness.embedded import Embedded, fill_with_objects
from tests.harness.interruptible_server import CUT_OFF_FILE, MESSAGE
from tests.harness.launcher import launched
from tests.harness.template import copy_template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from declared.environment import Environment


class Sandbox(Embedded):
    """The embedded BigQuery with every object in place, whose tables can be emptied for the next test."""

    def __init__(self, environment: Environment, cut_off_file: Path) -> None:
        super().__init__(environment)
        self.tables = {item.name for item in self.catalog if isinstance(item, Table)}
        self.named: set[str] = set()
        self.replaced: set[str] = set()
        self.clock_stands = False
        self.cut_off_file = cut_off_file

    def query(self, sql: str, **texts: str) -> list[tuple[Any, ...]]:
        """The rows of a query with parameters of type STRING, or of a script's last statement."""
        text = sql.replace("{d}", self.dataset)
        self.named |= set(re.findall(rf"`{self.dataset}\.(\w+)`", text)) & self.tables
        given = [ScalarQueryParameter(name, "STRING", value) for name, value in texts.items()]
        found = self.client.query_and_wait(text, job_config=QueryJobConfig(query_parameters=given), job_retry=None)  # type: ignore[arg-type]
        return [tuple(row.values()) for row in found]

    def value(self, sql: str) -> Any:
        """The one value of a query that has one row and one column."""
        rows = self.query(sql)
        assert len(rows) == 1
        assert len(rows[0]) == 1
        return rows[0][0]

    def reset(self) -> None:
        """Empty every table that a query has named, or a called procedure may write, since the last reset."""
        if self.named:
            self.query("".join(f"TRUNCATE TABLE `{{d}}.{name}`;" for name in sorted(self.named)))
        self.named.clear()
        for name in self.replaced:
            self.query(self.catalog.dependencies[name].ddl)
        self.replaced.clear()
        if self.clock_stands:
            self.set_clock(None)

    def replace_view(self, name: str, select: str) -> None:
        """Give a view other rows until the next reset."""
        self.query(f"CREATE OR REPLACE VIEW `{{d}}.{name}` AS {select}")
        self.replaced.add(name)

    def call(self, procedure: str, arguments: str = "", now: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of a procedure, called at the time ``now`` (an instant, with its zone) if it is given."""
        if now is not None:
            self.set_clock(now)
        self.named |= self.written_by(procedure)
        return self.query(f"CALL `{{d}}.{procedure}`({arguments})")

    def call_cut_off(self, procedure: str, arguments: str, changes: int) -> bool:
        """Call a procedure and end it after so many changes; whether it had more than those."""
        self.cut_off_file.write_text(str(changes))
        try:
            self.call(procedure, arguments)
        except BadRequest as error:
            if MESSAGE not in error.message:
                raise
            return True
        finally:
            self.cut_off_file.unlink()
        return False

    def set_clock(self, now: datetime | str | None) -> None:
        """Stop the engine's clock at an instant, or let it run again; it runs again at the next reset."""
        super().set_clock(now)
        self.clock_stands = now is not None

    def written_by(self, procedure: str) -> set[str]:
        """The tables that a procedure, or one that it calls, may write."""
        called = self.catalog.procedures[procedure]
        inner = (self.written_by(name) for name in called.calls if name in self.catalog.procedures)
        return set(called.writes).union(*inner)


@pytest.fixture(scope="session")
def session_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    cut_off_file = tmp_path_factory.mktemp("cut_off") / "statements"
    data = tmp_path_factory.mktemp("embedded")
    copy_template("empty", data, fill_with_objects)
    with launched(data, "tests.harness.interruptible_server", {CUT_OFF_FILE: str(cut_off_file)}) as server:
        yield Sandbox(server.environment, cut_off_file)


@pytest.fixture
def embedded(session_server: Sandbox) -> Sandbox:
    """The server with empty tables."""
    session_server.reset()
    return session_server


@pytest.fixture
def healthy(embedded: Sandbox) -> Sandbox:
    """A calendar and nothing else."""
    years = " UNION ALL ".join(f"SELECT * FROM `{{d}}.us_holidays`({year})" for year in (2026, 2027, 2028))
    embedded.query(f"INSERT INTO `{{d}}.holiday_calendar` {years}")
    return embedded
