"""A creator page with known caption values, for the bandit benchmark: what may be chosen, and with what outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Price and daily request by tier; a page of medium size. Bumps are free, so they have no value to learn.
PRICES = {"budget": 6.0, "mid": 14.0, "premium": 32.0}
WANTED = {"budget": 3, "mid": 3, "premium": 2}
CATEGORIES = ("archive", "bundle", "live event", "new collection", "preview", "Q and A", "studio", "tutorial")
VIEWED = 800
SENT = 2_000
PAGE_SHARE = 0.8
COOLDOWN_DAYS = 7
WEEKLY_URGENT = 5
WEEKLY_OF_A_CATEGORY = 20


@dataclass(frozen=True)
class SimulatedCaption:
    """A caption and the share of viewers who buy, by day: it changes once, or never."""

    caption_id: int
    tier: str
    category: str
    urgent: bool
    arrives_on: int
    conversion: float
    changed_conversion: float
    changes_on: int
    avg_revenue: float

    def conversion_on(self, day: int) -> float:
        """The share of viewers who buy on a day."""
        return self.changed_conversion if day >= self.changes_on else self.conversion

    def value_on(self, day: int) -> float:
        """Expected EMV of a message on a day, in US dollars: E[purchased / viewed x earnings], purchased binomial."""
        conversion = self.conversion_on(day)
        square = conversion**2 + conversion * (1 - conversion) / VIEWED
        return square * VIEWED * PRICES[self.tier] * PAGE_SHARE


@dataclass
class History:
    """The messages of a policy: the days and the EMVs of each caption."""

    days: dict[int, list[int]] = field(default_factory=dict)
    emvs: dict[int, list[float]] = field(default_factory=dict)


def simulated_captions(random: np.random.Generator, days: int) -> list[SimulatedCaption]:
    """240 captions, of which the last 30 arrive over time and two change their value half-way.

    Conversion rates are log-normal around 5 %: few captions are far better than most. The bank's avg_revenue is a guess
    that knows little: the value times log-normal noise.
    """
    count, late = 240, 30
    conversions = np.minimum(0.5, random.lognormal(np.log(0.05), 0.6, count))
    tiers = random.choice(list(PRICES), count, p=[0.4, 0.35, 0.25])
    worst, best = int(np.argmin(conversions[: count - late])), int(np.argmax(conversions[: count - late]))
    swapped = {worst: conversions[best], best: conversions[worst]}
    captions = []
    for index in range(count):
        arrives = max(0, index - (count - late)) * days // late if index >= count - late else 0
        caption = SimulatedCaption(
            caption_id=index + 1,
            tier=str(tiers[index]),
            category=CATEGORIES[index % len(CATEGORIES)],
            urgent=bool(random.random() < 0.2),  # noqa: PLR2004 - one of five
            arrives_on=arrives,
            conversion=float(conversions[index]),
            changed_conversion=float(swapped.get(index, conversions[index])),
            changes_on=days // 2,
            avg_revenue=0.0,
        )
        guess = caption.value_on(0) * random.lognormal(0.0, 1.0)
        captions.append(SimulatedCaption(**{**caption.__dict__, "avg_revenue": round(float(guess), 2)}))
    return captions


def outcome(random: np.random.Generator, caption: SimulatedCaption, day: int) -> tuple[int, float, float]:
    """Purchases, earnings and EMV of one message."""
    purchased = int(random.binomial(VIEWED, caption.conversion_on(day)))
    earnings = purchased * PRICES[caption.tier] * PAGE_SHARE
    return purchased, earnings, purchased / VIEWED * earnings


def choose(
    captions: Iterable[SimulatedCaption], history: History, day: int, score: Callable[[SimulatedCaption], float]
) -> list[SimulatedCaption]:
    """The best of each tier by a score, under the constraints that the procedures have."""
    by_id = {caption.caption_id: caption for caption in captions}
    this_week = [by_id[number] for number, days in history.days.items() for sent in days if day - sent < COOLDOWN_DAYS]
    urgent = WEEKLY_URGENT - sum(caption.urgent for caption in this_week)
    places = {name: WEEKLY_OF_A_CATEGORY - sum(c.category == name for c in this_week) for name in CATEGORIES}
    missing = dict(WANTED)
    resting = {caption.caption_id for caption in this_week}
    free = [c for c in by_id.values() if c.arrives_on <= day and c.caption_id not in resting]
    chosen = []
    for caption in sorted(free, key=score, reverse=True):
        if missing[caption.tier] and places[caption.category] > 0 and (urgent > 0 or not caption.urgent):
            chosen.append(caption)
            missing[caption.tier] -= 1
            places[caption.category] -= 1
            urgent -= caption.urgent
    return chosen


def uniform(_history: History, _day: int, random: np.random.Generator) -> Callable[[SimulatedCaption], float]:
    """Any caption is as good as another."""
    return lambda _caption: float(random.random())


def best_average(history: History, _day: int, random: np.random.Generator) -> Callable[[SimulatedCaption], float]:
    """The mean EMV so far, the bank's guess before the first message; ties by chance."""

    def score(caption: SimulatedCaption) -> float:
        emvs = history.emvs.get(caption.caption_id)
        return (float(np.mean(emvs)) if emvs else caption.avg_revenue) + 1e-9 * float(random.random())

    return score


def oracle(_history: History, day: int, _random: np.random.Generator) -> Callable[[SimulatedCaption], float]:
    """The true value."""
    return lambda caption: caption.value_on(day)
