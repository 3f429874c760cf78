"""A deployed system passes; each deliberate defect is caught and named; harmless differences are passed over.

A third of verification/mutations.py is tried here, another one every day; `make mutations` tries all of them.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.mutations.defects import DEFECTS, HARMLESS, Mutation, caught
from verification.report import table_text
from verification.results import Status
from verification.running import verify
from verification.suites import SUITES

if TYPE_CHECKING:
    from tests.harness.deployed import Deployed
    from verification.results import Report

SECONDS = 10


def of_today(mutations: tuple[Mutation, ...]) -> list[Mutation]:
    """A third of them, by the day's seed."""
    drawn = random.Random(datetime.now(UTC).date().isoformat())  # noqa: S311 - no secret
    return drawn.sample(mutations, -(-len(mutations) // 3))


@pytest.fixture(scope="module")
def untouched(deployed: Deployed) -> Report:
    """The whole verification of a system that nobody has changed."""
    return verify(deployed.environment)


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_passes_on_a_deployed_system(untouched: Report, suite: str) -> None:
    results = [result for result in untouched.results if result.suite == suite]
    assert results
    assert [result for result in results if result.status is not Status.PASS] == []


def test_the_whole_verification_is_quick_and_holds_the_numbered_tests(untouched: Report) -> None:
    numbered = {result.id for result in untouched.results if result.id[0] in "12345678"}
    assert len(numbered) == 21, "4 + 4 + 4 + 1 + 4 + 2 + 1 + 1"
    assert untouched.duration < SECONDS


def test_it_says_what_it_read_and_what_that_cost(untouched: Report) -> None:
    assert untouched.usage.queries > 20
    assert untouched.usage.bytes_read > 0
    assert untouched.usage.dollars > 0
    assert str(untouched.usage) in table_text(untouched)


def test_every_declared_object_is_looked_at(deployed: Deployed, untouched: Report) -> None:
    """No object that the repository declares is left out of the report."""
    seen = {result.object for result in untouched.results}
    created = {item.name for item in deployed.catalog} - set(deployed.catalog.monitoring)
    assert created - seen == set()


def test_there_are_enough_mutations_and_each_has_a_name_of_its_own() -> None:
    titles = [mutation.title for mutation in (*DEFECTS, *HARMLESS)]
    assert len(DEFECTS) >= 60
    assert len(HARMLESS) >= 20
    assert len({(mutation.title, mutation.named) for mutation in (*DEFECTS, *HARMLESS)}) == len(titles)


@pytest.mark.parametrize("mutation", of_today(DEFECTS), ids=lambda mutation: f"{mutation.title}: {mutation.named}")
def test_a_defect_is_caught_and_named_with_what_to_do(deployed: Deployed, mutation: Mutation) -> None:
    found = caught(deployed, mutation)
    assert found
    for result in found:
        assert result.expected != result.found
        assert result.action


@pytest.mark.parametrize("mutation", of_today(HARMLESS), ids=lambda mutation: mutation.title)
def test_a_harmless_difference_is_passed_over(deployed: Deployed, mutation: Mutation) -> None:
    assert caught(deployed, mutation) == []


def test_what_was_changed_was_put_back(deployed: Deployed) -> None:
    """The last one here: every mutation before it has left the system as it found it."""
    assert [r for r in verify(deployed.environment).results if r.status is not Status.PASS] == []
