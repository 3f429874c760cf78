"""Where Terraform takes the provider from: a mirror, the plugin cache, the kept lock. No test reaches a registry."""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.files import REPOSITORY
from local.provider.bindings import tarball

pytestmark = pytest.mark.cdktf

PROVIDER = "registry.terraform.io/hashicorp/google"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PLATFORM = f"{sys.platform}_{ARCHITECTURES.get(platform.machine(), platform.machine())}"


@functools.cache
def provider_version() -> str:
    """The version that the installed bindings were generated from, and so the one that every stack requires."""
    with tarfile.open(tarball()) as package:
        file = package.extractfile("package/package.json")
        assert file is not None
        described = json.load(file)
    return str(described["cdktf" if "cdktf" in described else "cdktn"]["provider"]["version"])


@dataclass(frozen=True)
class TerraformWrapper:
    """The wrapper of Terraform in its own checkout, and next to it a mirror with a provider that nobody runs."""

    folder: Path

    @property
    def lock(self) -> Path:
        """The lock that every stack shares."""
        return self.folder / ".terraform.lock.hcl"

    @property
    def cache(self) -> Path:
        """The plugin cache."""
        return self.folder / ".cache" / "terraform-plugins"

    @property
    def mirror(self) -> Path:
        """The filesystem mirror."""
        return self.folder / "mirror"

    def publish(self, content: str, mirror: Path | None = None) -> None:
        """Replace the archive in a mirror with one of this content."""
        place = (mirror or self.mirror) / PROVIDER
        place.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(place / f"terraform-provider-google_{provider_version()}_{PLATFORM}.zip", "w") as archive:
            archive.writestr(f"terraform-provider-google_v{provider_version()}_x5", content)

    def configured(self, *lines: str) -> str:
        """The path of a CLI configuration that names the mirror."""
        file = self.folder / "terraformrc"
        mirror = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{self.mirror}"\n  }}\n}}'
        file.write_text("\n".join([mirror, *lines]) + "\n", encoding="utf-8")
        return str(file)

    def init(self, stack: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``terraform init`` in a stack's folder, as synthesis leaves it."""
        folder = self.folder / "cdktf.out" / "stacks" / stack
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / ".terraform", ignore_errors=True)
        required = {"google": {"source": "google", "version": provider_version()}}
        configuration = {"terraform": {"required_providers": required}}
        (folder / "cdk.tf.json").write_text(json.dumps(configuration), encoding="utf-8")
        if not {"HOME", "TF_CLI_CONFIG_FILE"} & variables.keys():
            variables["TF_CLI_CONFIG_FILE"] = self.configured()
        return self.run([str(self.folder / "operations" / "terraform.sh"), "init", "-no-color"], folder, **variables)

    def run(self, command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command with no setting of the caller's; a proxy that refuses replaces the network."""
        given = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "CHECKPOINT_DISABLE": "1"}
        proxy = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        return subprocess.run(
            command,
            cwd=folder,
            env={**given, **proxy, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> TerraformWrapper:
    """A checkout with the two scripts, and a mirror with the provider."""
    (tmp_path / "operations").mkdir()
    for script in ("terraform.sh", "tools.sh"):
        shutil.copy2(REPOSITORY / "operations" / script, tmp_path / "operations" / script)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    made = TerraformWrapper(tmp_path)
    made.publish("the reviewed provider")
    return made


def test_a_mirror_needs_no_registry_and_the_lock_is_kept(checkout: TerraformWrapper) -> None:
    done = checkout.init("warehouse")
    assert done.returncode == 0, done.stdout
    assert PROVIDER in checkout.lock.read_text()
    assert f'version     = "{provider_version()}"' in checkout.lock.read_text()


def test_an_implied_mirror_in_the_home_folder_works_too(checkout: TerraformWrapper) -> None:
    home = checkout.folder / "home"
    checkout.publish("the reviewed provider", home / ".terraform.d" / "plugins")
    done = checkout.init("warehouse", HOME=str(home))
    assert done.returncode == 0, done.stdout
    assert checkout.lock.exists()


def test_another_archive_of_the_same_version_is_refused(checkout: TerraformWrapper) -> None:
    assert checkout.init("warehouse").returncode == 0
    kept = checkout.lock.read_text()
    checkout.publish("a tampered provider")
    shutil.rmtree(checkout.cache)
    for stack in ("warehouse", "routines"):
        done = checkout.init(stack)
        assert done.returncode != 0
        assert "checksums" in done.stdout, done.stdout
    assert checkout.lock.read_text() == kept


def test_a_tampered_plugin_cache_is_not_used(checkout: TerraformWrapper) -> None:
    assert checkout.init("warehouse").returncode == 0
    (cached,) = checkout.cache.rglob("terraform-provider-google_*")
    cached.write_text("a tampered provider")
    assert checkout.init("routines").returncode == 0
    installed = checkout.folder / "cdktf.out" / "stacks" / "routines" / ".terraform"
    (provider,) = (Path(folder) / name for folder, _, names in os.walk(installed, followlinks=True) for name in names)
    assert provider.read_text() == "the reviewed provider"


def test_without_the_kept_lock_a_stack_s_own_lock_does_not_count(checkout: TerraformWrapper) -> None:
    """Deleting the kept lock accepts the archive that is there now."""
    assert checkout.init("warehouse").returncode == 0
    kept = checkout.lock.read_text()
    checkout.lock.unlink()
    checkout.publish("another reviewed provider")
    shutil.rmtree(checkout.cache)
    assert checkout.init("warehouse").returncode == 0
    assert checkout.lock.read_text() != kept


def test_a_second_stack_takes_the_provider_from_the_plugin_cache(checkout: TerraformWrapper) -> None:
    assert checkout.init("warehouse").returncode == 0
    checkout.publish("a tampered provider")
    done = checkout.init("routines")
    assert done.returncode == 0, done.stdout
    assert "from the shared cache directory" in done.stdout


def test_the_caller_s_plugin_cache_is_used(checkout: TerraformWrapper) -> None:
    own = checkout.folder / "own"
    assert checkout.init("warehouse", TF_PLUGIN_CACHE_DIR=str(own)).returncode == 0
    assert list(own.rglob("terraform-provider-google_*"))
    other = checkout.folder / "other"
    other.mkdir()
    settings = checkout.configured(f'plugin_cache_dir = "{other}"')
    assert checkout.init("routines", TF_CLI_CONFIG_FILE=settings).returncode == 0
    assert list(other.rglob("terraform-provider-google_*"))
    assert not checkout.cache.exists()


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_the_checkouts_plugin_cache_is_optional(checkout: TerraformWrapper, kind: str) -> None:
    place = checkout.folder / ".cache"
    place.symlink_to("nothing") if kind == "link to nothing" else place.write_text("")
    done = checkout.init("warehouse")
    assert done.returncode == 0, done.stdout


def test_a_running_provider_is_neither_locked_nor_installed(checkout: TerraformWrapper) -> None:
    done = checkout.init("warehouse", TF_REATTACH_PROVIDERS="{}", EROS_TERRAFORM="env")
    assert "TF_PLUGIN_CACHE_DIR" not in done.stdout
    assert not checkout.lock.exists()
    assert not checkout.cache.exists()


def test_a_failed_init_keeps_its_exit_code_and_the_lock(checkout: TerraformWrapper) -> None:
    checkout.lock.write_text("kept\n")
    done = checkout.init("warehouse", EROS_TERRAFORM="false")
    assert done.returncode == 1
    assert checkout.lock.read_text() == "kept\n"


@pytest.mark.parametrize("fails", ["cp", "mv"])
def test_a_lock_that_cannot_be_kept_is_no_killed_terraform(checkout: TerraformWrapper, fails: str) -> None:
    """The disk is full: something of it was written."""
    tools, ends = checkout.folder / "tools", checkout.folder / "ends"
    ends.mkdir()
    tools.mkdir()
    written = {"terraform": "echo new >.terraform.lock.hcl", fails: 'echo half >"$2"; exit 1'}
    for name, text in written.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    variables = {"PATH": f"{tools}:{os.environ['PATH']}", "EROS_TERRAFORM": str(tools / "terraform")}
    done = checkout.init("warehouse", EROS_TERRAFORM_ENDS=str(ends), **variables)
    assert done.returncode == 1
    assert list(ends.iterdir()) == []
    assert list(checkout.folder.glob(".terraform.lock.hcl.*")) == []


@pytest.mark.parametrize("given", [{}, {"EROS_PROVIDER": "google"}, {"TERRAFORM_BINARY_NAME": "/opt/terraform"}])
def test_cdktf_leaves_the_lock_and_the_cache_to_the_wrapper(checkout: TerraformWrapper, given: dict[str, str]) -> None:
    """Its own ``terraform providers lock`` asks the registry even if the mirror has the provider."""
    sourced = 'home=$PWD; . operations/tools.sh; python -c "import json, os; print(json.dumps(dict(os.environ)))"'
    done = checkout.run(["sh", "-c", sourced], checkout.folder, **given)
    variables = json.loads(done.stdout)
    assert variables["CDKTF_SKIP_PROVIDER_LOCK"] == "true"
    assert variables["CDKTF_DISABLE_PLUGIN_CACHE_ENV"] == "true"
    assert variables["TERRAFORM_BINARY_NAME"] == str(checkout.folder / "operations" / "terraform.sh")
    assert variables["EROS_TERRAFORM"] == given.get("TERRAFORM_BINARY_NAME", "terraform")


def test_the_provider_s_version_is_the_one_of_the_bindings_everywhere() -> None:
    pages = [REPOSITORY / "requirements.txt", REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    written = {
        (page.name, version)
        for page in pages
        for version in re.findall(r"hashicorp/google`? (\d+\.\d+\.\d+)", page.read_text(encoding="utf-8"))
    }
    assert ("requirements.txt", provider_version()) in written
    assert {version for _, version in written} == {provider_version()}
