"""No session settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.rules.base import parsed_nodes
from catalog.zetasql import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.analysis import AnalyzedFile
    from catalog.findings import Finding

#: What a script may read of its own course.
READABLE = ("@@row_count", "@@error.", "@@script.", "@@last_job_id", "@@project_id", "@@dataset_id")


class NoSessionSettings:
    """Nothing is set for, or taken from, the session: limits belong to the job that runs the text.

    Reading @@row_count, @@error.…, @@script.… and the names of job, project and dataset passes.
    """

    name = "session-settings"

    def check(self, file: AnalyzedFile) -> Iterator[Finding]:
        """Assignments to system variables, and reads of settings."""
        for node, _ in parsed_nodes(file):
            match kind_of(node):
                case "ASTSystemVariableAssignment":
                    text = file.source.of(node.system_variable)
                    yield file.source.finding(node, self.name, f"no SET {text}: set it on the job that runs this")
                case "ASTSystemVariableExpr":
                    text = file.source.of(node)
                    if not text.lower().startswith(READABLE):
                        yield file.source.finding(
                            node, self.name, f"no {text}: the text must not depend on the session"
                        )
