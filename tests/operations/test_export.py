"""Exports of a schedule: each kind of file, the row that records it, and what happens when it fails."""

from __future__ import annotations

import csv
import errno
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from catalog.zone import LOS_ANGELES
from google.client import GoogleApi
from google.failures import LateAnswerError, NotPermittedError, RequestRefusedError
from google.waiting import current_limit
from operations import __main__
from operations.export_files import LONGEST_CELL, FileKind, write_rows
from tests.harness.commands import Ended, invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.harness.deployed import Deployed

SCHEDULE = "S-1"
FORMULA = '=HYPERLINK("https://example.com","20 % off, tonight")'
COLUMNS = 18
type Export = Callable[..., Ended]


@pytest.fixture
def system(deployed: Deployed) -> Iterator[Deployed]:
    """A schedule with two active slots, one of a caption whose text a spreadsheet would take for a formula."""
    deployed.query(
        "INSERT INTO `{d}.schedule_recommendations` (schedule_id, page_name, scheduled_send_time, caption_id, "
        f"is_active, time_slot_rank) VALUES ('{SCHEDULE}', 'a page', TIMESTAMP '2026-12-01 20:00:00+00', -1, TRUE, 2), "
        f"('{SCHEDULE}', 'a page', TIMESTAMP '2026-12-01 17:00:00+00', -1, TRUE, 1), "
        f"('{SCHEDULE}', 'a page', TIMESTAMP '2026-12-01 21:00:00+00', -1, FALSE, 3)"
    )
    deployed.query(
        f"INSERT INTO `{{d}}.caption_bank` (caption_id, caption_text, has_urgency) VALUES (-1, '''{FORMULA}''', TRUE)"
    )
    yield deployed
    for condition in ("schedule_recommendations` WHERE schedule_id", "schedule_export_log` WHERE schedule_id"):
        deployed.query(f"DELETE FROM `{{d}}.{condition} = '{SCHEDULE}'")
    deployed.query("DELETE FROM `{d}.caption_bank` WHERE caption_id = -1")


