"""Fills the embedded environment, and previews, with the nine external objects and sample data.

The same seed and day give the same data. They have weekday and hour patterns in Los Angeles time, a
creator whose captions are nearly all locked, a new creator, and locks of every kind for the sweep.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import GoogleAPICallError
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from catalog import load_catalog, retarget
from catalog.zone import LOS_ANGELES
from declared.sizes import DAY_MILLISECONDS
from local import LocalError

if TYPE_CHECKING:
    from declared.environment import Environment

#: An embedded environment answers immediately or not at all.
NO_RETRY = Retry(predicate=lambda _error: False)
#: Loaded last: an empty table means that loading did not finish.
LAST_TABLE = "mass_messages"

TIERS = ("budget", "mid", "premium", "bump")
TIER_PRICES = {"budget": 6.0, "mid": 14.0, "premium": 32.0, "bump": 0.0}
CATEGORIES = (
    "behind the scenes",
    "new collection",
    "tutorial",
    "live event",
    "bundle",
    "Q and A",
    "archive",
    "preview",
)
OPENINGS: tuple[str, ...] = (
    "Last chance",
    "New today",
    "Just for you",
    "Early access",
    "Back in stock",
    "Only this week",
    "Fresh drop",
)
OPENINGS += ("Weekend special", "Thank you", "Good morning", "Late night deal", "Member bonus", "Editor's pick")
OFFERS = (*tuple(f"{percent} % off" for percent in range(5, 75, 5)), "two for one", "free shipping", "a free preview")
SUBJECTS: tuple[str, ...] = (
    "the spring bundle",
    "our photo course",
    "the studio tour",
    "every poster",
    "the summer calendar",
)
SUBJECTS += ("the recipe book", "all tutorials", "the archive", "live tickets", "the winter collection", "gift cards")
CLOSINGS = (
    "tonight",
    "until Sunday",
    "while it lasts",
    "for subscribers",
    "this weekend",
    "from noon",
    "until midnight",
)
URGENT = {"tonight", "until midnight", "while it lasts"}

#: Purchases by weekday (Monday first) and by hour in Los Angeles, relative to the average.
WEEKDAY_DEMAND = np.array([0.85, 0.9, 0.95, 1.0, 1.15, 1.2, 1.1])
_MORNING = (0.9, 0.6, 0.4, 0.3, 0.3, 0.4, 0.6, 0.8, 0.9, 1.0, 1.0, 1.05)
_EVENING = (1.1, 1.05, 1.0, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.6, 1.5, 1.2)
HOUR_DEMAND = np.array([*_MORNING, *_EVENING])


@dataclass(frozen=True)
class Size:
    """How much data to generate."""

    creators: int = 100
    days: int = 90
    messages: int = 100_000
    captions: int = 5_000


#: Enough work for every procedure, and loaded in seconds.
OF_A_PREVIEW = Size(creators=20, messages=10_000, captions=1_000)


def seed(environment: Environment, size: Size | None = None, number: int = 1, today: date | None = None) -> str:
    """Create the dataset, the external objects and their data, unless they exist and hold data.

    Args:
        environment: an embedded environment or a preview; no other is ever written to.
        size: how much data; by default the size for an environment, or for a preview.
        number: the seed of the random generator.
        today: the day after the newest data; by default today in Los Angeles.

    Returns:
        One line that says what was done.

    Raises:
        LocalError: the environment holds real data, or does not take this.
    """
    if not environment.filled_here:
        raise LocalError(f"environment {environment.name!r} is neither embedded nor a preview: it gets no sample data")
    size = size or (OF_A_PREVIEW if environment.preview else Size())
    try:
        return _seed(_client(environment), environment, size, number, today or datetime.now(LOS_ANGELES).date())
    except GoogleAPICallError as error:
        raise LocalError(f"{environment.name} refused the sample data: {error.message}") from None
    except GoogleAuthError as error:
        raise LocalError(f"no Google credentials: {error}") from None
    except OSError as error:
        todo = "start it with `make up`" if environment.endpoint else "look at the network, then run this again"
        raise LocalError(f"{environment.endpoint or 'Google'} does not answer ({error}): {todo}") from None


def _client(environment: Environment) -> bigquery.Client:
    if environment.endpoint is None:
        return bigquery.Client(project=environment.project, location=environment.location)
    return bigquery.Client(
        project=environment.project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": environment.endpoint},
    )


def _seed(client: bigquery.Client, environment: Environment, size: Size, number: int, today: date) -> str:
    dataset = bigquery.Dataset(f"{environment.project}.{environment.dataset}")
    dataset.location = environment.location
    if days := environment.tables_expire_after_days:  # set first: it applies to tables that are created later
        dataset.labels = environment.dataset_labels
        dataset.default_table_expiration_ms = days * DAY_MILLISECONDS
    client.create_dataset(dataset, exists_ok=True, retry=NO_RETRY)
    catalog = retarget(load_catalog(), environment.project, environment.dataset, environment.location)
    views_last = sorted(catalog.dependencies.values(), key=lambda item: bool(item.reads))
    existing = {table.table_id for table in client.list_tables(dataset, retry=NO_RETRY)}
    for item in views_last:
        if item.name not in existing:
            client.query_and_wait(item.ddl, retry=NO_RETRY)
    (row,) = client.query_and_wait(f"SELECT COUNT(*) FROM `{dataset.reference}.{LAST_TABLE}`", retry=NO_RETRY)  # noqa: S608
    if row[0]:
        return f"{len(catalog.dependencies)} external objects exist, {row[0]:,} messages: left unchanged"
    tables = generate(size, number, today)
    for name, table in sorted(tables.items(), key=lambda item: item[0] == LAST_TABLE):
        _load(client, f"{dataset.reference}.{name}", table)
    return (
        f"{len(catalog.dependencies)} external objects, {size.creators} creators, {size.messages:,} messages, "
        f"{size.captions:,} captions, {tables['active_caption_assignments'].num_rows:,} locks"
    )


def _load(client: bigquery.Client, name: str, table: pa.Table) -> None:
    """Replace a table's rows by one load job."""
    file = io.BytesIO()
    pq.write_table(table, file)
    file.seek(0)
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET, write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE
    )
    client.load_table_from_file(file, name, job_config=config, num_retries=0).result(retry=NO_RETRY)


