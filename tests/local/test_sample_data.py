"""The sample data has its documented content, and is the same for the same seed and day."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pytest
from google.cloud import bigquery

from catalog.zone import LOS_ANGELES
from declared.loading import load_environment
from local import LocalError
from local.sample_data import Size, caption_key, generate, seed
from tests.harness.checkout import free_port

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    """The data of one day, at its full size."""
    return generate(Size(), 1, TODAY)


def rows(table: pa.Table, **equal: Any) -> list[dict[str, Any]]:
    """The rows of a table that have these values."""
    for name, value in equal.items():
        table = table.filter(pc.equal(table[name], value))
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def test_it_has_the_documented_sizes(tables: dict[str, pa.Table]) -> None:
    messages = tables["mass_messages"]
    assert messages.num_rows == 100_000
    assert tables["caption_bank"].num_rows == 5_000
    assert len(pc.unique(messages["page_name"])) == 100
    days = {moment.astimezone(LOS_ANGELES).date() for moment in pc.unique(messages["sending_time"]).to_pylist()}
    assert (min(days), max(days)) == (TODAY - timedelta(days=90), TODAY - timedelta(days=1))


def test_the_same_seed_and_day_give_the_same_data() -> None:
    small = Size(creators=10, days=20, messages=500, captions=100)
    first, again, other = (generate(small, number, TODAY) for number in (1, 1, 2))
    assert all(first[name].equals(again[name]) for name in first)
    assert not first["mass_messages"].equals(other["mass_messages"])


def test_demand_has_a_weekday_and_an_hour_in_los_angeles(tables: dict[str, pa.Table]) -> None:
    bought: dict[tuple[str, int], list[float]] = {}
    for row in tables["mass_messages"].slice(0, 40_000).to_pylist():
        if row["price"]:
            moment = row["sending_time"].astimezone(LOS_ANGELES)
            rate = row["purchased_count"] / max(row["viewed_count"], 1)
            for key in (("weekday", moment.weekday()), ("hour", moment.hour)):
                bought.setdefault(key, []).append(rate)
    mean = {key: sum(rates) / len(rates) for key, rates in bought.items()}
    assert mean["weekday", 5] > 1.2 * mean["weekday", 0]
    assert mean["hour", 21] > 2 * mean["hour", 4]


def test_one_creator_is_saturated_and_one_is_new(tables: dict[str, pa.Table]) -> None:
    usable = {
        row["caption_id"] for row in tables["caption_bank"].to_pylist() if row["page_name"] in {None, "creator_001"}
    }
    locked = {
        row["caption_id"]
        for row in rows(tables["active_caption_assignments"], page_name="creator_001")
        if row["is_active"] and row["scheduled_send_date"] >= TODAY
    }
    assert len(locked & usable) / len(usable) > 0.8
    newest = rows(tables["mass_messages"], page_name="creator_100")
    assert 0 < len(newest) < 50
    assert min(row["sending_time"] for row in newest).astimezone(LOS_ANGELES).date() >= TODAY - timedelta(days=3)


def test_there_are_locks_of_every_kind_for_the_sweep(tables: dict[str, pa.Table]) -> None:
    kinds = {"stale": 0, "past": 0, "stale without a date": 0, "young without a date": 0, "in force": 0}
    for row in tables["active_caption_assignments"].to_pylist():
        sent, age = row["scheduled_send_date"], (TODAY - row["assigned_date"]).days
        if sent is None:
            kinds["stale without a date" if age >= 7 else "young without a date"] += 1
        else:
            past = (TODAY - sent).days
            kinds["stale" if past > 7 else "past" if past > 0 else "in force"] += 1
    assert all(kinds.values()), kinds


def test_captions_differ_and_carry_their_key(tables: dict[str, pa.Table]) -> None:
    bank = tables["caption_bank"]
    assert len(pc.unique(bank["caption_text"])) == 5_000
    assert len(pc.unique(bank["caption_key"])) > 4_900
    assert caption_key("Last chance: 20 % off tonight") == caption_key("LAST CHANCE 20  off tonight!")


@pytest.mark.parametrize("name", ["prod", "staging"])
def test_only_a_preview_is_ever_written_to_at_google(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bigquery, "Client", None)
    with pytest.raises(LocalError, match=f"'{name}' is neither embedded nor a preview"):
        seed(load_environment(name))


def test_a_preview_at_google_names_missing_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(LocalError, match=r"no Google credentials: .*none\.json"):
        seed(load_environment("preview-7"))


def test_a_server_that_is_gone_is_told_at_once() -> None:
    """Google's client would ask it again for ten minutes."""
    gone = load_environment("local").model_copy(update={"endpoint": f"http://127.0.0.1:{free_port()}"})
    started = time.monotonic()
    with pytest.raises(LocalError, match="does not answer"):
        seed(gone, Size())
    assert time.monotonic() - started < 30
