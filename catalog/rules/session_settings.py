"""No session settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.rules.base import Example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

#: What a script may read about its own run.
READABLE = ("@@row_count", "@@error.", "@@script.", "@@last_job_id", "@@project_id", "@@dataset_id")


class NoSessionSettings:
    """A text neither sets nor reads settings of the session: limits belong to the job that runs it.

    Reading `@@row_count`, `@@error.…`, `@@script.…`, and the names of job, project and dataset is allowed.
    """

    name = "session-settings"
    example = Example(
        "procedures",
        "SET @@dataset_id = 'eros_scheduling_brain';\nSELECT COUNT(*) AS messages FROM messages;",
        "SELECT COUNT(*) AS messages FROM `of-scheduler-proj.eros_scheduling_brain.messages`;",
    )

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Assignments to system variables, and reads of settings."""
        for node, _ in file.source.places["ASTSystemVariableAssignment"]:
            text = file.source.of(node.system_variable)
            yield file.source.finding(node, self.name, f"no SET {text}: set it on the job that runs this")
        for node, _ in file.source.places["ASTSystemVariableExpr"]:
            text = file.source.of(node)
            if not text.lower().startswith(READABLE):
                yield file.source.finding(node, self.name, f"no {text}: the text must not depend on the session")