def generate(size: Size, number: int, today: date) -> dict[str, pa.Table]:
    """The rows of the six tables, by table name."""
    random = np.random.default_rng(number)
    pages = [f"creator_{index:03}" for index in range(1, size.creators + 1)]
    captions = _captions(random, size, pages)
    messages = _messages(random, size, pages, captions, today)
    last_used = _last_used(messages)
    bank = {key: captions[key] for key in captions if key != "page_index"}
    bank["last_used"] = [last_used.get(identity) for identity in captions["caption_id"]]
    older = slice(0, size.captions // 10)
    return {
        "caption_bank": _table(bank, {"last_used": _TIMESTAMP, "page_name": pa.string()}),
        "captions": _table(
            {
                "caption_id": [*captions["caption_id"][older], size.captions + 1],
                **{
                    key: [*captions[key][older], captions[key][0]]
                    for key in ("caption_text", "price_tier", "content_category", "has_urgency")
                },
            }
        ),
        "mass_messages": messages,
        "schedule_recommendations": _slots(random, size, pages, captions, today),
        "active_caption_assignments": _locks(random, pages, captions, today),
        "creator_content_inventory": _table(
            {
                "page_name": pages,
                "inventory_date": [today] * len(pages),
                "available_categories": [sorted(random.choice(CATEGORIES, 5, replace=False)) for _ in pages],
                "total_content_pieces": random.integers(50, 900, len(pages)),
            }
        ),
    }


_TIMESTAMP = pa.timestamp("us", tz="UTC")


def _table(columns: dict[str, Any], types: dict[str, pa.DataType] | None = None) -> pa.Table:
    return pa.table({name: pa.array(values, (types or {}).get(name)) for name, values in columns.items()})


def caption_key(text: str) -> str:
    """The key of an ASCII text, as caption_key_v2 computes it."""
    kept = re.sub(r"[^a-z0-9_\s]", "", text.strip().lower())
    return hashlib.sha256(re.sub(r"\s+", " ", kept).encode()).hexdigest()


def _captions(random: np.random.Generator, size: Size, pages: list[str]) -> dict[str, Any]:
    """The bank: different texts, six of ten for every page, the rest for one page each."""
    combinations = len(OPENINGS) * len(OFFERS) * len(SUBJECTS) * len(CLOSINGS)
    chosen = random.choice(combinations, size.captions, replace=size.captions > combinations)
    texts, urgent = [], []
    for choice in chosen:
        rest, closing = divmod(int(choice), len(CLOSINGS))
        rest, subject = divmod(rest, len(SUBJECTS))
        opening, offer = divmod(rest, len(OFFERS))
        texts.append(f"{OPENINGS[opening]}: {OFFERS[offer]} on {SUBJECTS[subject]} {CLOSINGS[closing]}")
        urgent.append(CLOSINGS[closing] in URGENT)
    tiers = random.choice(TIERS, size.captions, p=[0.35, 0.3, 0.2, 0.15])
    page_index = np.where(random.random(size.captions) < 0.6, -1, random.integers(0, len(pages), size.captions))  # noqa: PLR2004
    return {
        "caption_id": list(range(1, size.captions + 1)),
        "caption_text": texts,
        "caption_key": [caption_key(text) for text in texts],
        "content_category": list(random.choice(CATEGORIES, size.captions)),
        "price_tier": list(tiers),
        "has_urgency": urgent,
        "overall_performance_score": np.round(random.beta(2, 5, size.captions), 4),
        "avg_revenue": np.round(random.gamma(2.0, 15.0, size.captions), 2),
        "usage_status": list(np.where(random.random(size.captions) < 0.95, "available", "retired")),  # noqa: PLR2004
        "page_name": [None if index < 0 else pages[index] for index in page_index],
        "page_index": page_index,
    }


def _messages(
    random: np.random.Generator, size: Size, pages: list[str], captions: dict[str, Any], today: date
) -> pa.Table:
    """Messages up to yesterday; the last page is new and has sent a few in its first three days."""
    count, newest = size.messages, len(pages) - 1
    popularity = random.lognormal(0.0, 0.5, len(pages))
    popularity[newest] = 0.0
    page = random.choice(len(pages), count, p=popularity / popularity.sum())
    days_ago = random.integers(1, size.days + 1, count)
    page[:15], days_ago[:15] = newest, random.integers(1, min(3, size.days) + 1, 15)
    hours = random.choice(24, count, p=HOUR_DEMAND / HOUR_DEMAND.sum())
    minutes = random.integers(0, 60, count)
    sent_at = _instants(today, days_ago, hours, minutes)
    choice = random.integers(0, size.captions, count)
    tiers = np.array(captions["price_tier"])[choice]
    prices = np.array([TIER_PRICES[tier] for tier in tiers])
    audience = np.maximum(20, random.lognormal(6.0, 0.8, len(pages)))
    sent = np.maximum(1, random.poisson(audience[page]))
    viewed = random.binomial(sent, random.beta(4, 6, count))
    weekday = np.array([(today - timedelta(days=int(days))).weekday() for days in range(size.days + 1)])[days_ago]
    appeal = np.array(captions["overall_performance_score"])[choice]
    bought = random.binomial(viewed, np.clip(0.25 * appeal * WEEKDAY_DEMAND[weekday] * HOUR_DEMAND[hours], 0.0, 0.9))
    paid = np.where(prices > 0, bought, 0)
    nameless = random.random(count) < 0.1  # noqa: PLR2004 - one message of ten has no caption id
    texts = np.array(captions["caption_text"], dtype=object)[choice]
    return pa.table(
        {
            "row_id": pa.array(np.arange(1, count + 1)),
            "page_name": pa.array(np.array(pages, dtype=object)[page]),
            "message": pa.array(texts),
            "sending_time": pa.array(sent_at, _TIMESTAMP),
            "price": pa.array(prices),
            "sent_count": pa.array(sent),
            "viewed_count": pa.array(viewed),
            "purchased_count": pa.array(paid.astype(float)),
            "earnings": pa.array(np.round(paid * prices * 0.8, 2)),
            "message_type": pa.array(np.where(prices > 0, "ppv", "bump")),
            "caption_id": pa.array(choice + 1, pa.int64(), mask=nameless),
        }
    )


def _instants(today: date, days_ago: Any, hours: Any, minutes: Any) -> Any:
    """Instants of Los Angeles clock times, as microseconds; each hour's offset is looked up once."""
    hour_starts = {
        (days, hour): datetime.combine(today - timedelta(days=days), time(hour), LOS_ANGELES)
        .astimezone(UTC)
        .timestamp()
        for days in {int(value) for value in np.unique(days_ago)}
        for hour in range(24)
    }
    seconds = np.array([hour_starts[int(days), int(hour)] for days, hour in zip(days_ago, hours, strict=True)])
    return ((seconds + 60 * minutes) * 1_000_000).astype("int64")


def _last_used(messages: pa.Table) -> dict[int, int]:
    """The newest sending time of each caption."""
    newest = messages.group_by("caption_id").aggregate([("sending_time", "max")])
    times = newest.column("sending_time_max").cast(pa.int64()).to_pylist()
    return dict(zip(newest.column("caption_id").to_pylist(), times, strict=True))


def _slots(
    random: np.random.Generator, size: Size, pages: list[str], captions: dict[str, Any], today: date
) -> pa.Table:
    """Four slots per day and page for the coming week; one of five is inactive."""
    rows = [(page, day, rank) for page in range(len(pages)) for day in range(7) for rank in range(1, 5)]
    day = np.array([row[1] for row in rows])
    choice = random.integers(0, size.captions, len(rows))
    at = _instants(today, -day, np.array([9 + 3 * row[2] for row in rows]), random.integers(0, 60, len(rows)))
    created = datetime.combine(today, time(3, 5), LOS_ANGELES).astimezone(UTC)
    return pa.table(
        {
            "schedule_id": pa.array([f"{pages[row[0]]}_{today:%Y%m%d}" for row in rows]),
            "page_name": pa.array([pages[row[0]] for row in rows]),
            "day_of_week": pa.array([(today + timedelta(days=row[1])).strftime("%A") for row in rows]),
            "scheduled_send_time": pa.array(at, _TIMESTAMP),
            "message_type": pa.array(np.where(np.array(captions["price_tier"])[choice] == "bump", "bump", "ppv")),
            "caption_id": pa.array(choice + 1),
            "created_at": pa.array([created] * len(rows), _TIMESTAMP),
            "is_active": pa.array(random.random(len(rows)) < 0.8),  # noqa: PLR2004
            "time_slot_rank": pa.array([row[2] for row in rows]),
        }
    )


def _locks(random: np.random.Generator, pages: list[str], captions: dict[str, Any], today: date) -> pa.Table:
    """Locks of every kind on many pages; of the first page's captions nine of ten are locked for days to come."""
    usable = [i for i, index in enumerate(captions["page_index"]) if index in {-1, 0}]
    rows: list[tuple[int, int, int | None, int]] = [  # page, caption, days until the send date, days since assigned
        (0, caption, int(random.integers(0, 14)), 2)
        for caption in usable
        if random.random() < 0.9  # noqa: PLR2004
    ]
    kinds: tuple[tuple[int, int | None, int], ...] = (
        (120, -20, 30),  # stale
        (180, -3, 10),  # past date
        (40, None, 12),  # stale without a date
        (30, None, 3),  # without a date, too young to be stale
        (400, 5, 1),  # in force
    )
    in_force: set[tuple[int, int]] = set()
    for count, days, age in kinds:
        for _ in range(count):
            row = (int(random.integers(1, len(pages))), int(random.integers(0, len(usable))), days, age)
            if days is not None and days < 0:
                rows.append(row)
            elif row[:2] not in in_force:  # a caption is locked once for a page
                in_force.add(row[:2])
                rows.append(row)
    assigned = [datetime.combine(today - timedelta(days=row[3]), time(12), LOS_ANGELES).astimezone(UTC) for row in rows]
    return pa.table(
        {
            "page_name": pa.array([pages[row[0]] for row in rows]),
            "caption_id": pa.array([captions["caption_id"][row[1]] for row in rows]),
            "caption_text": pa.array([captions["caption_text"][row[1]] for row in rows]),
            "assigned_date": pa.array([today - timedelta(days=row[3]) for row in rows]),
            "scheduled_send_date": pa.array(
                [None if row[2] is None else today + timedelta(days=row[2]) for row in rows], pa.date32()
            ),
            "scheduled_send_hour": pa.array(random.integers(8, 23, len(rows))),
            "price_tier": pa.array([captions["price_tier"][row[1]] for row in rows]),
            "is_active": pa.array([True] * len(rows)),
            "assigned_at": pa.array(assigned, _TIMESTAMP),
            "assignment_key": pa.array([f"{pages[row[0]]}:{row[1] + 1}:{number}" for number, row in enumerate(rows)]),
            "schedule_id": pa.array([f"{pages[row[0]]}_{today:%Y%m%d}" for row in rows]),
        }
    )
