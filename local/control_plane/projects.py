"""Project ids and numbers: some APIs answer with the id, others with the number."""

from __future__ import annotations

import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Projects:
    """The environment's own project. Any other project has a number too, always the same one."""

    own: str
    own_number: int

    def number(self, project: str) -> int:
        """The number of a project, given its id or its number."""
        if project == self.own:
            return self.own_number
        return int(project) if project.isdigit() else 200_000_000_000 + zlib.crc32(project.encode())
