"""Due times of schedules, and the clock that runs what is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from declared.schedules import all_schedules
from local.control_plane import Projects, Store, create_control_plane
from local.control_plane.clock import Clock
from local.control_plane.due_times import next_due_time

if TYPE_CHECKING:
    from pathlib import Path

    from local.control_plane.transfer_runs import ScheduledQuery

CONFIGS = "/bigquerydatatransfer/v1/projects/eros-local/locations/us/transferConfigs"
SOON = 60


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("every 1 hours from 00:20 to 23:20", "2026-11-24T10:19:59", "2026-11-24T10:20:00"),
        ("every 1 hours from 00:20 to 23:20", "2026-11-24T10:20:00", "2026-11-24T11:20:00"),
        ("every 1 hours from 00:20 to 23:20", "2026-11-24T23:20:00", "2026-11-25T00:20:00"),
        ("every 6 hours", "2026-11-24T10:19:59", "2026-11-24T16:19:59"),
        ("every 15 minutes", "2026-11-24T23:50:00", "2026-11-25T00:05:00"),
        ("every day 09:30", "2026-11-24T09:30:00", "2026-11-25T09:30:00"),
        ("1 of january 12:00", "2026-11-24T10:00:00", "2027-01-01T12:00:00"),
        ("1 of january 12:00", "2027-01-01T11:59:00", "2027-01-01T12:00:00"),
        ("first sunday of quarter 00:00", "2026-11-24T10:00:00", None),
        ("", "2026-11-24T10:00:00", None),
    ],
)
def test_the_next_due_time(schedule: str, after: str, due: str | None) -> None:
    assert next_due_time(schedule, at(after)) == (at(due) if due else None)


def test_every_declared_schedule_is_due_at_its_minute() -> None:
    for schedule in all_schedules():
        due = next_due_time(schedule.schedule, at("2026-11-24T10:00:00"))
        assert due is not None
        assert due.minute == schedule.minute


class Queries:
    """Records the queries that are run, and signals when there were enough."""

    def __init__(self, enough: int) -> None:
        self.run: list[ScheduledQuery] = []
        self.enough, self.done = enough, Event()

    def __call__(self, query: ScheduledQuery) -> None:
        """Record one."""
        self.run.append(query)
        if len(self.run) == self.enough:
            self.done.set()


def overdue(store: Store, config: dict[str, Any], due: datetime) -> None:
    store.put("transfer_config", config["name"], {**config, "nextRunTime": due.isoformat()})


def create(client: TestClient, schedule: str) -> dict[str, Any]:
    body = {
        "displayName": "q",
        "dataSourceId": "scheduled_query",
        "schedule": schedule,
        "params": {"query": "SELECT 1"},
    }
    answer: dict[str, Any] = client.post(CONFIGS, json=body).json()
    return answer


def test_a_due_config_runs_once_for_each_missed_time(tmp_path: Path) -> None:
    """Runs missed while the server was down are caught up, a day back."""
    store, queries = Store(tmp_path / "store.sqlite"), Queries(24)
    app = create_control_plane(store, Projects("eros-local", 100000000001), queries)
    client = TestClient(app)
    config = create(client, "every 1 hours from 00:20 to 23:20")
    hour = datetime.now(UTC).replace(minute=20, second=0, microsecond=0)
    last = hour if hour <= datetime.now(UTC) else hour - timedelta(hours=1)
    overdue(store, config, last - timedelta(hours=23))
    app.state.plane.clock.start()
    try:
        assert queries.done.wait(SOON)
    finally:
        app.state.plane.clock.stop()
    assert [query.run_time for query in queries.run] == [last - timedelta(hours=n) for n in range(23, -1, -1)]
    kept = client.get(f"/bigquerydatatransfer/v1/{config['name']}").json()
    assert at(kept["nextRunTime"].removesuffix("Z")) == last + timedelta(hours=1)


@pytest.mark.parametrize("schedule", ["every 1 hours from 00:20 to 23:20", "every 6 hours", "1 of january 12:00"])
def test_a_clock_that_was_set_back_makes_a_config_due_by_its_schedule(tmp_path: Path, schedule: str) -> None:
    store = Store(tmp_path / "store.sqlite")
    app = create_control_plane(store, Projects("eros-local", 100000000001), Queries(1))
    config = create(TestClient(app), schedule)
    (kept,) = app.state.plane.runs.scheduled()
    assert kept["nextRunTime"] == config["nextRunTime"], "one that is right stays"
    due = next_due_time(schedule, datetime.now(UTC))
    assert due is not None
    overdue(store, config, due + timedelta(hours=30))
    (moved,) = app.state.plane.runs.scheduled()
    assert at(moved["nextRunTime"].removesuffix("Z")) - due < timedelta(minutes=1)


def test_the_clock_is_read_again_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a suspend a run is due, although the pause until it has hardly begun."""
    monkeypatch.setattr("local.control_plane.clock.CHECK_SECONDS", 0.01)
    reads, enough = iter(range(5)), Event()

    def configs() -> list[dict[str, Any]]:
        if next(reads, None) is None:
            enough.set()
        return [{"nextRunTime": "9000-01-01T00:00:00+00:00"}]

    clock = Clock(configs, lambda *_: None)
    clock.start()
    try:
        assert enough.wait(SOON)
    finally:
        clock.stop()


def test_a_disabled_config_is_never_due(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    client = TestClient(create_control_plane(store, Projects("eros-local", 100000000001), Queries(1)))
    config = create(client, "every 1 hours")
    assert config["nextRunTime"]
    path = f"/bigquerydatatransfer/v1/{config['name']}"
    assert "nextRunTime" not in client.patch(f"{path}?updateMask=disabled", json={"disabled": True}).json()
    assert client.patch(f"{path}?updateMask=disabled", json={"disabled": False}).json()["nextRunTime"]


def test_a_config_that_is_changed_wakes_the_clock() -> None:
    """Nothing is due at first, so only the change can wake it."""
    configs: list[dict[str, Any]] = []
    ran = Event()

    def run(config: dict[str, Any], _run_time: datetime) -> None:
        configs.remove(config)
        ran.set()

    clock = Clock(lambda: list(configs), run)
    clock.start()
    try:
        assert not ran.wait(0.1)
        configs.append({"nextRunTime": "2026-01-05T00:00:00+00:00"})
        clock.changed()
        assert ran.wait(SOON)
    finally:
        clock.stop()
