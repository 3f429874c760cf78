"""The bootstrap from nothing, twice, after an interruption and after a loss: with real Terraform, embedded.

The tests of this module are one story: each begins where the one before it ended.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rich.console import Console

from declared.loading import load_environment
from operations.__main__ import KNOWN, app
from operations.deploy.bootstrap import Workspace, _apply, bootstrap
from operations.deploy.steps import StepFailedError
from tests.harness.checkout import Checkout, copy_checkout, free_port
from tests.harness.commands import invoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from declared.environment import Environment
SETTINGS = """
project: eros-rehearsal
project_number: 500000000005
dataset: eros_scheduling_brain
location: US
endpoint: {endpoint}
state: {{backend: gcs, bucket: eros-rehearsal-state}}
github: {{repository: example-org/eros-infrastructure, previews: true}}
guards: {{protect_data: false}}
members: {{}}
alert_email: operators@example.com
"""
STATE = "o/eros%2Feros-rehearsal-bootstrap%2Fdefault.tfstate"

POOL = "projects/500000000005/locations/global/workloadIdentityPools/github"


class Rehearsal(Checkout):
    """A checkout with an embedded environment whose state belongs in a bucket."""

    def bootstrap(self, *options: str) -> str:
        """Run the bootstrap without being asked."""
        return self.python("operations", "bootstrap", "--auto-approve", *options)

    def storage(self, method: str, path: str) -> Any:
        """Call Cloud Storage below the bucket by hand."""
        return self.api(f"storage/v1/b/eros-rehearsal-state/{path}", method)

    @property
    def local_state(self) -> Path:
        """Where the state is until it is moved."""
        return self.state / "eros-rehearsal-bootstrap.tfstate"

    def kept(self) -> set[str]:
        """The types of resource that the state in the bucket knows."""
        return {resource["type"] for resource in self.storage("GET", f"{STATE}?alt=media")["resources"]}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    copy = Rehearsal(copy_checkout(tmp_path_factory.mktemp("bootstrap")), "rehearsal")
    settings = SETTINGS.format(endpoint=f"http://127.0.0.1:{free_port()}")
    (copy.folder / "environments" / "rehearsal.yaml").write_text(settings)
    yield copy
    copy.python("local", "down")


def test_nothing_changes_without_an_answer(checkout: Rehearsal) -> None:
    """Standard input is closed here, so the question has no answer."""
    checkout.python("operations", "bootstrap", expect=2)
    assert httpx.get(f"{checkout.endpoint}/storage/v1/b/eros-rehearsal-state").status_code == 404


def test_from_nothing_to_a_state_in_its_own_bucket(checkout: Rehearsal) -> None:
    printed = checkout.bootstrap()
    assert "State moved into gs://eros-rehearsal-state" in printed
    assert {"google_storage_bucket", "google_iam_workload_identity_pool_provider"} < checkout.kept()
    assert not checkout.local_state.exists()
    for line in (
        "PROJECT=eros-rehearsal",
        f"WORKLOAD_IDENTITY_PROVIDER={POOL}/providers/github",
        "PLANNER=eros-planner@eros-rehearsal.iam.gserviceaccount.com",
        "DEPLOYER=eros-deployer@eros-rehearsal.iam.gserviceaccount.com",
        "PREVIEWER=eros-previewer@eros-rehearsal.iam.gserviceaccount.com",
    ):
        assert f"  {line}\n" in printed


def test_a_second_run_changes_nothing(checkout: Rehearsal) -> None:
    printed = checkout.bootstrap()
    assert "no changes" in printed
    assert "State moved" not in printed


def test_the_next_run_finishes_one_that_was_interrupted_before_the_state_was_moved(checkout: Rehearsal) -> None:
    checkout.local_state.parent.mkdir(exist_ok=True)
    checkout.local_state.write_text(json.dumps(checkout.storage("GET", f"{STATE}?alt=media")))
    checkout.storage("DELETE", STATE)
    printed = checkout.bootstrap()
    assert "no changes" in printed
    assert "State moved" in printed
    assert "google_storage_bucket" in checkout.kept()
    assert not checkout.local_state.exists()


def test_a_lost_state_is_recreated_from_the_existing_objects(checkout: Rehearsal) -> None:
    checkout.storage("DELETE", STATE)
    printed = checkout.bootstrap("--adopt")
    assert "5 adopted" in printed
    assert "google_storage_bucket" in checkout.kept()


def test_a_preview_is_not_bootstrapped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StepFailedError, match="bootstrap --env staging") as caught:
        bootstrap(load_environment("preview-7"), Console(), adopt=False, auto_approve=True)
    assert caught.value.exit_code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("adopt", [True, False])
def test_a_failed_apply_says_how_to_import_what_exists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, adopt: bool
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise StepFailedError("Error: it exists", 2)

    monkeypatch.setattr(Workspace, "terraform", fail)
    with pytest.raises(StepFailedError) as caught:
        _apply(Workspace(tmp_path, "eros-staging-bootstrap", {}), Console(), adopt, auto_approve=True)
    assert ("--adopt" in str(caught.value)) is not adopt


def test_the_embedded_environment_that_is_named_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def up(environment: Environment, *_: str) -> str:
        started.append(environment.name)
        raise StepFailedError("enough", 2)

    monkeypatch.setenv("EROS_ENV", "local")
    monkeypatch.setattr("operations.deploy.steps.run_module", up)
    other = load_environment("staging").model_copy(update={"endpoint": "http://127.0.0.1:1"})
    with pytest.raises(StepFailedError, match="enough"):
        bootstrap(other, Console(), adopt=False, auto_approve=True)
    assert started == ["staging"]


def test_an_environment_with_a_local_state_has_nothing_to_bootstrap() -> None:
    done = invoke(app, KNOWN, "bootstrap", "--env", "local")
    assert done.exit_code == 2
    assert "there is nothing to bootstrap" in " ".join(done.stderr.split())
    assert "environments/local.yaml" in done.stderr
