"""run_daily_automation with creators that fail: each costs only itself, and five in a row stop the run."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest

from tests.sql.rows import NOW, Caption, Message, Restriction, add_captions, add_messages, restrict

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

DAILY = "run_daily_automation"
DAY = "DATE '2026-06-15'"
INVALID = "(never closed"
SEED = random.SystemRandom().randrange(10**6)
#: What makes a creator fail: a pattern that is not valid, figures whose variance overflows.
OVERFLOWING = {"price": Message(price=1e300), "earnings": Message(earnings=1e300)}
KINDS = ("pattern", *OVERFLOWING)
BREAKER = "Circuit breaker triggered: 5 consecutive failures"


def add(embedded: Sandbox, creators: dict[str, str]) -> None:
    """Creators, each with what makes it fail; '' for one that does not fail."""
    add_messages(
        embedded,
        *(Message(page=page) for page in creators),
        *(replace(OVERFLOWING[kind], page=page) for page, kind in creators.items() if kind in OVERFLOWING),
    )
    add_captions(embedded, Caption(1))
    invalid = (Restriction(page=page, hard=[INVALID]) for page, kind in creators.items() if kind == "pattern")
    restrict(embedded, Restriction(page="nobody", hard=["free"]), *invalid)


def run(embedded: Sandbox) -> tuple[str, int, int, str | None]:
    """Status, processed, failed and error of the one daily run, which may end with an error."""
    try:
        embedded.call(DAILY, DAY, now=NOW)
    except BadRequest as error:
        assert BREAKER in error.message  # noqa: PT017 - it need not be raised
    ((status, processed, failed, message),) = embedded.query(
        "SELECT job_status, creators_processed, creators_failed, error_message "
        f"FROM `{{d}}.etl_job_runs` WHERE job_name = '{DAILY}'"
    )
    return status, processed, failed, message


def pages(embedded: Sandbox, table: str) -> list[str]:
    return [page for (page,) in embedded.query(f"SELECT page_name FROM `{{d}}.{table}` ORDER BY 1")]


def written(embedded: Sandbox) -> list[str]:
    """The pages with a report, which are those with a queue entry."""
    found = pages(embedded, "creator_performance_reports")
    assert pages(embedded, "schedule_generation_queue") == found
    return found


def alerts(embedded: Sandbox) -> list[str]:
    return [level for (level,) in embedded.query("SELECT alert_level FROM `{d}.automation_alerts`")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_creator_that_fails_in_any_place_costs_only_itself(embedded: Sandbox, kind: str, place: int) -> None:
    creators = dict.fromkeys("abcde", "")
    creators["abcde"[place]] = kind
    add(embedded, creators)
    status, processed, failed, message = run(embedded)
    assert (status, processed, failed) == ("COMPLETED_WITH_ERRORS", 4, 1)
    assert (message or "").startswith(f"{'abcde'[place]}: ")
    assert written(embedded) == [page for page, fails in creators.items() if not fails]
    assert pages(embedded, "creator_processing_errors") == ["abcde"[place]]
    assert alerts(embedded) == ["WARNING"]


def test_failures_of_all_kinds_in_a_row_open_the_breaker(embedded: Sandbox) -> None:
    """Four in a row do not; the fifth does, and what follows is not written: neither well nor known to fail."""
    kinds = {"o": "pattern", "p": "price", "e": "earnings", "-": ""}
    add(embedded, {page: kinds[kind] for page, kind in zip("abcdefghijklm", "poeo-oppoo-op", strict=True)})
    assert run(embedded) == ("FAILED", 1, 9, BREAKER)
    assert written(embedded) == ["e"]
    assert pages(embedded, "creator_processing_errors") == list("abcdfghij")
    assert alerts(embedded) == ["CRITICAL"]


def test_patterns_that_open_the_breaker_let_what_comes_before_be_done(embedded: Sandbox) -> None:
    add(embedded, {page: "pattern" if page in "cdefg" else "" for page in "abcdefghi"})
    assert run(embedded) == ("FAILED", 2, 5, BREAKER)
    assert written(embedded) == ["a", "b"]


def test_creators_that_all_fail_open_the_breaker_soon(embedded: Sandbox) -> None:
    creators = [f"page {number:03}" for number in range(64)]
    add(embedded, dict.fromkeys(creators, "price"))
    assert run(embedded) == ("FAILED", 0, 5, BREAKER)
    assert pages(embedded, "creator_processing_errors") == creators[:5]
    assert written(embedded) == []


def expected(creators: dict[str, str]) -> tuple[list[str], list[str], bool]:
    """The pages that are written and those that fail, in the order of their names, and whether the breaker opens."""
    done, failed, in_a_row = [], [], 0
    for page in sorted(creators):
        if creators[page]:
            failed.append(page)
            in_a_row += 1
        else:
            done.append(page)
            in_a_row = 0
        if in_a_row == 5:
            return done, failed, True
    return done, failed, False


@pytest.mark.parametrize("number", [*range(3), *(pytest.param(n, marks=pytest.mark.long) for n in range(3, 30))])
def test_any_creators_may_fail(embedded: Sandbox, number: int) -> None:
    print(f"seed {SEED + number}")  # noqa: T201 - pytest shows it with a failure
    chance = random.Random(SEED + number)  # noqa: S311 - examples, not secrets
    share = chance.choice([0.1, 0.3, 0.6])
    names = chance.sample([f"{letter}{digit}" for letter in "aZé_" for digit in range(8)], chance.randint(1, 24))
    creators = {page: chance.choice(KINDS) if chance.random() < share else "" for page in names}
    add(embedded, creators)
    status, processed, failed, _ = run(embedded)
    done, failing, opened = expected(creators)
    assert written(embedded) == done
    assert pages(embedded, "creator_processing_errors") == failing
    assert (processed, failed) == (len(done), len(failing))
    assert status == ("FAILED" if opened else "COMPLETED_WITH_ERRORS" if failing else "SUCCESS")
