"""The rules of us_holidays against the `holidays` package, and what seed_holiday_calendar leaves of a calendar."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import TYPE_CHECKING

import holidays
import pytest
from dateutil.easter import easter  # type: ignore[import-untyped]
from google.api_core.exceptions import BadRequest

if TYPE_CHECKING:
    from tests.sql.conftest import Sandbox

YEARS = range(2020, 2036)
#: The package's names where ours are shorter.
OUR_NAMES = {
    "Martin Luther King Jr. Day": "Martin Luther King Jr. Day",
    "Washington's Birthday": "Presidents' Day",
    "Juneteenth National Independence Day": "Juneteenth",
    "Thanksgiving Day": "Thanksgiving Day",
}
FEDERAL_NAMES = {
    "New Year's Day",
    "Martin Luther King Jr. Day",
    "Presidents' Day",
    "Memorial Day",
    "Juneteenth",
    "Independence Day",
    "Labor Day",
    "Columbus Day",
    "Veterans Day",
    "Thanksgiving Day",
    "Christmas Day",
}
Day = tuple[dt.date, str]


@pytest.fixture(scope="module")
def computed(session_server: Sandbox) -> dict[int, list[tuple[dt.date, str, str, bool, float]]]:
    """The rows of us_holidays for each year, from one query."""
    rows = session_server.query(
        " UNION ALL ".join(
            f"SELECT {year}, holiday_date, holiday_name, holiday_type, is_major_holiday, saturation_impact_factor "
            f"FROM `{{d}}.us_holidays`({year})"
            for year in YEARS
        )
    )
    return {year: [row[1:] for row in rows if row[0] == year] for year in YEARS}


def reference(year: int) -> set[Day]:
    """The federal holidays of a calendar year and their observed days, as the package knows them."""
    found = set()
    for date, names in holidays.country_holidays("US", years=[year, year + 1], observed=True).items():
        for name in names.split("; "):
            plain = name.removesuffix(" (observed)")
            ours = OUR_NAMES.get(plain, plain)
            if date.year == year and ours in FEDERAL_NAMES:
                found.add((date, ours + name[len(plain) :]))
    return found


@pytest.mark.parametrize("year", YEARS)
def test_federal_holidays_and_their_observed_days(
    computed: dict[int, list[tuple[dt.date, str, str, bool, float]]], year: int
) -> None:
    federal = {(date, name) for date, name, kind, _, _ in computed[year] if kind == "FEDERAL"}
    assert federal == reference(year)


@pytest.mark.parametrize("year", YEARS)
def test_every_year(computed: dict[int, list[tuple[dt.date, str, str, bool, float]]], year: int) -> None:
    rows = computed[year]
    names = Counter((date, name) for date, name, *_ in rows)
    own_days = [name for _, name, *_ in rows if not name.endswith("(observed)")]
    assert len(own_days) >= 20
    assert max(names.values()) == 1
    assert len(set(own_days)) == len(own_days)
    assert {kind for _, _, kind, _, _ in rows} == {"FEDERAL", "CULTURAL", "COMMERCIAL"}
    assert all(date.year == year for date, *_ in rows)
    assert all(0 <= factor <= 1 for *_, factor in rows)
    assert {
        "Valentine's Day",
        "Super Bowl Sunday",
        "St. Patrick's Day",
        "Easter Sunday",
        "Mother's Day",
        "Father's Day",
        "Halloween",
        "Black Friday",
        "Cyber Monday",
        "Christmas Eve",
        "New Year's Eve",
    } <= set(own_days)


def test_known_days(computed: dict[int, list[tuple[dt.date, str, str, bool, float]]]) -> None:
    """Days that were looked up, for the rules that the package does not have."""
    days = {(date.isoformat(), name) for rows in computed.values() for date, name, *_ in rows}
    assert {
        ("2021-02-07", "Super Bowl Sunday"),
        ("2022-02-13", "Super Bowl Sunday"),
        ("2025-02-09", "Super Bowl Sunday"),
        ("2026-05-10", "Mother's Day"),
        ("2026-06-21", "Father's Day"),
        ("2026-11-27", "Black Friday"),
        ("2026-11-30", "Cyber Monday"),
        ("2025-04-20", "Easter Sunday"),
        ("2026-04-05", "Easter Sunday"),
        ("2035-03-25", "Easter Sunday"),
    } <= days


def test_easter_of_two_centuries(session_server: Sandbox) -> None:
    """The rule against Gauss's algorithm as dateutil has it; every tenth year, and those of the exceptions."""
    years = [*range(1905, 2100, 10), 1954, 1981, 2049, 2076]
    query = " UNION ALL ".join(
        f"SELECT holiday_date FROM `{{d}}.us_holidays`({year}) WHERE holiday_name = 'Easter Sunday'" for year in years
    )
    assert {date for (date,) in session_server.query(query)} == {easter(year) for year in years}


def calendar(embedded: Sandbox) -> list[tuple[object, ...]]:
    return embedded.query("SELECT * FROM `{d}.holiday_calendar` ORDER BY holiday_date, holiday_name")


def test_seed_again_changes_nothing(embedded: Sandbox) -> None:
    embedded.call("seed_holiday_calendar", "2025, 2028")
    once = calendar(embedded)
    assert {row[0].year for row in once} == {2025, 2026, 2027, 2028}  # type: ignore[attr-defined]
    embedded.call("seed_holiday_calendar", "2025, 2028")
    assert calendar(embedded) == once


def test_ranges_that_overlap_give_each_row_once(embedded: Sandbox) -> None:
    """New Year's Day 2028 is observed on 31 December 2027, in whichever range that is."""
    embedded.call("seed_holiday_calendar", "2027, 2027")
    assert ("2027-12-31", "New Year's Day (observed)") in {(str(row[0]), row[1]) for row in calendar(embedded)}
    embedded.call("seed_holiday_calendar", "2026, 2028")
    in_parts = calendar(embedded)
    assert len({row[:2] for row in in_parts}) == len(in_parts)
    embedded.reset()
    embedded.call("seed_holiday_calendar", "2026, 2028")
    assert calendar(embedded) == in_parts


def test_edited_factor_and_added_day_survive(embedded: Sandbox) -> None:
    embedded.call("seed_holiday_calendar", "2026, 2026")
    embedded.query(
        """UPDATE `{d}.holiday_calendar` SET saturation_impact_factor = 0.123 WHERE holiday_name = 'Halloween';
        INSERT INTO `{d}.holiday_calendar` VALUES (DATE '2026-10-31', 'Local fair', 'CULTURAL', FALSE, 0.5)"""
    )
    edited = calendar(embedded)
    embedded.call("seed_holiday_calendar", "2025, 2027")
    assert [row for row in calendar(embedded) if row[0].year == 2026] == edited  # type: ignore[attr-defined]


def test_two_holidays_on_one_day_stay(embedded: Sandbox) -> None:
    embedded.call("seed_holiday_calendar", "2026, 2026")
    names = embedded.query("SELECT holiday_name FROM `{d}.holiday_calendar` WHERE holiday_date = '2026-11-11'")
    assert {name for (name,) in names} == {"Veterans Day", "Singles' Day"}


@pytest.mark.parametrize("years", ["2027, 2026", "NULL, 2026", "2026, NULL", "1969, 1970", "2999, 3000", "2000, 2100"])
def test_bad_range_is_a_clear_error(embedded: Sandbox, years: str) -> None:
    first, last = years.split(", ")
    with pytest.raises(BadRequest, match=re.escape(f"got {first} to {last}")):
        embedded.call("seed_holiday_calendar", years)
    assert calendar(embedded) == []
