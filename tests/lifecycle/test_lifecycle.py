"""The whole life of a deployment through make, the real cdktf command line and real Terraform.

What the workflows do to an environment is done by their own run steps. The tests of this module are one story: each
begins where the one before it ended.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from catalog import deployment_order, load_catalog, retarget
from declared.names import PARTS
from declared.schedules import all_schedules
from tests.harness.checkout import SMALL
from tests.harness.workflow_steps import run_steps
from tests.lifecycle.existing import (
    change_a_schedule,
    existing,
    run_schedules_with_server_killed,
    table,
    transfer_configs,
    with_terraform_killed,
)
from tests.lifecycle.jobs import hand_over, look_for_drift, run_job, run_job_step, verified
from tests.lifecycle.pull_request import changed_sources, check_comment, commit_as_base

if TYPE_CHECKING:
    from tests.harness.checkout import Checkout
    from tests.harness.github_server import GitHub

pytestmark = pytest.mark.cdktf

DATASET = "projects/eros-local/datasets/eros_scheduling_brain"


def declared(checkout: Checkout) -> int:
    """How many resources the synthesized stacks declare."""
    stacks = (checkout.folder / "cdktf.out" / "stacks").glob("*/cdk.tf.json")
    resources = [json.loads(stack.read_text(encoding="utf-8"))["resource"] for stack in stacks]
    return sum(len(of_a_type) for stack in resources for of_a_type in stack.values())


def test_plan_of_an_empty_environment_adds_everything_and_changes_nothing(checkout: Checkout) -> None:
    printed = checkout.make("plan")
    assert "A deployment would stop here" in printed, "there is no dataset yet"
    assert "0 to change, 0 to destroy" in printed
    assert "google_bigquery_table.caption_bandit_stats" in printed
    datasets = checkout.bigquery("GET", "projects/eros-local/datasets")
    assert not datasets.get("datasets")


def test_a_first_deploy_runs_every_schedule_over_the_data_that_is_there(checkout: Checkout) -> None:
    checkout.seed()
    printed = checkout.make("deploy")
    assert "eros-local-warehouse" in printed
    assert "SUCCEEDED" in printed
    assert checkout.query(f"SELECT COUNT(*) FROM `{table('mass_messages')}`") == [[str(SMALL.messages)]]
    keys = f"SELECT COUNTIF(caption_key != `{table('caption_key_v2')}`(caption_text)) FROM `{table('caption_bank')}`"
    assert checkout.query(keys) == [["0"]]
    # the daily run sweeps as well, and so does the clock when its minute comes
    assert int(checkout.query(f"SELECT COUNT(*) FROM `{table('lock_sweep_log')}`")[0][0]) >= 2
    for part in ("run_daily_automation", "Queue: ", f"Reports: {SMALL.creators} creators", "Captions for creator_"):
        assert part in printed


def test_a_second_deploy_changes_nothing_and_says_so(checkout: Checkout) -> None:
    """Also after a scheduled run that the server's end cut off: a good one closes it before the verification."""
    run_schedules_with_server_killed(checkout)
    *_, deploy, _verify = run_steps("deploy", "staging")
    assert "Nothing was changed" in run_job_step(checkout, deploy)


def test_the_plan_after_a_deploy_is_empty(checkout: Checkout) -> None:
    """By Terraform itself for every stack, and by cdktf's own command."""
    planned = re.findall(r"(eros-local-\w+)  (.*?)  ", checkout.make("plan"))
    assert planned == [(f"eros-local-{part}", "no changes") for part in PARTS]
    assert "No changes" in checkout.run("operations/cdktf.sh", "plan", "eros-local-automation")


def test_the_doctor_finds_nothing_after_a_deploy(checkout: Checkout) -> None:
    printed = checkout.python("verification", "doctor", "--env", "local")
    assert "problems found: 0" in printed
    assert all(schedule.name in printed for schedule in all_schedules())


def test_previews_exist_next_to_it_and_are_deleted_without_a_trace(checkout: Checkout) -> None:
    """Number 7 is deployed; number 8 is half-built: it has the external tables and nothing else."""
    before, alone = verified(checkout), existing(checkout)
    numbered = {"ENV": "preview-local", "NUMBER": "7"}
    checkout.seed("preview-local-7")
    printed = run_job(checkout, "preview", "up", numbered)[-1]
    assert "eros-pr7 run_daily_automation" in printed
    assert "make preview-down NUMBER=7" in printed
    checkout.seed("preview-local-8")
    together = existing(checkout)
    for kind, names in alone.items():
        assert names < together[kind], f"{kind}: some more, and none less"
        assert all(re.search(r"pr7\b|preview-local-7|pr8$", name) for name in together[kind] - names)
    checkout.python("verification", "--env", "local", "--suite", "drift", "--suite", "access", "--suite", "schedules")
    assert "preview-local-7 exists until" in run_job(checkout, "preview", "sweep", numbered)[-1]

    assert "preview-local-7 is gone" in run_job(checkout, "preview", "down", numbered)[-1]
    half_built = "eros_scheduling_brain_pr8"
    assert existing(checkout) == {**alone, "datasets": alone["datasets"] | {half_built}}
    assert f"What Terraform does not know  {half_built}" in checkout.make("preview-down", "NUMBER=8")
    assert existing(checkout) == alone
    assert "does not exist" in checkout.make("preview-down", "NUMBER=8")
    assert verified(checkout) == before


