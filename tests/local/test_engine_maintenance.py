"""The background maintenance of the data folder: on DuckDB and DuckLake themselves, without a server."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from local.engine import offline
from tests.harness.checkout import skip_in_fast_run

offline.import_extensions()

from local_bigquery.engine import database  # noqa: E402 - looks for extensions when it is imported
from local_bigquery.settings import settings  # noqa: E402

from local.engine import clock, connections, job_history, maintenance  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2030, 1, 1, tzinfo=UTC)
SEED = 20
DAYS = 12
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LAKE = "__ducklake_metadata_shop"
CHILD = "import sys; from tests.local import test_engine_maintenance as t; t.write_until_killed(sys.argv[1])"


@contextmanager
def opened(folder: Path) -> Iterator[connections.Connection]:
    """The lake of one project, attached by the package, behind connections with the write gate."""
    with pytest.MonkeyPatch.context() as patch, closing(duckdb.connect(config={"TimeZone": "UTC"})) as native:
        patch.setattr(settings, "data_dir", folder)
        patch.setattr(database, "_attached", set())
        native.execute("SET ducklake_max_retry_count = 100; SET ducklake_retry_wait_ms = 20")
        native.execute("SET enable_progress_bar = false")  # it is printed on a machine that is slow
        native.execute(f"ATTACH '{folder}/emulator.duckdb' AS emulator")
        database._attach(native, "shop")  # noqa: SLF001 - as the package opens it
        native.execute("USE shop")
        connection = connections.Connection(native)
        patch.setattr(database, "connection", lambda: connection)
        patch.setattr(job_history, "delete_old", lambda: None)  # no server is running, or ever ran
        yield connection


@pytest.fixture(autouse=True)
def _not_in_a_fast_run() -> None:
    """Each test works for seconds on the files of a DuckLake."""
    skip_in_fast_run()


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[connections.Connection]:
    with opened(tmp_path) as connection:
        yield connection


def rows(connection: Any, statement: str) -> list[Any]:
    cursor = connection.cursor()
    cursor.execute("USE shop")
    return list(cursor.execute(statement).fetchall())


def execute(connection: Any, statement: str) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("USE shop")
        for one in duckdb.extract_statements(statement):  # a cursor runs one
            cursor.execute(one.query)


def newest(connection: Any) -> int:
    return int(rows(connection, f"SELECT max(snapshot_id) FROM {LAKE}.ducklake_snapshot")[0][0])


def on_disk() -> set[str]:
    return {path.name for path in settings.data_dir.joinpath("shop").rglob("*") if path.is_file()}


def known(connection: Any) -> set[str]:
    """The files of the snapshots that are kept."""
    found = rows(
        connection, f"SELECT path FROM {LAKE}.ducklake_data_file UNION SELECT path FROM {LAKE}.ducklake_delete_file"
    )
    return {Path(path).name for (path,) in found}


def live(connection: Any, table: str) -> int:
    return len(rows(connection, f"FROM ducklake_list_files('shop', '{table}')"))


def insert_one_by_one(connection: Any, count: int) -> None:
    execute(connection, "CREATE TABLE IF NOT EXISTS orders (id BIGINT, v BIGINT)")
    for number in range(count):
        execute(connection, f"INSERT INTO orders VALUES ({number}, 0)")


CONTENTS = "SELECT count(*), sum(v), md5(string_agg(orders::VARCHAR, ',' ORDER BY id, v)) FROM orders"


def a_day_of_writes(connection: Any, day: int) -> None:
    for number in range(6):
        execute(connection, f"INSERT INTO orders (id, v) SELECT {day * 100 + number * 10} + range, 0 FROM range(10)")
        execute(connection, f"INSERT INTO parts SELECT range, DATE '2030-01-01' + {day % 3} FROM range(5)")
    for number in range(4):
        execute(connection, f"UPDATE orders SET v = v + 1 WHERE id % 7 = {number}")
    execute(connection, f"DELETE FROM orders WHERE id % 50 = {day}")
    execute(connection, "CREATE OR REPLACE TABLE report AS SELECT count(*) AS n FROM orders")
    execute(connection, f"CREATE TABLE of_{day} AS SELECT 1 AS x; DROP TABLE of_{day}")


def test_files_and_snapshots_level_off_and_seven_days_of_time_travel_are_kept(lake: Any) -> None:
    execute(lake, "CREATE TABLE orders (id BIGINT, v BIGINT, j JSON DEFAULT '{}', s STRUCT(a INT, t TIMESTAMPTZ))")
    execute(lake, "CREATE TABLE parts (id BIGINT, day DATE); ALTER TABLE parts SET PARTITIONED BY (day)")
    contents, files, states, sizes = {}, [], [], []
    for day in range(DAYS):
        a_day_of_writes(lake, day)
        contents[day] = (newest(lake), rows(lake, CONTENTS))
        maintenance.maintain(START + day * DAY)
        files.append(len(on_disk()))
        states.append(len(rows(lake, f"FROM {LAKE}.ducklake_snapshot_changes")))
        sizes.append(settings.data_dir.joinpath("shop.ducklake").stat().st_size)
        assert on_disk() == known(lake)
        assert live(lake, "orders") == live(lake, "report") == 1
        assert live(lake, "parts") == min(day + 1, 3), "one file per partition"
        assert not settings.data_dir.joinpath("shop.ducklake.wal").exists()
    assert max(files[10:]) <= 1.2 * files[8]
    assert max(states[10:]) <= 1.1 * states[8]
    assert max(sizes[10:]) <= 1.5 * sizes[8]
    for version, then in (contents[day] for day in range(DAYS - 8, DAYS)):
        assert rows(lake, f"{CONTENTS} AT (VERSION => {version})") == then
    for version, _ in (contents[day] for day in range(DAYS - 8)):
        with pytest.raises(duckdb.InvalidInputException):
            rows(lake, f"{CONTENTS} AT (VERSION => {version})")


def test_an_instant_seven_days_ago_can_be_read_and_none_before(lake: Any) -> None:
    """With the machine's clock, by which DuckLake dates its snapshots."""
    insert_one_by_one(lake, 2)
    before = datetime.now(UTC)
    execute(lake, "UPDATE orders SET v = 1")
    at_mark = datetime.now(UTC)
    maintenance.maintain(at_mark)
    execute(lake, "UPDATE orders SET v = 2")
    statement = "SELECT sum(v) FROM orders AT (TIMESTAMP => TIMESTAMPTZ '{}')"
    maintenance.maintain(at_mark + timedelta(days=7) - timedelta(seconds=1))
    assert rows(lake, statement.format(before)) == [(0,)]
    maintenance.maintain(at_mark + timedelta(days=7))
    assert rows(lake, statement.format(at_mark)) == [(2,)]
    with pytest.raises(duckdb.InvalidInputException):
        rows(lake, statement.format(before))


