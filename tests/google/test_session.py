"""Requests to Google's APIs: none is endless, and only what may be made twice is made again."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING, Any

import pytest
import requests
from google.auth.credentials import AnonymousCredentials

from declared.loading import load_environment
from google import session, waiting
from google.client import GoogleApi
from google.failures import LateAnswerError, LiveSystemError, UnreadableAnswerError
from google.resources import alert_policies, read_live_system, service_account, transfer_configs
from google.session import Session, may_be_repeated
from google.waiting import current_limit, end_all_waits, time_limit
from tests.harness.faulty_proxy import faulty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: More than any of these requests takes, on any machine.
PATIENCE = 20.0


class Answers:
    """What a server answers, one after another (the last one again and again), and what it was asked."""

    def __init__(self, *statuses: tuple[int, dict[str, str]]) -> None:
        self.statuses = list(statuses)
        self.asked: list[str] = []
        self.address = ""


@contextmanager
def answering(*statuses: tuple[int, dict[str, str]]) -> Iterator[Answers]:
    """A server of such answers; status 0 ends the connection without one."""
    answers = Answers(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answers.asked.append(f"{self.command} {self.path}")
            status, headers = answers.statuses.pop(0) if len(answers.statuses) > 1 else answers.statuses[0]
            if not status:
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "2"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_DELETE = do_GET  # noqa: N815 - the class calls these names

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.address = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield answers
        server.shutdown()


@pytest.fixture
def patient() -> Session:
    """A session that repeats requests."""
    return Session(AnonymousCredentials(), patient=True)  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of hundredths of seconds."""
    monkeypatch.setattr(session, "FIRST_PAUSE_SECONDS", 0.02)


def short(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(session, "REQUEST_SECONDS", seconds)


@pytest.mark.parametrize("fault", ["drip", "dripping head", "silent"])
def test_a_request_ends_no_matter_what_trickles_in(
    monkeypatch: pytest.MonkeyPatch, patient: Session, fault: str
) -> None:
    short(monkeypatch, 0.5)
    began = time.monotonic()
    with (
        faulty("", "/", fault) as endpoint,
        pytest.raises(requests.Timeout, match=r"GET /x: no answer within 0\.\d+ s"),
    ):
        patient.request("GET", f"{endpoint}/x", timeout=PATIENCE)
    assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 0])
def test_a_busy_service_is_asked_again_and_a_person_sees_it(
    patient: Session, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    with answering((status, {}), (status, {}), (200, {})) as answers:
        assert patient.request("GET", f"{answers.address}/x").status_code == 200
    assert answers.asked == ["GET /x"] * 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("GET /x: ") and "trying again in 0.0 s" in line for line in lines), lines


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_a_refusal_is_final(patient: Session, status: int) -> None:
    with answering((status, {})) as answers:
        assert patient.request("GET", f"{answers.address}/x").status_code == status
    assert len(answers.asked) == 1


@pytest.mark.parametrize("lost", [503, 0])
def test_what_an_attempt_deleted_whose_answer_was_lost_is_deleted(patient: Session, lost: int) -> None:
    with answering((lost, {}), (404, {})) as answers:
        assert patient.request("DELETE", f"{answers.address}/x").status_code == 204
    with answering((404, {})) as answers:
        assert patient.request("DELETE", f"{answers.address}/x").status_code == 404
    with answering((lost, {}), (404, {})) as answers:
        assert patient.request("GET", f"{answers.address}/x").status_code == 404


def test_the_embedded_environment_is_not_asked_again() -> None:
    impatient = Session(AnonymousCredentials(), patient=False)  # type: ignore[no-untyped-call]
    with answering((503, {})) as answers:
        assert impatient.request("GET", f"{answers.address}/x").status_code == 503
    assert len(answers.asked) == 1


def test_what_must_not_be_done_twice_is_done_once(patient: Session) -> None:
    with answering((503, {})) as answers:
        path = "/bigquerydatatransfer/v1/projects/p/transferConfigs/c:startManualRuns"
        assert patient.request("POST", answers.address + path).status_code == 503
    assert len(answers.asked) == 1


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/anything", True),
        ("DELETE", "/v1/projects/p/serviceAccounts/a", True),
        ("POST", "/v1/projects/p:getIamPolicy", True),
        ("POST", "/v1/projects/p:testIamPermissions", True),
        ("POST", "/v1/projects/p:setIamPolicy", False),
        ("POST", "/bigquery/v2/projects/p/queries", True),
        ("POST", "/bigquery/v2/projects/p/jobs", True),
        ("POST", "/bigquery/v2/projects/p/datasets", False),
        ("PATCH", "/bigquery/v2/projects/p/datasets/d", False),
    ],
)
def test_only_what_has_the_same_effect_twice_may_be_repeated(method: str, path: str, expected: bool) -> None:
    assert may_be_repeated(method, f"https://service.example.com{path}?prettyPrint=false") is expected


@pytest.mark.parametrize("by_date", [False, True])
def test_a_service_says_when_to_ask_again(patient: Session, capsys: pytest.CaptureFixture[str], by_date: bool) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if by_date else "1"
    with answering((429, {"Retry-After": later}), (200, {})) as answers:
        began = time.monotonic()
        assert patient.request("GET", f"{answers.address}/x").status_code == 200
        assert time.monotonic() - began > 0.5
    assert "GET /x: 429 Too Many Requests; trying again in " in capsys.readouterr().err


