"""A pull request in a checkout whose environment has drifted: what it changes, and what its comment must say."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.checkout import Checkout


def commit_as_base(checkout: Checkout) -> None:
    """Make the checkout a repository whose base branch is what it holds now."""
    checkout.run("git", "init", "--quiet", "--initial-branch", "main")
    checkout.run("git", "add", "--all")
    checkout.run("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "t")
    checkout.run("git", "update-ref", "refs/remotes/origin/main", "HEAD")


@contextmanager
def changed_sources(checkout: Checkout) -> Iterator[None]:
    """A pull request's change: a column dropped, a routine rewritten, a table added, a binding widened."""
    sql, environments = checkout.folder / "sql", checkout.folder / "environments"
    alerts, function, local = (
        sql / "tables" / "automation_alerts.sql",
        sql / "functions" / "wilson_sample_at.sql",
        environments / "local.yaml",
    )
    before = {path: path.read_text() for path in (alerts, function, local)}
    new = sql / "tables" / "campaign_notes.sql"
    leases = (sql / "tables" / "leases.sql").read_text()
    new.write_text(leases.replace("leases`", "campaign_notes`"))
    alerts.write_text(re.sub(r",\n  acknowledged_by [^\n]*", "", before[alerts]))
    function.write_text(before[function].replace("LEAST(1.0, u)", "LEAST(1.00, u)"))
    local.write_text(before[local].replace('["group:dev', '["group:contractors@example.com", "group:dev'))
    try:
        yield
    finally:
        new.unlink()
        for path, text in before.items():
            path.write_text(text)


def check_comment(comment: str) -> None:
    """The danger leads; each kind of change is where a reviewer looks for it."""
    lines = comment.splitlines()
    assert lines[0] == "<!-- eros-plan local -->"
    assert lines[3:5] == ["> [!CAUTION]", "> **Data would be lost.**"]
    assert "drop of column acknowledged\\_by** (STRING → no such column): loses data" in lines[5]
    assert "> **Access widens**: 2 grants more" in comment
    assert "`group:contractors@example.com` has `roles/bigquery.user` on `eros-local`" in comment
    created = comment.partition("### Create (3)")[2].partition("###")[0]
    assert "- `google_bigquery_table.campaign_notes`" in created
    updated = comment.partition("### Update (5)")[2].partition("###")[0]
    assert "+    SELECT bounds.lower_bound + GREATEST(0.0, LEAST(1.00, u))" in updated
    assert "- definition_body = 0.5" in updated
    restored = "only reverts a change outside Terraform"
    assert f"`google_bigquery_data_transfer_config.sweep_expired_caption_locks`: schedule — {restored}" in updated
    assert "~~every 6 hours~~ → **every 1 hours from 00:20 to 23:20**" in comment
    outside = comment.partition("### Changed outside Terraform")[2]
    for name in ("routine.wilson_sample`", "table.caption_bandit_stats`", "sweep_expired_caption_locks`: schedule"):
        assert name in outside
