"""Terraform's gcs backend on the embedded Cloud Storage: the state, its lock, and the return to an older state."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.harness.provider_workspace import run_terraform

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform on the PATH")

BUCKET = "eros-tiny-state"
STATE, LOCK = "eros/tiny/default.tfstate", "eros/tiny/default.tflock"
HELD = {"ID": "11111111-2222-3333-4444-555555555555", "Operation": "OperationTypeApply", "Who": "ann@host", "Path": ""}


@dataclass(frozen=True)
class Tiny:
    """A configuration of one terraform_data, whose state is in a bucket."""

    folder: Path
    endpoint: str

    def declare(self, text: str) -> None:
        """Write the configuration."""
        backend = {"gcs": {"bucket": BUCKET, "prefix": "eros/tiny"}}
        config = {"terraform": {"backend": backend}, "resource": {"terraform_data": {"tiny": {"input": text}}}}
        (self.folder / "main.tf.json").write_text(json.dumps(config))

    def terraform(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform; both of its outputs in one."""
        variables = {
            "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": f"{self.endpoint}/storage/v1/",
            "GOOGLE_OAUTH_ACCESS_TOKEN": "local",
        }
        return run_terraform(self.folder, variables, *arguments)

    def apply(self, text: str) -> None:
        """Apply another input."""
        self.declare(text)
        done = self.terraform("apply", "-auto-approve")
        assert done.returncode == 0, done.stdout

    def kept(self, **query: str) -> str:
        """The input in the bucket's state."""
        state = httpx.get(f"{self.object(STATE)}?alt=media", params={"alt": "media", **query}).json()
        found: str = state["resources"][0]["instances"][0]["attributes"]["input"]["value"]
        return found

    def object(self, name: str) -> str:
        """The address of an object."""
        return f"{self.endpoint}/storage/v1/b/{BUCKET}/o/{name.replace('/', '%2F')}"

    def versions(self, name: str) -> list[dict[str, Any]]:
        """All versions of an object, the oldest first."""
        listed = httpx.get(
            f"{self.endpoint}/storage/v1/b/{BUCKET}/o", params={"prefix": name, "versions": "true"}
        ).json()
        found: list[dict[str, Any]] = listed["items"]
        return found


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> str:
    """The server's address, once the bucket is there."""
    body = {"name": BUCKET, "versioning": {"enabled": True}}
    httpx.post(f"{endpoint}/storage/v1/b?project=eros-local", json=body).raise_for_status()
    return endpoint


@pytest.fixture
def tiny(bucket: str, tmp_path: Path) -> Tiny:
    made = Tiny(tmp_path, bucket)
    made.declare("first")
    done = made.terraform("init")
    assert done.returncode == 0, done.stdout
    made.apply("first")
    return made


def test_the_state_is_in_the_bucket_and_its_lock_is_released(tiny: Tiny) -> None:
    assert tiny.kept() == "first"
    assert list(tiny.folder.glob("*.tfstate*")) == []
    assert httpx.get(tiny.object(LOCK)).status_code == 404
    assert tiny.terraform("plan", "-detailed-exitcode").returncode == 0


def test_a_second_apply_is_refused_while_one_holds_the_lock(tiny: Tiny) -> None:
    """The first one's lock is created as Terraform does it: an object that must not exist yet."""
    upload = f"{tiny.endpoint}/upload/storage/v1/b/{BUCKET}/o"
    query = {"uploadType": "media", "name": LOCK, "ifGenerationMatch": "0"}
    held = httpx.post(upload, params=query, json=HELD)
    assert held.status_code == 200
    tiny.declare("second")
    refused = tiny.terraform("apply", "-auto-approve")
    assert refused.returncode == 1
    assert "Error acquiring the state lock" in refused.stdout
    assert "ann@host" in refused.stdout, "Terraform names the holder"
    assert tiny.kept() == "first"
    assert tiny.terraform("plan", "-lock=false").returncode == 0, "a plan needs no lock"
    undone = tiny.terraform("force-unlock", "-force", held.json()["generation"])
    assert undone.returncode == 0, undone.stdout
    tiny.apply("second")
    assert tiny.kept() == "second"


def test_an_older_state_is_restored(tiny: Tiny) -> None:
    before = tiny.versions(STATE)[-1]["generation"]
    tiny.apply("third")
    assert tiny.kept() == "third"
    assert tiny.kept(generation=before) == "first"
    copy = f"{tiny.object(STATE)}/rewriteTo/b/{BUCKET}/o/{STATE.replace('/', '%2F')}?sourceGeneration={before}"
    httpx.post(copy).raise_for_status()
    assert tiny.kept() == "first"
    assert '"first" -> "third"' in tiny.terraform("plan").stdout
