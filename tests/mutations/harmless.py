"""Harmless differences, of which the verifier must report nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.mutations.change import (
    changes,
    dataset_access,
    object_added,
    policy_added,
    project_policy,
    routine_changed,
    rows_changed,
    schedule_added,
    schedule_ran,
    table_changed,
    table_patched,
    view_query,
)
from tests.mutations.kinds import LABELS, SEED, STRANGER, SWEEP, granted
from tests.mutations.mutation import Mutation
from tests.mutations.statements import alert_row, holiday_row, run_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.deployed import Deployed
    from tests.mutations.change import Change


def trailing_spaces(resource: dict[str, Any]) -> dict[str, Any]:
    """The same body with spaces at the ends of its lines."""
    return {**resource, "definitionBody": resource["definitionBody"].replace("\n", "  \n") + "\n"}


def other_key_order(resource: dict[str, Any]) -> dict[str, Any]:
    """The same resource with the keys of its JSON in reverse order."""
    return {
        key: [dict(reversed(part.items())) for part in value] if key == "arguments" else value
        for key, value in reversed(resource.items())
    }


@changes("table")
def types_renamed(system: Deployed, name: str) -> Iterator[None]:
    """PATCH the columns of a table with the other names of their types."""
    names = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
    fields = system.rest("GET", f"/tables/{name}")["schema"]["fields"]
    changed = [{**field, "type": names.get(field["type"], field["type"])} for field in fields]
    with table_patched(name, {"schema": {"fields": changed}}).apply(system):
        yield


def other_bindings_order(policy: dict[str, Any]) -> None:
    """Reverse the policy's bindings and their members."""
    policy["bindings"] = [{**b, "members": b["members"][::-1]} for b in reversed(policy["bindings"])]


def other_audit(policy: dict[str, Any]) -> None:
    """Audit another service as well."""
    policy["auditConfigs"].append(
        {
            "service": "storage.googleapis.com",
            "auditLogConfigs": [{"logType": "DATA_READ", "exemptedMembers": [STRANGER]}],
        }
    )


def harmless(title: str, change: Change) -> Mutation:
    """A difference that no suite may report."""
    return Mutation(title, "", change, ())


def external(kind: str, create: str) -> Mutation:
    """An external object in the dataset; each has its own name."""
    name = f"external_{kind.lower()}"
    added = object_added(name, f"CREATE {kind} `{{d}}.{name}`{create}", f"DROP {kind} `{{d}}.{name}`")
    return harmless(f"an external {kind.lower()}", added)


GOOG = {"goog-terraform-provisioned": "true"}
HARMLESS: tuple[Mutation, ...] = (
    harmless("members of the dataset in another order", dataset_access(lambda entries: entries[::-1])),
    harmless("members of the project in another order", project_policy("bindings", other_bindings_order)),
    harmless(
        "a role that reaches no data", project_policy("bindings", partial(granted, "roles/monitoring.viewer", STRANGER))
    ),
    harmless("another service is audited", project_policy("auditConfigs", other_audit)),
    harmless("spaces at line ends of a function", routine_changed("wilson_score_bounds", trailing_spaces)),
    harmless("spaces at line ends of a procedure", routine_changed(SWEEP, trailing_spaces)),
    harmless("a routine's JSON in another order", routine_changed(SEED, other_key_order)),
    harmless("a view's query ends in a blank line", view_query("{}\n\n".format)),
    harmless("types by their other names", types_renamed("lock_sweep_log")),
    harmless(
        "Terraform's own label on a table", table_patched("leases", {"labels": {**LABELS, "retention": "none", **GOOG}})
    ),
    external("TABLE", " (a INT64)"),
    external("VIEW", " AS SELECT 1 AS a"),
    external("FUNCTION", "(a INT64) AS (a + 1)"),
    harmless(
        "an added column in an external table",
        table_changed("captions", "ALTER TABLE `{d}.captions` ADD COLUMN remark STRING"),
    ),
    harmless("an external scheduled query", schedule_added("external report", "external report", "SELECT 1")),
    harmless("an external alert policy", policy_added("external", {"team": "web"})),
    harmless("a run that succeeded", schedule_ran(SWEEP, "SELECT 1")),
    harmless(
        "a hand-edited factor of a holiday",
        rows_changed(
            "holiday_calendar",
            "UPDATE `{d}.holiday_calendar` SET saturation_impact_factor = 0.33 WHERE holiday_name = 'Halloween'",
        ),
    ),
    harmless(
        "a holiday that the operators added",
        rows_changed("holiday_calendar", holiday_row("Summer sale", "COMMERCIAL", major=False, factor=0.5)),
    ),
    harmless("an acknowledged alert", rows_changed("automation_alerts", alert_row("CRITICAL", acknowledged=True))),
    harmless("an unread warning", rows_changed("automation_alerts", alert_row("WARNING", acknowledged=False))),
    harmless(
        "a failed run with a later success",
        rows_changed("etl_job_runs", run_row("FAILED", 50), run_row("SUCCESS", 45)),
    ),
    harmless("a run in progress", rows_changed("etl_job_runs", run_row("RUNNING", 1, ended=False))),
    harmless(
        "an expired lease",
        rows_changed(
            "leases",
            "INSERT INTO `{d}.leases` (lease_name, holder, acquired_at, expires_at) VALUES ('mutation', 'gone', "
            "TIMESTAMP '2026-01-05 11:05:00+00', TIMESTAMP '2026-01-05 11:35:00+00')",
        ),
    ),
    harmless(
        "statistics without figures",
        rows_changed(
            "caption_bandit_stats",
            "INSERT INTO `{d}.caption_bandit_stats` (caption_id, page_name, last_updated) "
            "VALUES (1, 'mutation', CURRENT_TIMESTAMP())",
        ),
    ),
)
