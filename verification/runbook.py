"""The page of findings, made from the questions themselves: why each comes about, the query that shows it, the fix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from catalog.model import LOCATION, PREFIX, PROJECT, region
from declared.alerts import ALERTS
from verification.doctor import CASES

if TYPE_CHECKING:
    from catalog import Catalog
    from declared.alerts import Alert
    from verification.conditions import Condition

HEAD = """# Runbook: every finding

<!-- Made by `python -m verification runbook > docs/runbook.md`; change verification/conditions.py, not this page. -->

The procedure `check_health` asks each of these questions every hour, at minute 40, and writes what it found to
`health_checks`. A CRITICAL finding ends its run with an error, so that the failed transfer run sends a mail: once per
finding in 24 hours. `python -m verification doctor` asks the same questions now, and prints the fixes with their
values.

A subject `more` counts findings beyond the 50 worst of a question. A subject `this check` means that the question could
not be asked: its details say why. `python -m verification doctor --case missing_object` finds what is gone, and
`make deploy` restores it.

What was found by the last look (on this machine, the project is `eros-local`):

```sql
SELECT check_name, subject, status, details, first_seen_at, notified_at
FROM `{prefix}health_checks`
WHERE checked_at = (SELECT MAX(checked_at) FROM `{prefix}health_checks`) AND status != 'OK'
ORDER BY status, check_name, subject;
```

| finding | doctor's case | status |
|---|---|---|
"""
MAILS = """## Mails

Cloud Monitoring sends them to `alert_email` of the environment file. Each ends with the name of its section here.
"""
#: The expression of a question's second column, and the statuses in it.
STATUS_COLUMN = re.compile(r"[^\n]* AS status\b")
STATUS = re.compile(r"'(CRITICAL|WARNING)'")


def runbook(catalog: Catalog) -> str:
    """The page, in Markdown, for production."""
    known = [(case.name, condition) for case in CASES.values() for condition in case.conditions]
    rows = (f"| [{each.query}](#{each.query}) | `{case}` | {_status(catalog, each)} |" for case, each in known)
    sections = (_section(catalog, condition) for _, condition in known)
    return HEAD.format(prefix=PREFIX) + "\n".join([*rows, "", *sections, MAILS, *map(_mail, ALERTS)])


def _mail(alert: Alert) -> str:
    guide = alert.guide.replace("{env}", "prod")
    return f"### {alert.name}\n\n*{alert.title}*\n\n{guide}\n"


def _status(catalog: Catalog, condition: Condition) -> str:
    """The statuses that a question gives, as its SQL writes them."""
    column = STATUS_COLUMN.search(catalog.monitoring[condition.query].body)
    found = STATUS.findall(column[0]) if column else ()
    return " or ".join(sorted(dict.fromkeys(found)))


def _section(catalog: Catalog, condition: Condition) -> str:
    names = {
        "dataset": PREFIX.removesuffix("."),
        "env": "prod",
        "project": PROJECT,
        "region": region(LOCATION),
    }
    columns = {column.name: column.name.upper() for column in catalog.monitoring[condition.query].returns_table}
    columns |= {f"{name}_in_shell": shown for name, shown in columns.items()}
    remedy = condition.remedy.format(**{**columns, **names})
    return (
        f"## {condition.query}\n\n{catalog.monitoring[condition.query].description}\n\n"
        f"**Well:** {condition.healthy}.\n\n**Cause:** {condition.cause}\n\n"
        f"**Look:**\n\n```sql\nSELECT * FROM `{PREFIX}{condition.query}`();\n```\n\n"
        f"**Fix:** the doctor prints it with its values.\n\n```text\n{remedy}\n```\n"
    )
