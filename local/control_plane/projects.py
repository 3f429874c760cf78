"""Project ids and numbers: some APIs answer with the id, others with the number."""

from __future__ import annotations

from dataclasses import dataclass

from local.control_plane.answers import check_name, not_found


@dataclass(frozen=True)
class Projects:
    """The environment's own project. There is no other."""

    own: str
    own_number: int

    def number(self, project: str) -> int:
        """The number of a project, given its id or its number.

        Raises:
            ApiError: another project, or no id: 404 or 400.
        """
        if project not in {self.own, str(self.own_number)}:
            if not project.isdigit():
                check_name("project", project)
            raise not_found(f"Project {project}")
        return self.own_number
