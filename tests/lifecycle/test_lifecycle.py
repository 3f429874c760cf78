"""The whole life of a deployment through make, the real cdktf command line and real Terraform.

What the workflows do to an environment is done by their own run steps. The tests of this module are one story: each
begins where the one before it ended.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from catalog import deployment_order, load_catalog, retarget
from declared.names import PARTS
from declared.schedules import SCHEDULES
from tests.harness.checkout import copy_checkout
from tests.harness.github_server import NAME, GitHub, github_server
from tests.harness.workflow_steps import RunStep, run_step, run_steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cdktf

#: What GitHub gives to every job.
RUNNER = {"GITHUB_SERVER_URL": "https://github.example.com", "GITHUB_REPOSITORY": NAME, "GITHUB_RUN_ID": "1"}
DATASET = "projects/eros-local/datasets/eros_scheduling_brain"
#: Resources of the five stacks: 11, 34, 9, 3 and 16.
DECLARED = 73


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository and what can be done in it."""

    folder: Path

    def run(self, *command: str, expect: int = 0) -> str:
        """Run a command there; its output, both streams together."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "EROS_ENV": "local", "COLUMNS": "160"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == expect, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def make(self, target: str, *variables: str, expect: int = 0) -> str:
        """Run a make target; a failing recipe is make's exit code 2."""
        return self.run("make", "-s", target, *variables, expect=expect)

    def python(self, *arguments: str, expect: int = 0) -> str:
        """Run a module of the repository."""
        return self.run(".venv/bin/python", "-m", *arguments, expect=expect)

    def step(self, step: RunStep, variables: dict[str, str] | None = None, expect: int = 0) -> str:
        """Run a step of a workflow, in the embedded environment unless ``variables`` name another; its output."""
        done = run_step(step, self.folder, {**RUNNER, "ENV": "local", **(variables or {})})
        assert done.returncode == expect, f"{step.line} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def job(self, workflow: str, job: str, variables: dict[str, str] | None = None, expect: int = 0) -> list[str]:
        """Run the steps of a workflow's job, of which the last may end in its own way; the output of each."""
        *others, last = run_steps(workflow, job)
        printed = [self.step(step, variables) for step in others]
        return [*printed, self.step(last, variables, expect)]

    def hand_over(self, file: str) -> None:
        """What uploading an artifact and downloading it in the next job come to."""
        (self.folder / "downloaded").mkdir(exist_ok=True)
        (self.folder / file).rename(self.folder / "downloaded" / file)

    def look_for_drift(self, github: GitHub, expect: int = 0) -> str:
        """Run both jobs of the nightly workflow; what had drifted."""
        self.job("drift", "drift", expect=expect)
        self.hand_over("drift.txt")
        self.job("drift", "issue", github.variables)
        return (self.folder / "downloaded" / "drift.txt").read_text(encoding="utf-8")

    def verified(self) -> int:
        """Run the whole verification, as a deployment's workflow does, and make sure that all is PASS; how much."""
        *_, verify = run_steps("deploy", "staging")
        printed = self.step(verify)
        headline = re.search(r"(\d+) tests, (\d+) results: (\d+) PASS in ", printed)
        assert headline is not None, printed
        assert headline[2] == headline[3]
        return int(headline[2])

    def status(self) -> dict[str, Any]:
        """What ``python -m local status`` says."""
        answer: dict[str, Any] = json.loads(self.python("local", "status", "--format", "json"))
        return answer

    def bigquery(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call BigQuery's REST API by hand, as somebody who bypasses Terraform would."""
        base = self.status()["bigquery"].rstrip("/").removesuffix("/bigquery/v2")
        response = httpx.request(method, f"{base}/bigquery/v2/{path}", json=body, timeout=30)
        assert response.status_code < 300, response.text
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    def query(self, sql: str) -> list[list[Any]]:
        """The rows of a query."""
        answer = self.bigquery("POST", "projects/eros-local/queries", {"query": sql, "useLegacySql": False})
        return [[cell["v"] for cell in row["f"]] for row in answer.get("rows", [])]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout of its own; its embedded environment is stopped at the end."""
    copy = Checkout(copy_checkout(tmp_path_factory.mktemp("lifecycle")))
    yield copy
    copy.python("local", "down")


@pytest.fixture(scope="module")
def github() -> Iterator[GitHub]:
    """A GitHub for the jobs that write there."""
    with github_server() as server:
        yield server


def test_plan_of_an_empty_environment_adds_everything_and_changes_nothing(checkout: Checkout) -> None:
    printed = checkout.make("plan")
    assert "A deployment would stop here" in printed, "there is no dataset yet"
    assert "0 to change, 0 to destroy" in printed
    assert "google_bigquery_table.caption_bandit_stats" in printed
    datasets = checkout.bigquery("GET", "projects/eros-local/datasets")
    assert not datasets.get("datasets")


def test_deploy_ends_well_and_says_what_stands(checkout: Checkout) -> None:
    printed = checkout.make("deploy")
    assert "eros-local-warehouse" in printed
    assert "SUCCEEDED" in printed
    assert checkout.query(f"SELECT COUNT(*) FROM `{_table('mass_messages')}`") == [["100000"]]
    keys = f"SELECT COUNTIF(caption_key != `{_table('caption_key_v2')}`(caption_text)) FROM `{_table('caption_bank')}`"
    assert checkout.query(keys) == [["0"]]
    # the daily run sweeps as well, and so does the clock when its minute comes
    assert int(checkout.query(f"SELECT COUNT(*) FROM `{_table('lock_sweep_log')}`")[0][0]) >= 2
    for part in ("run_daily_automation", "Queue: 99 creators", "Reports: 100 creators", "Captions for creator_"):
        assert part in printed


def test_a_second_deploy_changes_nothing_and_says_so(checkout: Checkout) -> None:
    *_, deploy, _verify = run_steps("deploy", "staging")
    assert "Nothing was changed" in checkout.step(deploy)


def test_the_plan_after_a_deploy_is_empty(checkout: Checkout) -> None:
    """By Terraform itself for every stack, and by cdktf's own command."""
    planned = re.findall(r"(eros-local-\w+)  (.*?)  ", checkout.make("plan"))
    assert planned == [(f"eros-local-{part}", "no changes") for part in PARTS]
    assert "No changes" in checkout.run("operations/cdktf.sh", "plan", "eros-local-automation")


def test_the_doctor_finds_nothing_after_a_deploy(checkout: Checkout) -> None:
    printed = checkout.python("verification", "doctor", "--env", "local")
    assert "ailments found: 0" in printed
    assert "03:05 P" in printed


def test_previews_stand_beside_it_and_go_without_a_trace(checkout: Checkout) -> None:
    """Number 7 is deployed; number 8 is half-built: it has what others own, and nothing of ours yet."""
    before, alone = checkout.verified(), _standing(checkout)
    numbered = {"ENV": "preview-local", "NUMBER": "7"}
    printed = checkout.job("preview", "up", numbered)[-1]
    assert "eros-pr7 run_daily_automation" in printed
    assert "make preview-down NUMBER=7" in printed
    checkout.run("env", "EROS_ENV=preview-local-8", ".venv/bin/python", "-m", "local", "seed")
    together = _standing(checkout)
    for kind, names in alone.items():
        assert names < together[kind], f"{kind}: some more, and none less"
        assert all(re.search(r"pr7\b|preview-local-7|pr8$", name) for name in together[kind] - names)
    checkout.python("verification", "--env", "local", "--suite", "drift", "--suite", "access", "--suite", "schedules")
    assert "preview-local-7 stands until" in checkout.job("preview", "sweep", numbered)[-1]

    assert "preview-local-7 is gone" in checkout.job("preview", "down", numbered)[-1]
    half_built = "eros_scheduling_brain_pr8"
    assert _standing(checkout) == {**alone, "datasets": alone["datasets"] | {half_built}}
    assert f"What Terraform does not know  {half_built}" in checkout.make("preview-down", "NUMBER=8")
    assert _standing(checkout) == alone
    assert "did not stand" in checkout.make("preview-down", "NUMBER=8")
    assert checkout.verified() == before


def test_drift_is_shown_by_plan_and_put_right_by_deploy(checkout: Checkout, github: GitHub) -> None:
    routine = f"{DATASET}/routines/wilson_sample"
    table = f"{DATASET}/tables/caption_bandit_stats"
    declared = checkout.bigquery("GET", routine)
    checkout.bigquery("PUT", routine, {**declared, "definitionBody": "0.5"})
    checkout.bigquery("PATCH", table, {"labels": {**checkout.bigquery("GET", table)["labels"], "system": "other"}})
    _change_a_schedule(checkout)

    verification = checkout.python("verification", "--env", "local", expect=1)
    for name in ("wilson_sample", "caption_bandit_stats", "sweep_expired_caption_locks"):
        assert name in verification

    diffs = checkout.look_for_drift(github, expect=1)
    assert "+++ live: wilson_sample (body)" in diffs
    assert "+0.5" in diffs
    assert "+system=other" in diffs
    assert "+schedule: every 6 hours (UTC)" in diffs
    (issue,) = github.open_issues
    assert "Drift in local" in issue["title"]
    assert all(part in issue["body"] for part in ("+0.5", "+system=other", "runs/1"))

    _commit_as_base(checkout)
    with _changed_sources(checkout):
        _, printed, *_ = checkout.job("plan", "plan", {"GITHUB_BASE_REF": "main"})
    checkout.hand_over("plan.md")
    checkout.job("plan", "comment", {**github.variables, "NUMBER": "7"})
    (comment,) = github.comments
    _check_comment(comment["body"])
    for address in (
        "google_bigquery_routine.wilson_sample",
        "google_bigquery_table.caption_bandit_stats",
        "google_bigquery_data_transfer_config.sweep_expired_caption_locks",
    ):
        assert re.search(rf"# {address} .*will be updated in-place", printed), printed

    checkout.make("deploy")
    assert checkout.bigquery("GET", routine)["definitionBody"] == declared["definitionBody"]
    assert checkout.bigquery("GET", table)["labels"]["system"] != "other"
    checkout.look_for_drift(github)
    assert github.open_issues == []


def test_the_procedures_only_rollback_touches_no_data(checkout: Checkout) -> None:
    before = checkout.query(f"SELECT COUNT(*) FROM `{_table('holiday_calendar')}`")
    checkout.make("rollback", "STACK=automation")
    routines = checkout.bigquery("GET", f"{DATASET}/routines")["routines"]
    assert {routine["routineType"] for routine in routines} == {"SCALAR_FUNCTION", "TABLE_VALUED_FUNCTION"}
    assert _transfer_configs(checkout) == []
    assert checkout.query(f"SELECT COUNT(*) FROM `{_table('holiday_calendar')}`") == before
    checkout.make("deploy")
    assert len(_transfer_configs(checkout)) == len(SCHEDULES)


def test_objects_that_stand_already_are_adopted_not_recreated(checkout: Checkout) -> None:
    marker = "INSERT `{}` (sweep_id, sweep_time) VALUES ('kept', CURRENT_TIMESTAMP())".format(_table("lock_sweep_log"))
    checkout.query(marker)
    for state in (checkout.folder / ".local" / "state").iterdir():
        state.unlink()
    adoption = json.loads(checkout.python("operations", "adopt").partition("\n}\n")[0] + "}")
    assert sum(map(len, adoption.values())) == DECLARED
    plan = checkout.make("plan")
    assert len(re.findall(r"^Plan: \d+ to import, 0 to add, \d+ to change, 0 to destroy", plan, re.MULTILINE)) == 5, (
        plan
    )
    assert "must be replaced" not in plan
    assert "adopted" in checkout.make("deploy")
    kept = f"SELECT COUNT(*) FROM `{_table('lock_sweep_log')}` WHERE sweep_id = 'kept'"
    assert checkout.query(kept) == [["1"]]
    assert len(_transfer_configs(checkout)) == len(SCHEDULES)


def test_data_and_state_survive_down_and_up(checkout: Checkout) -> None:
    before = checkout.query(f"SELECT COUNT(*) FROM `{_table('mass_messages')}`")
    checkout.make("down")
    checkout.python("local", "status", expect=1)
    checkout.make("up")
    assert checkout.query(f"SELECT COUNT(*) FROM `{_table('mass_messages')}`") == before
    assert "No changes" in checkout.run("operations/cdktf.sh", "plan", "eros-local-warehouse")


def test_destroy_leaves_nothing(checkout: Checkout) -> None:
    checkout.make("destroy")
    assert not checkout.bigquery("GET", "projects/eros-local/datasets").get("datasets")
    assert _transfer_configs(checkout) == []


def test_a_dataset_made_by_hand_from_the_sql_files_is_adopted(checkout: Checkout) -> None:
    """Nothing of it is made anew; what no SQL file makes is named as what would be created."""
    checkout.python("local", "seed")
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


@pytest.mark.parametrize("created", ["google_bigquery_table", "google_bigquery_routine"])
def test_a_deploy_after_the_server_was_killed_in_the_middle_of_one_ends_well(checkout: Checkout, created: str) -> None:
    checkout.make("destroy")
    log = checkout.folder / ".local" / "cdktf.log"
    seen = log.stat().st_size
    server = checkout.status()["pid"]
    with subprocess.Popen(
        ["make", "-s", "deploy"],
        cwd=checkout.folder,
        env={**os.environ, "EROS_ENV": "local"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as deploy:
        deadline = time.monotonic() + 120
        while f"{created}." not in log.read_bytes()[seen:].decode() or "Creat" not in log.read_bytes()[seen:].decode():
            assert time.monotonic() < deadline, "the deployment created nothing"
            assert deploy.poll() is None, deploy.communicate()[0]
            time.sleep(0.02)  # a log that grows gives no event
        os.kill(server, signal.SIGKILL)
        output = deploy.communicate(timeout=120)[0]
    assert deploy.returncode != 0, output
    checkout.make("deploy")
    assert "No changes" in checkout.run("operations/cdktf.sh", "plan", "eros-local-warehouse")


def _commit_as_base(checkout: Checkout) -> None:
    """Make the checkout a repository whose base branch is what it holds now."""
    checkout.run("git", "init", "--quiet", "--initial-branch", "main")
    checkout.run("git", "add", "--all")
    checkout.run("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "t")
    checkout.run("git", "update-ref", "refs/remotes/origin/main", "HEAD")


@contextmanager
def _changed_sources(checkout: Checkout) -> Iterator[None]:
    """A pull request's change: a column dropped, a routine rewritten, a table added, a binding widened."""
    sql, environments = checkout.folder / "sql", checkout.folder / "environments"
    log, function, local = (
        sql / "tables" / "schedule_export_log.sql",
        sql / "functions" / "wilson_sample_at.sql",
        environments / "local.yaml",
    )
    before = {path: path.read_text() for path in (log, function, local)}
    new = sql / "tables" / "campaign_notes.sql"
    leases = (sql / "tables" / "leases.sql").read_text()
    new.write_text(leases.replace("leases`", "campaign_notes`"))
    log.write_text(re.sub(r",\n  exported_by [^\n]*", "", before[log]))
    function.write_text(before[function].replace("LEAST(1.0, u)", "LEAST(1.00, u)"))
    local.write_text(before[local].replace('["group:dev', '["group:contractors@example.com", "group:dev'))
    try:
        yield
    finally:
        new.unlink()
        for path, text in before.items():
            path.write_text(text)


def _check_comment(comment: str) -> None:
    """The danger leads; each kind of change is where a reviewer looks for it."""
    lines = comment.splitlines()
    assert lines[0] == "<!-- eros-plan local -->"
    assert lines[3:5] == ["> [!CAUTION]", "> **Data would be lost.**"]
    assert "drop of column exported\\_by** (STRING → no such column): loses data" in lines[5]
    assert "> **Access widens**: 2 grants more" in comment
    assert "`group:contractors@example.com` has `roles/bigquery.user` on `eros-local`" in comment
    created = comment.partition("### Create (3)")[2].partition("###")[0]
    assert "- `google_bigquery_table.campaign_notes`" in created
    updated = comment.partition("### Update (5)")[2].partition("###")[0]
    assert "+    SELECT bounds.lower_bound + GREATEST(0.0, LEAST(1.00, u))" in updated
    assert "- definition_body = 0.5" in updated
    restored = "only puts back what was changed outside Terraform"
    assert f"`google_bigquery_data_transfer_config.sweep_expired_caption_locks`: schedule — {restored}" in updated
    assert "~~every 6 hours~~ → **every 1 hours from 00:20 to 23:20**" in comment
    outside = comment.partition("### Changed outside Terraform")[2]
    for name in ("routine.wilson_sample`", "table.caption_bandit_stats`", "sweep_expired_caption_locks`: schedule"):
        assert name in outside


def _table(name: str) -> str:
    return f"eros-local.eros_scheduling_brain.{name}"


def _transfer_configs(checkout: Checkout) -> list[dict[str, Any]]:
    base = checkout.status()["data_transfer"].rstrip("/")
    answer = httpx.get(f"{base}/projects/eros-local/locations/us/transferConfigs").json()
    configs: list[dict[str, Any]] = answer.get("transferConfigs", [])
    return configs


def _standing(checkout: Checkout) -> dict[str, set[str]]:
    """The names of all that stands in the project, by kind, with Terraform's state files."""
    endpoint = json.loads((checkout.folder / ".local" / "server.json").read_text())["endpoint"]
    project = "projects/eros-local"

    def listed(path: str, key: str, name: str) -> set[str]:
        answer: list[dict[str, Any]] = httpx.get(f"{endpoint}/{path}").json().get(key, [])
        return {str(resource[name]) for resource in answer}

    policy = httpx.post(f"{endpoint}/cloudresourcemanager/v1/{project}:getIamPolicy").json()
    states = (checkout.folder / ".local" / "state").glob("*.tfstate")
    return {
        "datasets": {name.split(":")[1] for name in listed(f"bigquery/v2/{project}/datasets", "datasets", "id")},
        "configs": listed(
            f"bigquerydatatransfer/v1/{project}/locations/us/transferConfigs", "transferConfigs", "displayName"
        ),
        "accounts": listed(f"iam/v1/{project}/serviceAccounts", "accounts", "email"),
        "policies": listed(f"monitoring/v3/{project}/alertPolicies", "alertPolicies", "displayName"),
        "channels": listed(f"monitoring/v3/{project}/notificationChannels", "notificationChannels", "displayName"),
        "grants": {f"{binding['role']} {member}" for binding in policy["bindings"] for member in binding["members"]},
        "states": {file.name for file in states},
    }


def _change_a_schedule(checkout: Checkout) -> None:
    base = checkout.status()["data_transfer"].rstrip("/")
    config = next(c for c in _transfer_configs(checkout) if c["displayName"] == "eros sweep_expired_caption_locks")
    answer = httpx.patch(
        f"{base}/{config['name']}", params={"updateMask": "schedule"}, json={"schedule": "every 6 hours"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
