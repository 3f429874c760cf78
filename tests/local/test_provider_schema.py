"""The stand-in's schema is the real provider's, attribute by attribute."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from catalog import cache
from local.provider.bindings import binding_schemas
from tests.data.recording import SCHEMA, recorded
from tests.harness.provider_workspace import PROVIDER, RESOURCES

if TYPE_CHECKING:
    from pathlib import Path

    from local.provider.schema import Block

FLAGS = ("required", "optional", "computed", "sensitive", "write_only")


@pytest.fixture(scope="module")
def original() -> dict[str, Any]:
    """The provider's own schema."""
    schema: dict[str, Any] = recorded(SCHEMA)
    return schema


def rows(block: Block, path: str = "") -> set[str]:
    """List a block's content, one line per attribute or nested block."""
    out = set()
    for name, attribute in block.attributes.items():
        flags = [flag for flag in FLAGS if getattr(attribute, flag)]
        out.add(f"{path}{name} {json.dumps(attribute.type, sort_keys=True)} {flags}")
    for name, nested in block.blocks.items():
        out.add(f"{path}{name} {{}} {nested.nesting} {nested.min_items}..{nested.max_items}")
        out |= rows(nested.block, f"{path}{name}.")
    return out


def original_rows(block: dict[str, Any], path: str = "") -> set[str]:
    """List the same of the real provider's schema."""
    out = set()
    for name, attribute in block.get("attributes", {}).items():
        flags = [flag for flag in FLAGS if attribute.get(flag)]
        out.add(f"{path}{name} {json.dumps(attribute['type'], sort_keys=True)} {flags}")
    for name, nested in block.get("block_types", {}).items():
        items = f"{nested.get('min_items', 0)}..{nested.get('max_items', 0)}"
        out.add(f"{path}{name} {{}} {nested['nesting_mode']} {items}")
        out |= original_rows(nested["block"], f"{path}{name}.")
    return out


@pytest.mark.parametrize("name", RESOURCES)
def test_resource_schema_is_the_original_one(original: dict[str, Any], name: str) -> None:
    schema = original["resource_schemas"][name]
    assert rows(RESOURCES[name].schema.block) == original_rows(schema["block"])
    assert RESOURCES[name].schema.version == schema["version"]


def test_provider_schema_is_the_original_one(original: dict[str, Any]) -> None:
    assert rows(PROVIDER.block) == original_rows(original["provider"]["block"])


def test_the_schemas_survive_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    made = binding_schemas(["google_service_account"])
    assert len(list(tmp_path.iterdir())) == 1
    assert binding_schemas(["google_service_account"]) == made