def test_drift_is_shown_by_verification_and_plan(checkout: Checkout, github: GitHub) -> None:
    routine, statistics = f"{DATASET}/routines/wilson_sample", f"{DATASET}/tables/caption_bandit_stats"
    checkout.bigquery("PUT", routine, {**checkout.bigquery("GET", routine), "definitionBody": "0.5"})
    labels = checkout.bigquery("GET", statistics)["labels"]
    checkout.bigquery("PATCH", statistics, {"labels": {**labels, "system": "other"}})
    change_a_schedule(checkout)

    verification = checkout.python("verification", "--env", "local", expect=1)
    for name in ("wilson_sample", "caption_bandit_stats", "sweep_expired_caption_locks"):
        assert name in verification

    diffs = look_for_drift(checkout, github, expect=1)
    assert "+++ live: wilson_sample (body)" in diffs
    assert "+0.5" in diffs
    assert "+system=other" in diffs
    assert "+schedule: every 6 hours (UTC)" in diffs
    (issue,) = github.open_issues
    assert "Drift in local" in issue["title"]
    assert all(part in issue["body"] for part in ("+0.5", "+system=other", "runs/1"))

    commit_as_base(checkout)
    with changed_sources(checkout):
        _, printed, *_ = run_job(checkout, "plan", "plan", {"GITHUB_BASE_REF": "main"})
    hand_over(checkout, "plan.md")
    run_job(checkout, "plan", "comment", {**github.variables, "NUMBER": "7"})
    (comment,) = github.comments
    check_comment(comment["body"])
    for address in (
        "google_bigquery_routine.wilson_sample",
        "google_bigquery_table.caption_bandit_stats",
        "google_bigquery_data_transfer_config.sweep_expired_caption_locks",
    ):
        assert re.search(rf"# {address} .*will be updated in-place", printed), printed


def test_a_rollback_whose_terraform_is_killed_does_not_say_that_anything_is_gone(checkout: Checkout) -> None:
    printed = with_terraform_killed(checkout, "rollback", "destroy")
    assert "Terraform was killed: destroy of eros-local-automation" in printed
    assert "are gone" not in printed


def test_the_procedures_only_rollback_touches_no_data(checkout: Checkout) -> None:
    before = checkout.query(f"SELECT COUNT(*) FROM `{table('holiday_calendar')}`")
    checkout.make("rollback", "STACK=automation")
    routines = checkout.bigquery("GET", f"{DATASET}/routines")["routines"]
    assert {routine["routineType"] for routine in routines} == {"SCALAR_FUNCTION", "TABLE_VALUED_FUNCTION"}
    assert transfer_configs(checkout) == []
    assert checkout.query(f"SELECT COUNT(*) FROM `{table('holiday_calendar')}`") == before


def test_a_deploy_restores_what_drifted_and_what_was_rolled_back(checkout: Checkout, github: GitHub) -> None:
    checkout.make("deploy")
    assert checkout.bigquery("GET", f"{DATASET}/routines/wilson_sample")["definitionBody"] != "0.5"
    assert checkout.bigquery("GET", f"{DATASET}/tables/caption_bandit_stats")["labels"]["system"] == "eros"
    assert len(transfer_configs(checkout)) == len(all_schedules())
    look_for_drift(checkout, github)
    assert github.open_issues == []


def test_existing_objects_are_adopted_not_recreated(checkout: Checkout) -> None:
    marker = "INSERT `{}` (sweep_id, sweep_time) VALUES ('kept', CURRENT_TIMESTAMP())".format(table("lock_sweep_log"))
    checkout.query(marker)
    for state in checkout.state.iterdir():
        state.unlink()
    adoption = json.loads(checkout.python("operations", "adopt").partition("\n}\n")[0] + "}")
    assert sum(map(len, adoption.values())) == declared(checkout)
    plan = checkout.make("plan")
    plans = re.findall(r"^Plan: \d+ to import, 0 to add, \d+ to change, 0 to destroy", plan, re.MULTILINE)
    assert len(plans) == len(PARTS), plan
    assert "must be replaced" not in plan
    assert "adopted" in checkout.make("deploy")
    kept = f"SELECT COUNT(*) FROM `{table('lock_sweep_log')}` WHERE sweep_id = 'kept'"
    assert checkout.query(kept) == [["1"]]
    assert len(transfer_configs(checkout)) == len(all_schedules())


def test_data_and_state_survive_down_and_up(checkout: Checkout) -> None:
    before = checkout.query(f"SELECT COUNT(*) FROM `{table('mass_messages')}`")
    checkout.make("down")
    checkout.python("local", "status", expect=1)
    checkout.make("up")
    assert checkout.query(f"SELECT COUNT(*) FROM `{table('mass_messages')}`") == before
    assert "No changes" in checkout.run("operations/cdktf.sh", "plan", "eros-local-warehouse")


def test_destroy_leaves_nothing(checkout: Checkout) -> None:
    checkout.make("destroy")
    assert not checkout.bigquery("GET", "projects/eros-local/datasets").get("datasets")
    assert transfer_configs(checkout) == []


def test_a_dataset_made_by_hand_from_the_sql_files_is_adopted(checkout: Checkout) -> None:
    """None of it is recreated; what no SQL file creates is named as what would be created."""
    checkout.seed()
    catalog = retarget(load_catalog(), "eros-local", "eros_scheduling_brain")
    for item in deployment_order(catalog):
        if item.name not in catalog.dependencies:
            checkout.query(item.ddl)
    plan = checkout.make("plan")
    for part in ("warehouse", "routines"):
        assert re.search(rf"eros-local-{part}  0 to add, \d+ to change, 0 to destroy, \d+ to import", plan), plan
    assert "must be replaced" not in plan
    created = set(re.findall(r"# (\S+) .*will be created", plan))
    assert not {address for address in created if address.startswith(("google_bigquery_table", "google_bigquery_rou"))}
    assert "google_bigquery_data_transfer_config.run_daily_automation" in created