@pytest.fixture
def export(system: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    """The command, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(__main__, "load_environment", lambda _: system.environment)
    return lambda *words: invoke(__main__.app, __main__.KNOWN, "export", *words)


def recorded(system: Deployed) -> list[dict[str, Any]]:
    rows = system.query(
        f"SELECT * FROM `{{d}}.schedule_export_log` WHERE schedule_id = '{SCHEDULE}' ORDER BY export_timestamp"
    )
    return [dict(row) for row in rows]


def before_a_query(monkeypatch: pytest.MonkeyPatch, about: str, happens: Callable[[], object]) -> None:
    """Have something happen before each query about an object."""
    query = GoogleApi.query

    def spoilt(api: GoogleApi, what: str, *given: Any) -> list[Any]:
        if what == about:
            happens()
        return query(api, what, *given)

    monkeypatch.setattr(GoogleApi, "query", spoilt)


def fails(error: Exception) -> Callable[[], object]:
    """What raises an error."""

    def fail() -> object:
        raise error

    return fail


def messages_of(file: Path) -> list[dict[str, Any]]:
    match file.suffix:
        case ".csv":
            with file.open(encoding="utf-8", newline="") as stream:
                return list(csv.DictReader(stream))
        case ".json":
            found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
            return found
        case _:
            sheet = openpyxl.load_workbook(file).active
            head, *rows = sheet.iter_rows()
            assert {cell.data_type for row in rows for cell in row} <= {"s", "n", "b"}, "no formula"
            return [dict(zip((cell.value for cell in head), (cell.value for cell in row), strict=True)) for row in rows]


#: What is true in a file of each kind.
TRUE = {"S-1.csv": "true", "S-1.json": True, "S-1.xlsx": True}


@pytest.mark.parametrize(("kind", "name"), [("csv", "S-1.csv"), ("json", "S-1.json"), ("sheets", "S-1.xlsx")])
def test_a_schedule_is_written_in_its_order_and_recorded(
    export: Export, system: Deployed, tmp_path: Path, kind: str, name: str
) -> None:
    done = export(SCHEDULE, "--as", kind)
    assert (done.exit_code, done.stdout) == (0, f"{name}: 2 messages\n")
    messages = messages_of(tmp_path / name)
    assert [message["scheduled_send_time"] for message in messages] == [
        "2026-12-01T09:00:00-08:00",
        "2026-12-01T12:00:00-08:00",
    ]
    assert {len(message) for message in messages} == {COLUMNS}
    assert {message["caption_text"] for message in messages} == {FORMULA}
    assert {message["has_urgency"] for message in messages} == {TRUE[name]}
    assert {message["content_category"] for message in messages} <= {None, ""}
    (row,) = recorded(system)
    assert (row["page_name"], row["message_count"], row["status"]) == ("a page", 2, "SUCCESS")
    assert (row["error_message"], row["export_format"]) == (None, kind.upper())
    assert row["exported_by"]
    age = (datetime.now(LOS_ANGELES) - row["export_timestamp"]).total_seconds()
    assert 0 < row["execution_time_seconds"] <= age
    assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_a_file_that_exists_is_replaced_only_when_told(export: Export, system: Deployed, tmp_path: Path) -> None:
    file = tmp_path / "S-1.csv"
    file.write_text("edited by hand")
    done = export(SCHEDULE, "--as", "csv")
    assert done.exit_code == 2
    assert done.stderr.startswith("S-1.csv exists: ")
    assert file.read_text() == "edited by hand"
    assert recorded(system) == []
    assert export(SCHEDULE, "--as", "csv", "--overwrite").exit_code == 0
    assert len(messages_of(file)) == 2
    assert export(SCHEDULE, "--as", "csv", "--output", "other.csv").exit_code == 0
    assert {each.name for each in tmp_path.iterdir()} == {"S-1.csv", "other.csv"}


def test_an_unknown_schedule_is_a_sentence_with_a_query_that_runs(export: Export, system: Deployed) -> None:
    done = export("nobody's", "--as", "json")
    assert done.exit_code == 2
    sentence, query = done.stderr.splitlines()
    assert "no active message has the schedule" in sentence
    assert {SCHEDULE} <= {row.schedule_id for row in system.query(query)}


def test_messages_without_a_text_are_a_partial_export(export: Export, system: Deployed, tmp_path: Path) -> None:
    change = "UPDATE `{d}.schedule_recommendations` SET caption_id = -2 WHERE time_slot_rank = 2 AND schedule_id ="
    system.query(f"{change} '{SCHEDULE}'")
    done = export(SCHEDULE, "--as", "json")
    assert done.exit_code == 1
    assert done.stderr == "1 of 2 messages without a text: add the texts of captions -2 to caption_bank\n"
    assert len(messages_of(tmp_path / "S-1.json")) == 2
    (row,) = recorded(system)
    assert (row["status"], row["message_count"]) == ("PARTIAL", 2)
    assert row["error_message"] == done.stderr.strip()


def test_a_file_that_cannot_be_written_is_recorded(export: Export, system: Deployed, tmp_path: Path) -> None:
    done = export(SCHEDULE, "--as", "sheets", "--output", "nowhere/file.xlsx")
    assert done.exit_code == 2
    assert done.stderr == "nowhere/file.xlsx: not writable: No such file or directory\n"
    (row,) = recorded(system)
    assert (row["status"], row["message_count"], row["export_format"]) == ("FAILED", None, "SHEETS")
    assert row["error_message"] == done.stderr.strip()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RequestRefusedError("the view is broken"), LateAnswerError("no answer within 9 s")])
def test_a_schedule_that_cannot_be_read_is_recorded(
    export: Export, system: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    before_a_query(monkeypatch, "schedule_recommendations_messages", fails(error))
    done = export(SCHEDULE, "--as", "csv")
    assert (done.exit_code, done.stderr) == (2, f"{error}\n")
    (row,) = recorded(system)
    assert (row["status"], row["error_message"]) == ("FAILED", str(error))
    assert list(tmp_path.iterdir()) == []


def test_time_is_kept_for_recording_that_the_time_was_over(
    export: Export, system: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_a_query(monkeypatch, "schedule_recommendations_messages", lambda: current_limit().sleep("the messages", 60))
    monkeypatch.setattr("operations.export.RECORDING_SECONDS", 29.0)
    done = export(SCHEDULE, "--as", "csv", "--deadline", "30")
    assert done.exit_code == 2
    assert done.stderr.startswith("no answer within the 30 s of --deadline; waited for the messages")
    (row,) = recorded(system)
    assert (row["status"], row["error_message"]) == ("FAILED", done.stderr.strip())


def test_what_is_recorded_has_no_credential(export: Export, system: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    before_a_query(
        monkeypatch, "schedule_recommendations_messages", fails(RequestRefusedError("refused: password=hunter2hunter2"))
    )
    export(SCHEDULE, "--as", "csv")
    (row,) = recorded(system)
    assert row["error_message"].startswith("refused: password=(looks like")


def test_a_schedule_of_several_pages_has_a_row_for_each(export: Export, system: Deployed, tmp_path: Path) -> None:
    """In the file they are in the order in which they are sent; each row is about its own page."""
    system.query(
        "UPDATE `{d}.schedule_recommendations` SET page_name = 'another page', caption_id = NULL "
        f"WHERE time_slot_rank = 1 AND schedule_id = '{SCHEDULE}'"
    )
    done = export(SCHEDULE, "--as", "json")
    assert (done.exit_code, done.stderr) == (1, "1 of 2 messages without a text: 1 message without a caption\n")
    assert [message["page_name"] for message in messages_of(tmp_path / "S-1.json")] == ["another page", "a page"]
    found = {row["page_name"]: (row["message_count"], row["status"]) for row in recorded(system)}
    assert found == {"a page": (1, "SUCCESS"), "another page": (1, "PARTIAL")}


@pytest.mark.parametrize("page", ["NULL", "' '"])
def test_a_message_without_a_page_is_refused_before_a_file_is_written(
    export: Export, system: Deployed, tmp_path: Path, page: str
) -> None:
    change = (
        f"UPDATE `{{d}}.schedule_recommendations` SET page_name = {page} WHERE time_slot_rank = 1 AND schedule_id ="
    )
    system.query(f"{change} '{SCHEDULE}'")
    done = export(SCHEDULE, "--as", "csv")
    assert done.exit_code == 2
    assert "has active messages without a page: set their page_name in" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert recorded(system) == []


def test_what_is_no_file_is_not_replaced(export: Export, system: Deployed, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name, said in (("folder", "folder is not a file"), ("link", "link exists"), ("/dev/null", "/dev/null is not")):
        done = export(SCHEDULE, "--as", "csv", "--output", name, *(["--overwrite"] if name != "link" else []))
        assert done.exit_code == 2
        assert done.stderr.startswith(said)
    assert recorded(system) == []
    assert (tmp_path / "link").is_symlink()


def test_who_may_not_record_is_told_which_role(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before_a_query(monkeypatch, "record_schedule_export", fails(NotPermittedError("403 Access Denied")))
    done = export(SCHEDULE, "--as", "csv")
    assert done.exit_code == 2
    assert done.stderr.startswith(
        "S-1.csv is written, but not recorded: 403 Access Denied\nRecording it needs roles/big"
    )
    assert len(messages_of(tmp_path / "S-1.csv")) == 2


def test_an_export_that_is_not_recorded_says_so(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_a_query(monkeypatch, "record_schedule_export", fails(RequestRefusedError("no right to write")))
    done = export(SCHEDULE, "--as", "csv")
    assert done.exit_code == 2
    assert done.stderr.startswith("S-1.csv is written, but not recorded: no right to write\n")
    assert len(messages_of(tmp_path / "S-1.csv")) == 2


@pytest.mark.parametrize("schedule", ["../up", "/etc/x", ".hidden", "a b/c\\d"])
def test_the_name_of_a_file_stays_in_the_folder(
    export: Export, system: Deployed, tmp_path: Path, schedule: str
) -> None:
    named = schedule.replace("\\", "\\\\")
    system.query(
        f"UPDATE `{{d}}.schedule_recommendations` SET schedule_id = '{named}' WHERE schedule_id = '{SCHEDULE}'"
    )
    try:
        assert export(schedule, "--as", "csv").exit_code == 0
    finally:
        for table in ("schedule_recommendations", "schedule_export_log"):
            system.query(f"UPDATE `{{d}}.{table}` SET schedule_id = '{SCHEDULE}' WHERE schedule_id = '{named}'")
    (file,) = tmp_path.iterdir()
    assert not file.name.startswith(".")


def test_a_workbook_takes_any_text(tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@a", "x" * LONGEST_CELL, "\N{FIRE} 20 % off\nnow", "a\x00\x1f\ufffeb"]
    file = tmp_path / "a.xlsx"
    write_rows(
        file, FileKind.SHEETS, ["text", "number"], [{"text": text, "number": 0.5} for text in texts], overwrite=False
    )
    found = messages_of(file)
    assert [row["text"] for row in found] == [*texts[:-1], "a\ufffd\ufffd\ufffdb"]
    assert {row["number"] for row in found} == {0.5}


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("another's")
    with pytest.raises(FileExistsError):
        write_rows(file, FileKind.CSV, ["text"], [{"text": "mine"}], overwrite=False)
    assert file.read_text() == "another's"
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_rows(tmp_path / "a.xlsx", FileKind.SHEETS, ["text"], [{"text": "a"}], overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_no_cell_holds_is_not_cut(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="more than 32,767 characters: export it --as csv"):
        write_rows(tmp_path / "a.xlsx", FileKind.SHEETS, ["text"], [{"text": "x" * 32_768}], overwrite=False)
    assert list(tmp_path.iterdir()) == []