def test_a_service_that_asks_for_too_long_a_pause_is_not_waited_for(patient: Session) -> None:
    with answering((503, {"Retry-After": "3600"})) as answers:
        began = time.monotonic()
        assert patient.request("GET", f"{answers.address}/x").status_code == 503
    assert time.monotonic() - began < PATIENCE
    assert len(answers.asked) == 1


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "Mon, 01 Jan 2024 00:00:00 +99999999999999", f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"]
)
def test_a_time_to_ask_again_that_is_none_is_none(text: str) -> None:
    answer = requests.Response()
    answer.headers["Retry-After"] = text
    assert session.retry_after(answer) == 0


def test_all_attempts_together_have_the_time_of_one_request(monkeypatch: pytest.MonkeyPatch, patient: Session) -> None:
    short(monkeypatch, 1.0)
    with answering((503, {})) as answers:
        began = time.monotonic()
        with suppress(requests.Timeout):  # where the last attempt has no answer in the time that is left
            assert patient.request("GET", f"{answers.address}/x").status_code == 503
    assert time.monotonic() - began < PATIENCE / 2
    assert len(answers.asked) > 1


def test_pauses_grow_to_a_limit_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FIRST_PAUSE_SECONDS", 1.0)
    found = [pause for pause, _ in zip(session._pauses(), range(12), strict=False)]  # noqa: SLF001 - its own numbers
    for number, pause in enumerate(found):
        whole = min(2.0**number, session.LONGEST_PAUSE_SECONDS)
        assert whole / 2 <= pause <= whole
    assert len(set(found)) == len(found)


def test_at_the_deadline_every_wait_ends(patient: Session) -> None:
    with faulty("", "/", "silent") as endpoint, time_limit(0.3) as limit:
        for _ in range(2):  # the second one is not begun
            with pytest.raises(LateAnswerError, match=r"within the 0\.3 s of --deadline; waited for GET /x"):
                patient.request("GET", f"{endpoint}/x", timeout=PATIENCE)
        with pytest.raises(LateAnswerError):
            current_limit().sleep("a pause", PATIENCE)
        assert limit.passed
        assert str(limit).endswith("waited for GET /x and 1 more")


def test_the_earlier_of_two_deadlines_counts() -> None:
    with time_limit(0.05), time_limit(PATIENCE) as inner, pytest.raises(LateAnswerError):
        inner.sleep("a pause", PATIENCE)


def test_a_command_that_is_told_to_end_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_limits", [waiting.TimeLimit(PATIENCE * 10)])
    never, began = Event(), time.monotonic()
    timer = Timer(0.1, end_all_waits)
    timer.start()
    with pytest.raises(LateAnswerError):
        current_limit().result("a service", never.wait)
    timer.join()
    never.set()
    assert time.monotonic() - began < PATIENCE


#: Answers that are no object, by what they are.
ODD = {
    "null": "null",
    "a list": "[]",
    "a text": '"text"',
    "a number": "7.5",
    "deep lists": "[" * 10_000 + "]" * 10_000,
    "deep objects": '{"a": ' * 10_000 + "1" + "}" * 10_000,
    "a part": "{",
    "a proxy's page": "<html>a proxy's page</html>",
}
CALLS: dict[str, Callable[[GoogleApi], object]] = {
    "dataset": lambda api: api.dataset(),
    "datasets": lambda api: api.datasets(),
    "tables": lambda api: api.table_labels(),
    "routines": lambda api: api.routine_names(),
    "live system": lambda api: read_live_system(api, ["t"], ["r"]),
    "query": lambda api: api.query("t", "SELECT 1"),
    "dry run": lambda api: api.dry_run("t", "SELECT 1"),
    "scheduled queries": transfer_configs,
    "alert policies": alert_policies,
    "service account": service_account,
    "service accounts": lambda api: api.service_accounts(),
    "services": lambda api: api.enabled_services(),
    "permissions": lambda api: api.granted_permissions(["a.b.c"]),
    "quota": lambda api: api.query_quota_mebibytes(),
    "policy": lambda api: api.project_policy(),
    "stored object": lambda api: api.stored_json("b", "o"),
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
@pytest.mark.parametrize("call", CALLS)
def test_an_answer_of_another_form_is_an_error_in_words(call: str, answer: str) -> None:
    with faulty("", "/", answer) as endpoint:
        api = GoogleApi(load_environment("local").model_copy(update={"endpoint": endpoint}))
        with pytest.raises(LiveSystemError) as caught:
            CALLS[call](api)
    assert type(caught.value) is UnreadableAnswerError
    assert 0 < len(str(caught.value)) < 500


@pytest.mark.parametrize("call", ["scheduled queries", "alert policies", "service accounts", "services"])
def test_pages_that_lead_to_each_other_are_no_endless_list(call: str) -> None:
    with faulty("", "/", '{"nextPageToken": "again"}') as endpoint:
        api = GoogleApi(load_environment("local").model_copy(update={"endpoint": endpoint}))
        with time_limit(PATIENCE), pytest.raises(UnreadableAnswerError, match="a page is followed by an earlier one"):
            CALLS[call](api)
