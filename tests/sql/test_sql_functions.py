"""The scalar functions against references that share nothing with them: Python's unicodedata, decimal arithmetic."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sql.conftest import Sandbox

IGNORED = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x180B, 0x180C, 0x180D, 0x180F, 0x20E3}
IGNORED |= {0x200C, 0x200D, 0x2060, 0xFEFF, 0x034F}
WHITE = {*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
SPACE = "".join(map(chr, WHITE))


def is_letter(character: str) -> bool:
    return unicodedata.category(character).startswith("L")


def is_digit(character: str) -> bool:
    return unicodedata.category(character) == "Nd"


def legacy(text: str) -> str:
    """The formula that the stored keys were made by."""
    return ascii_only(text.strip(SPACE).lower())


def ascii_only(lowered: str) -> str:
    kept = [c if c not in SPACE else " " for c in lowered if (c.isascii() and c.isalnum()) or c == "_" or c in SPACE]
    return single_blanks("".join(kept))


def single_blanks(text: str) -> str:
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def normalised(text: str) -> str:
    """What the key is the hash of."""
    trimmed = text.strip(SPACE)
    composed = unicodedata.normalize("NFC", "".join(c for c in trimmed if ord(c) not in IGNORED))
    counting = [c for c in composed if is_letter(c) or is_digit(c)]
    if not counting:
        return trimmed
    if all(c.isascii() for c in counting):
        return ascii_only(composed.lower())
    kept = []
    after_letter = False
    for character in composed.lower():
        mark = unicodedata.category(character).startswith("M")
        after_letter = is_letter(character) or (mark and after_letter)
        if after_letter or is_digit(character) or character == "_":
            kept.append(character)
        elif character in SPACE:
            kept.append(" ")
    return single_blanks("".join(kept))


def keys(embedded: Sandbox, texts: list[str]) -> list[str]:
    """The keys of many texts by one query."""
    literals = ", ".join("'" + "".join(f"\\U{ord(character):08x}" for character in text) + "'" for text in texts)
    rows = embedded.query(
        f"SELECT `{{d}}.caption_key_v2`(text) FROM UNNEST([{literals}]) AS text WITH OFFSET AS place ORDER BY place"
    )
    return [key for (key,) in rows]


ASCII_TEXT = st.text(st.characters(min_codepoint=1, max_codepoint=0x7E), max_size=40)
EMOJI_AND_SIGNS = st.sampled_from("😘🔥💋❤️️‍⃣\u2019\u201c\u201d\u2026\u2013™½²€\u00a0\u2003 _-!")
LETTERS_AND_MARKS = st.sampled_from("aZ9éЖжßñçकिी्षमुमُّد१한글ᄒ今ひ֑́̈̂ά")
MIXED_TEXT = st.text(st.one_of(EMOJI_AND_SIGNS, LETTERS_AND_MARKS, st.characters(max_codepoint=0x7E, min_codepoint=32)))


def compare(embedded: Sandbox, texts: list[str], reference: Callable[[str], str]) -> None:
    expected = [hashlib.sha256(reference(text).encode()).hexdigest() for text in texts]
    for text, key, wanted in zip(texts, keys(embedded, texts), expected, strict=True):
        assert key == wanted, (text, reference(text))


FEW_QUERIES = settings(max_examples=12)


@FEW_QUERIES
@given(texts=st.lists(ASCII_TEXT.filter(lambda text: any(c.isalnum() for c in text)), min_size=20, max_size=40))
def test_ascii_text_has_the_legacy_key(session_server: Sandbox, texts: list[str]) -> None:
    compare(session_server, texts, legacy)


@FEW_QUERIES
@given(texts=st.lists(MIXED_TEXT, min_size=20, max_size=40))
def test_text_of_any_script(session_server: Sandbox, texts: list[str]) -> None:
    compare(session_server, texts, normalised)


@FEW_QUERIES
@given(texts=st.lists(MIXED_TEXT.filter(lambda text: any(is_letter(c) for c in text)), min_size=10, max_size=20))
def test_composed_and_decomposed_forms_give_one_key(session_server: Sandbox, texts: list[str]) -> None:
    forms = {
        form: keys(session_server, [unicodedata.normalize(form, text) for text in texts]) for form in ("NFC", "NFD")
    }
    assert forms["NFC"] == forms["NFD"]


def test_keys_of_a_column_with_nulls(session_server: Sandbox) -> None:
    rows = session_server.query(
        "SELECT `{d}.caption_key`(text) FROM UNNEST(['a', NULL, 'A!']) AS text WITH OFFSET AS place ORDER BY place"
    )
    key = hashlib.sha256(b"a").hexdigest()
    assert rows == [(key,), (None,), (key,)]


def wilson(successes: int, failures: int) -> tuple[float, float, float]:
    """The textbook's form, in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        z = Decimal("1.96")
        n = Decimal(successes) + Decimal(failures)
        bonus = float(1 / (n + 1).sqrt())
        if n == 0:
            return 0.0, 1.0, bonus
        p = Decimal(successes) / n
        centre = p + z * z / (2 * n)
        half = z * (p * (1 - p) / n + z * z / (4 * n * n)).sqrt()
        low, high = ((centre + sign * half) / (1 + z * z / n) for sign in (-1, 1))
        return max(0.0, float(low)), min(1.0, float(high)), bonus


