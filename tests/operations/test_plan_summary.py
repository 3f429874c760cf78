"""What a plan means for a reviewer: lost data, access, guards, and what was changed outside."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from catalog import load_catalog, retarget
from declared.environment import AllowedChange
from declared.loading import load_environment
from operations.__main__ import KNOWN, app
from operations.review.plan_markdown import markdown
from operations.review.plan_summary import Costs, summarize
from operations.review.planned import Action, read_plan, read_plans
from tests.harness.commands import invoke
from tests.operations.plans import change, dropped_column, member, summary_of, table_state, update

if TYPE_CHECKING:
    from pathlib import Path

    from catalog import Catalog
    from declared.environment import Environment


def test_lost_data_leads_and_is_refused_where_data_is_guarded(prod: Environment, catalog: Catalog) -> None:
    created = change("google_bigquery_routine.new", "create", None, {"definition_body": "SELECT 1"})
    summary = summary_of(prod, catalog, created, dropped_column(catalog))
    text = markdown(summary)
    lines = text.splitlines()
    assert lines[0] == "<!-- eros-plan prod -->"
    assert lines[3] == "> [!CAUTION]"
    assert lines[4] == "> **Data would be lost.** A deployment of this is refused."
    assert r"**drop of column swept\_by** (STRING → no such column): loses data; refused" in lines[5]
    assert text.index("CAUTION") < text.index(f"**{summary.headline}**") < text.index("### Create (1)")
    assert "CREATE SNAPSHOT TABLE `of-scheduler-proj.eros_scheduling_brain.lock_sweep_log_before`" in text
    assert summary.headline == "1 to create, 1 to update, 0 to replace, 0 to destroy"


def test_a_named_and_dated_entry_allows_it(prod: Environment, catalog: Catalog) -> None:
    entry = AllowedChange(change="lock_sweep_log: drop of column swept_by", until=date(2999, 1, 1), why="moved away")
    allowing = prod.model_copy(update={"allowed_changes": (entry,)})
    summary = summary_of(allowing, catalog, dropped_column(catalog))
    assert not summary.refused
    assert "allowed until 2999-01-01: moved away" in markdown(summary)
    ended = prod.model_copy(update={"allowed_changes": (entry.model_copy(update={"until": date(2020, 1, 1)}),)})
    assert "refused: what allowed it ended on 2020-01-01" in markdown(
        summary_of(ended, catalog, dropped_column(catalog))
    )


def test_what_terraform_itself_refuses_leads_with_what_it_planned_all_the_same(tmp_path: Path) -> None:
    """A guarded table that would be replaced is an error of the plan."""
    parts = ("warehouse", "routines", "access", "monitoring", "automation")
    replaced = change("google_bigquery_table.leases", "delete create", {"schema": "[]"}, {"schema": "[]"})
    for part in parts:
        plan = {"resource_changes": [replaced] if part == "warehouse" else []}
        (tmp_path / f"eros-local-{part}.json").write_text(json.dumps(plan))
    error = "Error: Instance cannot be destroyed\n\nResource google_bigquery_table.leases has prevent_destroy set"
    (tmp_path / "eros-local-warehouse.failed").write_text(error)
    (tmp_path / "eros-local-access.failed").write_text("Error: 403")
    (tmp_path / "eros-local-access.json").unlink()
    plans = read_plans(tuple(f"eros-local-{part}" for part in parts), {}, tmp_path)
    environment = load_environment("local")
    summary = summarize(environment, retarget(load_catalog(), environment.project, environment.dataset), plans)
    assert summary.refused
    text = markdown(summary)
    assert "> **2 stacks could not be planned, data would be lost, 1 object replaced.** A deployment" in text
    assert "> - `eros-local-warehouse`: Instance cannot be destroyed\n" in text
    assert "> - `eros-local-access`: 403\n" in text
    assert "Resource google_bigquery_table.leases has prevent_destroy set" in text
    assert "> - `leases`: **new required column" in text


def test_what_is_destroyed_or_replaced_is_named_with_its_data_and_the_reason(
    prod: Environment, catalog: Catalog
) -> None:
    table = table_state(catalog, "leases")
    summary = summary_of(
        prod,
        catalog,
        change("google_bigquery_table.old_log", "delete", {"table_id": "old_log", "schema": "[]"}),
        change("google_bigquery_routine.gone", "delete", {"definition_body": "1"}),
        change("google_bigquery_dataset.d", "delete create", {"a": 1}, {"a": 2}, replace_paths=[["dataset_id"]]),
        change("google_bigquery_table.leases", "no-op", table, table),
    )
    text = markdown(summary)
    assert "> **Data would be lost, 2 objects destroyed, 1 object replaced.** A deployment of this is refused." in text
    assert "> - `old_log`: **drop of the table**" in text
    assert "> - `google_bigquery_routine.gone` is destroyed\n" in text
    assert "> - `google_bigquery_dataset.d` is replaced because of dataset_id, with its data" in text
    assert "leases" not in text


def test_more_access_is_a_warning_and_less_access_is_listed(prod: Environment, catalog: Catalog) -> None:
    summary = summary_of(
        prod,
        catalog,
        change("google_project_iam_member.a", "create", None, member("roles/bigquery.user", "group:new@example.com")),
        change("google_project_iam_member.b", "create", None, member("roles/bigquery.admin", "allUsers")),
        change("google_project_iam_member.c", "delete", member("roles/bigquery.user", "group:old@example.com")),
    )
    text = markdown(summary)
    assert "> **Access widens**: 2 grants more" in text
    assert "> - `group:new@example.com` has `roles/bigquery.user` on `of-scheduler-proj`\n" in text
    assert "`allUsers` has `roles/bigquery.admin` on `of-scheduler-proj` — **everyone on the internet**" in text
    assert "- no longer: `group:old@example.com` has `roles/bigquery.user`" in text


def test_access_that_is_not_known_yet_is_shown_as_such(prod: Environment, catalog: Catalog) -> None:
    """BigQuery computes the access of a new dataset, so each first plan has such a value."""

    def created(address: str, values: dict[str, str], *unknown: str) -> dict[str, Any]:
        return change(address, "create", None, values, after_unknown=dict.fromkeys(unknown, True))

    summary = summary_of(
        prod,
        catalog,
        created("google_bigquery_dataset.a", {"dataset_id": "a"}, "access"),
        created("google_project_iam_binding.b", {"project": "p", "role": "r"}, "members", "condition"),
        created("google_project_iam_audit_config.c", {"project": "p", "service": "s"}, "audit_log_config"),
        created("google_project_iam_custom_role.d", {"project": "p", "role_id": "d"}, "permissions"),
    )
    assert {(grant.member, grant.role) for grant in summary.gained} == {
        ("(known after apply)", "r"),
        ("members with the role d", "(known after apply)"),
    }


def test_a_grant_that_is_adopted_or_moved_widens_nothing(prod: Environment, catalog: Catalog) -> None:
    grant = member("roles/bigquery.user", "group:new@example.com")
    summary = summary_of(
        prod,
        catalog,
        change("google_project_iam_member.a", "no-op", grant, grant, importing={"id": "x"}),
        change("google_project_iam_member.old_name", "delete", grant),
        change("google_project_iam_member.new_name", "create", None, grant),
        change("google_project_iam_member.b", "no-op", grant, grant, previous_address="google_project_iam_member.z"),
    )
    assert not summary.gained
    assert not summary.lost
    assert [item.action for item in summary.of(Action.IMPORT, Action.MOVE)] == ["import", "move"]
    assert summary.headline.endswith(", 1 to import, 1 to move")
    assert "moved from `google_project_iam_member.z`" in markdown(summary)


def test_an_import_that_changes_something_says_so(prod: Environment, catalog: Catalog) -> None:
    before, after = {"definition_body": "1"}, {"definition_body": "2"}
    summary = summary_of(
        prod, catalog, change("google_bigquery_routine.x", "update", before, after, importing={"id": "x"})
    )
    assert summary.headline.endswith(", 1 to import, 1 of those imported to update")


def test_a_change_outside_is_shown_apart_from_the_plan(prod: Environment, catalog: Catalog) -> None:
    address = "google_bigquery_data_transfer_config.run_daily_automation"
    left, found = {"schedule": "every 1 hours", "disabled": False}, {"schedule": "every 6 hours", "disabled": False}
    planned = {"schedule": "every 1 hours", "disabled": True}
    summary = summary_of(
        prod,
        catalog,
        update(address, found, planned),
        update("google_bigquery_routine.x", {"definition_body": "2"}, {"definition_body": "1"}),
        change("google_bigquery_routine.y", "create", None, {"definition_body": "1"}),
        outside=(
            update(address, left, found),
            update("google_bigquery_routine.x", {"definition_body": "1"}, {"definition_body": "2"}),
            change("google_bigquery_routine.y", "delete", {"definition_body": "1"}),
            update(
                "google_bigquery_table.t",
                {"etag": "1", "schema": '[{"name":"a","type":"X"}]', "labels": None},
                {"etag": "2", "schema": '[{"type":"X","name":"a"}]', "labels": {}},
            ),
        ),
    )
    text = markdown(summary)
    assert "disabled, schedule — of these schedule only revert a change outside Terraform" in text
    assert "`google_bigquery_routine.x`: definition_body — only reverts a change outside Terraform" in text
    outside = text[text.index("### Changed outside Terraform") :]
    assert "- `google_bigquery_routine.y`: gone" in outside
    assert "- schedule = every 1 hours\n+ schedule = every 6 hours" in outside
    assert "google_bigquery_table.t" not in text


def test_what_was_set_by_hand_where_nothing_is_declared_is_a_change_outside(
    prod: Environment, catalog: Catalog
) -> None:
    """Such as a scheduled query that was paused by hand: the plan only reverts it."""
    address = "google_bigquery_data_transfer_config.run_daily_automation"
    paused, runs = {"schedule": "every 1 hours", "disabled": True}, {"schedule": "every 1 hours", "disabled": False}
    plan = {
        "resource_changes": [update(address, paused, runs)],
        "resource_drift": [update(address, runs, paused)],
        "configuration": {"root_module": {"resources": [{"address": address, "expressions": {"schedule": {}}}]}},
    }
    text = markdown(summarize(prod, catalog, [read_plan("s", plan)]))
    assert f"`{address}`: disabled — only reverts a change outside Terraform" in text
    assert f"- `{address}`: disabled\n" in text.partition("### Changed outside Terraform")[2]


def test_a_plan_that_ended_in_an_error_is_never_no_changes(prod: Environment, catalog: Catalog) -> None:
    summary = summarize(prod, catalog, [read_plan("s", {"errored": True, "resource_changes": []})])
    assert summary.refused
    assert "No changes" not in markdown(summary)


def test_a_removed_guard_is_a_danger(prod: Environment, catalog: Catalog) -> None:
    on, off = {"deletion_protection": True}, {"deletion_protection": False}
    text = markdown(summary_of(prod, catalog, update("google_bigquery_table.leases_new", on, off)))
    assert "> **1 object no longer guarded.**" in text
    assert "> - `google_bigquery_table.leases_new` loses its guard: deletion_protection" in text
    assert "CAUTION" not in markdown(summary_of(prod, catalog, update("google_bigquery_table.leases_new", off, on)))


def test_a_removed_view_loses_no_data(prod: Environment, catalog: Catalog) -> None:
    view = {"view": [{"query": "SELECT 1"}]}
    text = markdown(summary_of(prod, catalog, change("google_bigquery_table.a_view", "delete", view)))
    assert "> **1 object destroyed.**" in text
    assert "ata would be lost" not in text


def test_access_of_every_form_is_called_out(prod: Environment, catalog: Catalog) -> None:
    narrow = [{"title": "t", "expression": "false"}]
    wide = [{"title": "t", "expression": "true"}]
    summary = summary_of(
        prod,
        catalog,
        change("google_project_iam_binding.b", "create", None, {"project": "p", "role": "r", "members": ["allUsers"]}),
        update(
            "google_project_iam_custom_role.c",
            {"project": "p", "role_id": "reader", "permissions": ["a.get"]},
            {"project": "p", "role_id": "reader", "permissions": ["a.get", "a.set"]},
        ),
        update(
            "google_project_iam_audit_config.d",
            {"project": "p", "service": "s", "audit_log_config": [{"log_type": "DATA_READ", "exempted_members": []}]},
            {
                "project": "p",
                "service": "s",
                "audit_log_config": [{"log_type": "DATA_READ", "exempted_members": ["x"]}],
            },
        ),
        change(
            "google_project_iam_member.e",
            "delete create",
            {**member("r", "user:a@example.com"), "condition": narrow},
            {**member("r", "user:a@example.com"), "condition": wide},
        ),
        update(
            "google_bigquery_dataset.f",
            {"dataset_id": "f", "access": []},
            {"dataset_id": "f", "access": [{"role": "READER", "special_group": "allAuthenticatedUsers"}]},
        ),
    )
    assert {(grant.member, grant.role) for grant in summary.gained} == {
        ("allUsers", "r"),
        ("members with the role reader", "a.set"),
        ("x", "no DATA_READ audit log"),
        ("user:a@example.com", "r"),
        ("special_group allAuthenticatedUsers", "READER"),
    }


def test_what_a_service_computes_is_not_a_change(prod: Environment, catalog: Catalog) -> None:
    dataset = update("google_bigquery_dataset.d", {"access": [1], "labels": {"a": "1"}}, {"access": [2], "labels": {}})
    configuration = {"root_module": {"resources": [{"address": dataset["address"], "expressions": {"labels": {}}}]}}
    plan = read_plan("s", {"resource_changes": [], "resource_drift": [dataset], "configuration": configuration})
    assert [set(change.found) for change in plan.outside] == [{"labels"}]
    assert "labels" in markdown(summarize(prod, catalog, [plan]))


def test_the_json_form_says_the_same(prod: Environment, catalog: Catalog) -> None:
    summary = summary_of(prod, catalog, dropped_column(catalog))
    document = json.loads(summary.as_json(Costs()))
    assert document["loses_data"] is document["refused"] is True
    assert document["counts"] == {"update": 1}
    assert document["tables"][0]["change"]["kind"] == "loses data"
    assert document["tables"][0]["verdict"] == "refused"
    assert [item["address"] for item in document["changes"]] == ["google_bigquery_table.lock_sweep_log"]


@pytest.mark.parametrize(
    ("content", "said"), [(None, "eros-prod-warehouse"), ("{", "not a plan of Terraform"), ("[]", "not a plan")]
)
def test_an_unreadable_plan_is_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        for part in ("warehouse", "routines", "access", "monitoring", "automation"):
            (tmp_path / f"eros-prod-{part}.json").write_text(content)
    done = invoke(app, KNOWN, "plan-summary", "--env", "prod", "--plans", str(tmp_path))
    assert done.exit_code == 2
    assert said in done.stderr
