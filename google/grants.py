"""Who has which role, as IAM policies and a dataset's access list say it: each grant as one text, "ROLE MEMBER"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The names under which a dataset's access list shows three of the predefined roles.
BASIC_ROLES = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}
MEMBER_KEYS = {"groupByEmail": "group", "domain": "domain"}
#: Stand for the project's own basic roles; every dataset has them.
PROJECT_GROUPS = {"projectOwners", "projectReaders", "projectWriters"}
#: Roles that let somebody read or change data of the whole project.
BASIC_PROJECT_ROLES = {"roles/owner", "roles/editor", "roles/viewer"}
PUBLIC = {"allUsers", "allAuthenticatedUsers"}


def dataset_grant(entry: Mapping[str, Any]) -> str | None:
    """Role and member, in one text, of an entry of a dataset's access list; None for the project's own groups."""
    role = BASIC_ROLES.get(entry.get("role", ""), entry.get("role", ""))
    if entry.get("specialGroup") in PROJECT_GROUPS:
        return None
    if email := entry.get("userByEmail"):
        return f"{role} {'serviceAccount' if email.endswith('.gserviceaccount.com') else 'user'}:{email}"
    for key, kind in MEMBER_KEYS.items():
        if key in entry:
            return f"{role} {kind}:{entry[key]}"
    for key in ("view", "routine", "dataset"):
        if key in entry:
            name = " ".join(f"{part}={value}" for part, value in sorted(entry[key].items()))
            return f"{role or 'read'} authorised {key} {name}"
    return f"{role} {entry.get('iamMember') or entry.get('specialGroup', '')}"


def bindings(policy: Mapping[str, Any]) -> set[str]:
    """Role and member of each binding, with its condition."""
    return {
        f"{binding['role']} {member}"
        + (f" if {binding['condition'].get('title', '')}" if binding.get("condition") else "")
        for binding in policy.get("bindings", [])
        for member in binding.get("members", [])
    }