COUNTS = st.one_of(st.integers(0, 1000), st.integers(0, 10**12), st.sampled_from([0, 1, 2**62]))


@FEW_QUERIES
@given(pairs=st.lists(st.tuples(COUNTS, COUNTS), min_size=20, max_size=40))
def test_bounds(session_server: Sandbox, pairs: list[tuple[int, int]]) -> None:
    structs = ", ".join(f"STRUCT({place} AS place, {s} AS s, {f} AS f)" for place, (s, f) in enumerate(pairs))
    rows = session_server.query(
        "SELECT b.lower_bound, b.upper_bound, b.exploration_bonus FROM ("
        "SELECT pair.place, `{d}.wilson_score_bounds`(pair.s, pair.f) AS b "
        f"FROM UNNEST([{structs}]) AS pair) ORDER BY place"
    )
    for row, pair in zip(rows, pairs, strict=True):
        assert row == pytest.approx(wilson(*pair), abs=1e-12), pair
        assert 0 <= row[0] <= row[1] <= 1, pair


@pytest.mark.parametrize(
    ("arguments", "same_as"),
    [("NULL, NULL", (0, 0)), ("-5, 3", (0, 3)), ("3, -5", (3, 0)), ("NULL, 7", (0, 7)), ("-1, NULL", (0, 0))],
)
def test_bounds_of_null_and_negative_counts(session_server: Sandbox, arguments: str, same_as: tuple[int, int]) -> None:
    (bounds,) = session_server.query(
        f"SELECT b.lower_bound, b.upper_bound FROM (SELECT `{{d}}.wilson_score_bounds`({arguments}) AS b)"
    )
    assert bounds == pytest.approx(wilson(*same_as)[:2], abs=1e-12)


def test_sample_at_is_linear_and_clamped(session_server: Sandbox) -> None:
    low, high, _ = wilson(7, 13)
    shares = [-math.inf, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, math.inf]
    literals = ", ".join(f"CAST('{share}' AS FLOAT64)" for share in shares)
    rows = session_server.query(
        f"SELECT `{{d}}.wilson_sample_at`(7, 13, u) FROM UNNEST([{literals}]) AS u WITH OFFSET AS place ORDER BY place"
    )
    expected = [low + min(1.0, max(0.0, share)) * (high - low) for share in shares]
    assert [point for (point,) in rows] == pytest.approx(expected, abs=1e-12)


def test_sample_is_uniform_over_its_interval(session_server: Sandbox) -> None:
    """Kolmogorov-Smirnov at a level that a sound draw fails once in a million runs."""
    rows = session_server.query(
        "SELECT `{d}.wilson_sample`(7, 13) AS draw FROM UNNEST(GENERATE_ARRAY(1, 4000)) ORDER BY draw"
    )
    low, high, _ = wilson(7, 13)
    shares = [(draw - low) / (high - low) for (draw,) in rows]
    assert min(shares) >= -1e-9
    assert max(shares) <= 1 + 1e-9
    distance = max(abs(share - (place + 0.5) / len(shares)) for place, share in enumerate(shares))
    assert distance < math.sqrt(math.log(2e6) / 2 / len(shares))
