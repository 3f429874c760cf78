"""The kinds of deliberate defects: which suites must catch one, and the change that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from declared.loading import load_environment
from declared.roles import TOKEN_MINTER
from tests.mutations.change import (
    Change,
    body_replaced,
    project_policy,
    routine_changed,
    routine_dropped,
    rows_changed,
    table_changed,
    table_patched,
)
from tests.mutations.mutation import Mutation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.deployed import Deployed

#: Suites that ask the APIs alone; the suites of rows, by table, where it is not monitoring.
DEFINITIONS = ("existence", "schema", "procedures", "drift", "schedules", "access")
RECORDS = {"holiday_calendar": "integrity", "caption_bandit_stats": "integrity", "caption_bank": "caption_keys"}
PREFLIGHT = ("preflight",)

STRANGER = "user:stranger@example.com"
SWEEP, SEED, UPDATE = "sweep_expired_caption_locks", "seed_holiday_calendar", "update_caption_performance"
LOCAL = load_environment("local")
TRANSFER_SERVICE = "bigquerydatatransfer.googleapis.com"
LABELS = {"system": "eros", "component": "automation", "retention": "90d"}


def definition(title: str, named: str, change: Change) -> Mutation:
    """A defect that the APIs show without a query."""
    return Mutation(title, named, change, DEFINITIONS)


def body(title: str, name: str, old: str, new: str) -> Mutation:
    """A routine with another body."""
    return definition(title, name, body_replaced(name, old, new))


def routine(title: str, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Mutation:
    """A routine with another resource."""
    return definition(title, name, routine_changed(name, change))


def dropped(kind: str, name: str) -> Mutation:
    """A missing routine."""
    return definition(f"a {kind} is dropped", name, routine_dropped(name))


def patched(title: str, name: str, change: dict[str, Any]) -> Mutation:
    """A table that was changed through the API."""
    return definition(title, name, table_patched(name, change))


def altered(title: str, name: str, *statements: str, suites: tuple[str, ...] = DEFINITIONS) -> Mutation:
    """A table that was changed by SQL."""
    return Mutation(title, name, table_changed(name, *statements), suites)


def rows(title: str, name: str, *statements: str, named: str = "") -> Mutation:
    """A table with other rows."""
    return Mutation(title, named or name, rows_changed(name, *statements), (RECORDS.get(name, "monitoring"),))


def dataset(title: str, change: Change) -> Mutation:
    """A dataset with other properties or grants."""
    return definition(title, LOCAL.dataset, change)


def account(title: str, change: Change) -> Mutation:
    """A service account with another state or other grants."""
    return definition(title, LOCAL.service_account, change)


def policy(title: str, change: Callable[[dict[str, Any]], None], part: str = "bindings") -> Mutation:
    """A project with another IAM policy."""
    return definition(title, LOCAL.project, project_policy(part, change))


def granted(role: str, member: str, policy: dict[str, Any]) -> None:
    """Add a grant."""
    policy["bindings"].append({"role": role, "members": [member]})


def revoked(role: str, policy: dict[str, Any]) -> None:
    """Remove a role's binding."""
    policy["bindings"] = [binding for binding in policy["bindings"] if binding["role"] != role]


def conditional(role: str, policy: dict[str, Any]) -> None:
    """Put a condition on a role's grants."""
    for binding in policy["bindings"]:
        if binding["role"] == role:
            binding["condition"] = {"title": "weekdays only", "expression": "request.time.getDayOfWeek() > 0"}


def not_audited(kind: str, policy: dict[str, Any]) -> None:
    """Remove a kind of access from the audit log."""
    (config,) = policy["auditConfigs"]
    config["auditLogConfigs"] = [log for log in config["auditLogConfigs"] if log["logType"] != kind]


def exempted(policy: dict[str, Any]) -> None:
    """Exempt a member from the audit log."""
    policy["auditConfigs"][0]["auditLogConfigs"][0]["exemptedMembers"] = [STRANGER]


def minter(system: Deployed) -> dict[str, Any]:
    """The binding that the transfer service needs."""
    return {"role": TOKEN_MINTER, "members": [f"serviceAccount:{system.environment.transfer_agent}"]}


def partitioned(kind: str, milliseconds: int | None) -> dict[str, Any]:
    """Another partitioning of lock_sweep_log."""
    expiry = {"expirationMs": str(milliseconds)} if milliseconds else {}
    return {"timePartitioning": {"type": kind, "field": "sweep_time", **expiry}}
