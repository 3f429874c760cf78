"""Masks what looks like a credential before it is printed, commented or written into an issue."""

from __future__ import annotations

import re

#: Forms of credentials that are not marked as sensitive, such as one in the text of a query.
CREDENTIALS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\bya29\.[\w.-]{20,}|\bgh[oprsu]_\w{36,}|\bgithub_pat_\w{22,}|\bAIza[\w-]{35}|\bGOCSPX-[\w-]{20,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    re.DOTALL,
)


def masked(text: str) -> str:
    """Return a text with everything masked that looks like a credential."""
    return CREDENTIALS.sub("(looks like a credential: masked)", text)
