"""Who has which role, as IAM policies and the access list of a dataset state it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.failures import readable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The names that a dataset's access list has for three of the predefined roles.
BASIC_ROLES = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}
MEMBER_KEYS = {"groupByEmail": "group", "domain": "domain"}
#: The project's own basic roles; every dataset has them.
PROJECT_GROUPS = {"projectOwners", "projectReaders", "projectWriters"}
#: Roles that can read or change the data of the whole project.
BASIC_PROJECT_ROLES = {"roles/owner", "roles/editor", "roles/viewer"}
#: Members that are everybody, in words.
PUBLIC = {"allUsers": "everyone on the internet", "allAuthenticatedUsers": "everyone with a Google account"}


@dataclass(frozen=True)
class Grant:
    """A role that a member has; ``condition`` is the condition's title, None where there is no condition."""

    role: str
    member: str
    condition: str | None = None

    def __str__(self) -> str:
        """``ROLE MEMBER``, as Terraform's import ids spell it."""
        return f"{self.role} {self.member}" + (f" if {self.condition}" if self.condition is not None else "")


def dataset_grants(resource: Mapping[str, Any] | None) -> set[Grant]:
    """The grants on a dataset, without those of the project's own groups; none where there is no dataset."""
    with readable("the access list of the dataset"):
        entries = (resource or {}).get("access", [])
        return {_dataset_grant(entry) for entry in entries if entry.get("specialGroup") not in PROJECT_GROUPS}


def _dataset_grant(entry: Mapping[str, Any]) -> Grant:
    role = BASIC_ROLES.get(entry.get("role", ""), entry.get("role", ""))
    if email := entry.get("userByEmail"):
        kind = "serviceAccount" if email.endswith(".gserviceaccount.com") else "user"
        return Grant(role, f"{kind}:{email}")
    for key, kind in MEMBER_KEYS.items():
        if key in entry:
            return Grant(role, f"{kind}:{entry[key]}")
    for key in ("view", "routine", "dataset"):
        if key in entry:
            name = " ".join(f"{part}={value}" for part, value in sorted(entry[key].items()))
            return Grant(role or "read", f"authorised {key} {name}")
    return Grant(role, entry.get("iamMember") or entry.get("specialGroup", ""))


def policy_grants(policy: Mapping[str, Any]) -> set[Grant]:
    """The grants of an IAM policy."""
    with readable("an IAM policy"):
        return {
            Grant(binding["role"], member, binding["condition"].get("title", "") if binding.get("condition") else None)
            for binding in policy.get("bindings", [])
            for member in binding.get("members", [])
        }
