"""The keys in the caption bank are what caption_key_v2 returns."""

from __future__ import annotations

from verification.conditions import DIFFERING_CAPTION_KEYS, condition_check

CHECKS = (condition_check("caption_keys.1", "stored keys", DIFFERING_CAPTION_KEYS),)