def test_the_present_snapshot_is_kept_however_old(lake: Any) -> None:
    insert_one_by_one(lake, 3)
    for day in (0, 30, 60):
        maintenance.maintain(START + day * DAY)
    assert rows(lake, "SELECT count(*) FROM orders") == [(3,)]
    with closing(sqlite3.connect(settings.data_dir / maintenance.FILE)) as file:
        marks = file.execute("SELECT instant FROM marks").fetchall()
    assert [instant[:10] for (instant,) in marks] == ["2030-01-31", "2030-03-02"], "useless ones are deleted"


def test_a_clock_set_back_expires_no_snapshot_early(lake: Any) -> None:
    insert_one_by_one(lake, 1)
    maintenance.maintain(START + 100 * DAY)
    insert_one_by_one(lake, 1)
    version = newest(lake)
    maintenance.maintain(START)
    insert_one_by_one(lake, 1)
    maintenance.maintain(START + 6 * DAY)
    assert rows(lake, f"SELECT count(*) FROM orders AT (VERSION => {version})") == [(2,)]
    maintenance.maintain(START + 8 * DAY)
    assert rows(lake, "SELECT count(*) FROM orders") == [(3,)]


@pytest.mark.parametrize("days", [6, pytest.param(50, marks=pytest.mark.long)])
def test_no_writer_fails_and_no_step_either(lake: Any, caplog: pytest.LogCaptureFixture, days: int) -> None:
    insert_one_by_one(lake, 40)
    failures: list[Exception] = []
    completed = Counter[int]()
    ended = threading.Event()

    def write(number: int) -> None:
        while not ended.is_set():
            try:
                with database.writing("shop", "main", "orders"):
                    execute(lake, f"UPDATE orders SET v = v + 1 WHERE id % 5 = {number}")
                with database.writing("shop", "main", "orders"), closing(lake.cursor()) as cursor:
                    cursor.execute("USE shop")
                    cursor.execute("BEGIN")
                    cursor.execute(f"DELETE FROM orders WHERE id = {number}")
                    cursor.execute(f"INSERT INTO orders VALUES ({number}, 0)")
                    cursor.execute("COMMIT")
            except duckdb.Error as error:
                failures.append(error)
            completed[number] += 1

    writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for writer in writers:
        writer.start()
    for day in range(days):
        maintenance.maintain(START + day * DAY)
    during = [completed[number] for number in range(2)]
    ended.set()
    for writer in writers:
        writer.join()
    assert not failures
    assert not caplog.records
    assert rows(lake, "SELECT count(*) FROM orders") == [(40,)]
    assert min(during) >= days / 2, "a writer waits for pieces of a round, never for many rounds"


