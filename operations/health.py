"""What the newest look of check_health found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from google.cloud import bigquery

if TYPE_CHECKING:
    from google.client import GoogleApi

TABLE = "health_checks"
OK = "OK"
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Finding:
    """A finding of a look: the question, what it is about, CRITICAL or WARNING, and a sentence."""

    check: str
    subject: str
    status: str
    details: str

    def __str__(self) -> str:
        """The finding in one line."""
        return f"{self.status} {self.check}: {self.subject}: {self.details}"


@dataclass(frozen=True)
class Look:
    """A look at everything; its findings, the worst first."""

    checked_at: datetime
    findings: tuple[Finding, ...]

    @property
    def headline(self) -> str:
        """The numbers of findings in a few words: ``2 CRITICAL, 1 WARNING``."""
        counts = Counter(finding.status for finding in self.findings)
        return ", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or OK


def newest_look(api: GoogleApi, after: datetime = NEVER) -> Look | None:
    """The newest look that is later than an instant; None if there is none.

    Raises:
        LiveSystemError: the table cannot be read.
    """
    parameters = [bigquery.ScalarQueryParameter("after", "TIMESTAMP", after)]
    rows = api.query(TABLE, _NEWEST_LOOK.format(d=f"{api.environment.project}.{api.environment.dataset}"), parameters)
    if not rows:
        return None
    findings = (Finding(row.check_name, row.subject, row.status, row.details) for row in rows if row.status != OK)
    return Look(rows[0].checked_at, tuple(findings))


_NEWEST_LOOK = """
SELECT look.checked_at, look.check_name, look.subject, look.status, look.details
FROM `{d}.health_checks` AS look
WHERE look.checked_at > @after
QUALIFY RANK() OVER (ORDER BY look.checked_at DESC) = 1
ORDER BY look.status, look.check_name, look.subject
"""
