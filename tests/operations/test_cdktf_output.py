"""What cdktf prints is read: what it did to each stack, and what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.deploy.cdktf import CdktfRun, StackOutcome, read_line, run_cdktf

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def outcome_of(*lines: str) -> StackOutcome:
    """The outcome that some lines of Terraform's output tell."""
    outcome = StackOutcome("eros-local-warehouse")
    for line in lines:
        read_line(outcome, line)
    return outcome


def test_what_was_done_is_counted_by_kind() -> None:
    outcome = outcome_of(
        "Plan: 1 to import, 2 to add, 1 to change, 1 to destroy.",
        "google_bigquery_table.leases: Creating...",
        "google_bigquery_table.leases: Creation complete after 0s [id=projects/p/datasets/d/tables/leases]",
        "google_bigquery_table.old: Destruction complete after 1s",
        "google_bigquery_dataset.d: Modifications complete after 0s [id=projects/p/datasets/d]",
        "google_bigquery_dataset.d: Import complete [id=projects/p/datasets/d]",
    )
    assert str(outcome) == "1 created, 1 changed, 1 destroyed, 1 adopted"
    assert outcome.planned == (2, 1, 1, 1)
    assert not outcome.untouched


def test_a_stack_without_changes_is_untouched() -> None:
    outcome = outcome_of(
        "No changes. Your infrastructure matches the configuration.", "Apply complete! Resources: 0 added"
    )
    assert outcome.untouched
    assert str(outcome) == "no changes"


def test_an_error_box_is_kept_and_a_warning_box_is_not() -> None:
    outcome = outcome_of("╷", "│ Warning: look here", "╵", "╷", "│ Error: no", "│", "│ because", "╵")
    assert outcome.errors == ["Error: no", "because"]


def test_a_run_is_untouched_only_when_it_named_its_stacks() -> None:
    assert not CdktfRun(0, {}, ()).untouched
    assert CdktfRun(0, {"a": StackOutcome("a")}, ()).untouched
    assert not CdktfRun(0, {"a": StackOutcome("a"), "b": StackOutcome("b", created=["x"])}, ()).untouched


def test_output_with_cursor_movements_and_continued_lines_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "cdktf.sh"
    lines = [
        "\\033[2K\\033[1A\\033[Geros-local-access  google_service_account.etl: Creation complete after 0s [id=x]",
        "                    google_project_iam_member.a: Creation complete after 0s [id=y]",
        "google_project_iam_member.b: Creation complete after 0s [id=z]",
        "1 Stack deploying     3 Stacks done",
        "eros-local-automation  Plan: 0 to add, 0 to change, 0 to destroy.",
    ]
    script.write_text("#!/bin/sh\nprintf '%b\\n' " + " ".join(f"'{line}'" for line in lines) + "\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr("operations.deploy.cdktf.COMMAND", script)
    monkeypatch.setattr("operations.deploy.cdktf.LOG", tmp_path / "logs" / "cdktf.log")
    run = run_cdktf(["deploy"], {"PATH": "/usr/bin:/bin"})
    assert run.exit_code == 3
    created = ["google_service_account.etl", "google_project_iam_member.a", "google_project_iam_member.b"]
    assert run.stacks["eros-local-access"].created == created
    assert run.stacks["eros-local-automation"].untouched
    assert "Stacks done" in (tmp_path / "logs" / "cdktf.log").read_text()