def test_merging_waits_for_an_open_transaction(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "PATIENCE", 0.05)
    insert_one_by_one(lake, 5)
    with closing(lake.cursor()) as cursor:
        cursor.execute("USE shop")
        cursor.execute("BEGIN")
        cursor.execute("UPDATE orders SET v = 1 WHERE id = 2")
        maintenance.maintain(START)
        assert live(lake, "orders") == 5
        cursor.execute("COMMIT")
    maintenance.maintain(START)
    assert live(lake, "orders") == 1
    assert rows(lake, "SELECT sum(v) FROM orders") == [(1,)]


def test_a_file_stays_while_a_statement_reads_it(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "PATIENCE", 0.05)
    insert_one_by_one(lake, 5)
    with closing(lake.cursor()) as reader:
        reader.execute("USE shop")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM orders").fetchall()
        connections.leave()  # as a transaction that only reads: merging does not wait for it
        maintenance.maintain(START)
        assert live(lake, "orders") == 1
        assert len(on_disk()) == 6
        assert reader.execute("SELECT sum(id) FROM orders").fetchall() == [(10,)]
        connections.enter()
    maintenance.maintain(START)
    assert len(on_disk()) == 1


def test_uncommitted_leftovers_are_removed_but_no_file_of_a_pending_commit(
    lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_one_by_one(lake, 1)
    stray = settings.data_dir / "shop" / "main" / "orders" / "stray.parquet"
    stray.write_bytes(b"half a fi")
    with closing(lake.cursor()) as writer:
        writer.execute("USE shop")
        writer.execute("BEGIN")
        writer.execute("INSERT INTO orders VALUES (1, 1)")

        def drained(_seconds: float) -> bool:
            writer.execute("COMMIT")
            return True

        monkeypatch.setattr(maintenance, "PATIENCE", 0.05)
        monkeypatch.setattr(connections, "drained", drained)
        maintenance.maintain(START)
    assert not stray.exists()
    assert rows(lake, "SELECT sum(v) FROM orders") == [(1,)]
    assert on_disk() == known(lake)


@pytest.mark.parametrize(
    ("rows_of_files", "deleted", "files"),
    [
        ((10, 10), "id IN (0, 1)", 1),
        ((60_000,), "id < 300", 2),  # large, with few deleted rows: left unchanged
        ((60_000, 10), "id < 100 OR id = 60000", 3),  # the small one's share is higher
        ((60_000,), "id < 40000", 1),
    ],
)
def test_files_are_rewritten_only_where_it_pays(
    lake: Any, rows_of_files: tuple[int, ...], deleted: str, files: int
) -> None:
    execute(lake, "CREATE TABLE orders (id BIGINT, s VARCHAR)")
    first = 0
    for count in rows_of_files:
        execute(lake, f"INSERT INTO orders SELECT {first} + range, md5(range::VARCHAR) FROM range({count})")
        first += count
    execute(lake, f"DELETE FROM orders WHERE {deleted}")
    left = rows(lake, "SELECT rowid, * FROM orders ORDER BY id")
    for day in (0, 8):
        maintenance.maintain(START + day * DAY)
    maintenance.maintain(START + 16 * DAY)
    assert len(on_disk()) == files
    assert rows(lake, "SELECT rowid, * FROM orders ORDER BY id") == left


def test_a_step_that_fails_is_logged_and_the_others_are_done(
    lake: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    insert_one_by_one(lake, 5)
    monkeypatch.setattr(maintenance, "TO_REWRITE", "SELECT no_such_column")
    maintenance.maintain(START)
    assert live(lake, "orders") == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_round_is_due_an_hour_after_the_last_by_the_engines_clock(lake: Any) -> None:
    assert maintenance.time_to_next(START) <= timedelta()
    maintenance.maintain(START)
    assert maintenance.time_to_next(START) == HOUR
    assert maintenance.time_to_next(START + HOUR) <= timedelta()
    assert maintenance.time_to_next(START - DAY) <= timedelta()
    maintenance.maintain(START - DAY)
    assert maintenance.time_to_next(START - DAY) == HOUR


def test_the_thread_follows_the_clock(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[datetime] = []
    done = threading.Semaphore(0)

    def maintain(now: datetime, _ended: Any) -> None:
        rounds.append(now)
        with closing(lake.native.cursor()) as cursor:
            cursor.execute(f"USE {LAKE}")
            maintenance.mark(cursor, "shop", now)
        done.release()

    monkeypatch.setattr(maintenance, "maintain", maintain)
    instants = [START]
    asked = threading.Semaphore(0)

    def now() -> datetime:
        asked.release()
        return instants[-1]

    monkeypatch.setattr(clock, "now", now)
    thread = maintenance.Maintenance()
    thread.start()
    assert asked.acquire(timeout=60)
    assert done.acquire(timeout=60)
    for instant in (START + HOUR / 2, START + HOUR):
        instants.append(instant)
        thread.wake()
        assert asked.acquire(timeout=60)
    assert done.acquire(timeout=60)
    thread.stop()
    assert rounds == [START, START + HOUR]


def write_until_killed(folder: str) -> None:
    """In a separate process: run statements and rounds, and print each statement's number once it is committed."""
    with opened(Path(folder)) as connection:
        execute(connection, "CREATE TABLE IF NOT EXISTS orders (id BIGINT, v BIGINT)")
        (first,) = rows(connection, "SELECT coalesce(max(id) + 1, 0) FROM orders")[0]
        threading.Thread(target=_maintain_on_and_on, daemon=True).start()
        for number in range(first, first + 100_000):
            execute(connection, f"INSERT INTO orders VALUES ({number}, 0)")
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            execute(connection, f"UPDATE orders SET v = v + 1 WHERE id % 10 = {number % 10}")


def _maintain_on_and_on() -> None:
    now = datetime.now(UTC)
    while True:
        now += 2 * DAY
        maintenance.maintain(now)


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_a_kill_at_any_moment_loses_no_commit_and_leaves_no_file(tmp_path: Path, kills: int) -> None:
    moments = random.Random(SEED)  # noqa: S311 - the same moments each time
    print(f"seed {SEED}")  # noqa: T201 - to repeat a failure
    now = START
    for _ in range(kills):
        with subprocess.Popen([sys.executable, "-c", CHILD, tmp_path], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.7))
            process.kill()
            told = [int(line) for line in process.stdout.read().split("\n")[:-1]]
        with opened(tmp_path) as connection:
            found = {number for (number,) in rows(connection, "SELECT id FROM orders")}
            assert set(range(max(told, default=0) + 1)) <= found
            now += HOUR
            maintenance.maintain(now)
            assert on_disk() == known(connection)
            assert {number for (number,) in rows(connection, "SELECT id FROM orders")} == found
