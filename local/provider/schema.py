"""The schema of a Terraform block: attributes, nested blocks, and their form on the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from local.provider.wire import MESSAGES

type CtyType = str | list[Any]
"""A type as Terraform writes it in JSON: "string", ["list", "string"], ["object", {…}] …"""

_NESTING = {"single": 1, "list": 2, "set": 3}


@dataclass
class Attribute:
    """One attribute of a block."""

    type: CtyType
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False
    write_only: bool = False


@dataclass
class Block:
    """The attributes and the nested blocks of a resource, or of a block in one."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: dict[str, NestedBlock] = field(default_factory=dict)


@dataclass
class NestedBlock:
    """A block inside a block: "list", "set" or "single", and how many of it there may be (0: any number)."""

    block: Block
    nesting: str
    min_items: int = 0
    max_items: int = 0


@dataclass
class Schema:
    """The block of a resource type or of the provider, and the version of its state."""

    block: Block
    version: int = 0

    def find(self, path: str) -> Attribute:
        """Find an attribute by its path, such as "time_partitioning.expiration_ms"."""
        *blocks, name = path.split(".")
        block = self.block
        for nested in blocks:
            block = block.blocks[nested].block
        return block.attributes[name]


def schema_message(schema: Schema) -> Any:
    """Turn a schema into the protocol's message."""
    return MESSAGES["Schema"](version=schema.version, block=_block_message(schema.block))


def _block_message(block: Block) -> Any:
    attributes = [
        MESSAGES["Attribute"](
            name=name,
            type=json.dumps(attribute.type).encode(),
            required=attribute.required,
            optional=attribute.optional,
            computed=attribute.computed,
            sensitive=attribute.sensitive,
            write_only=attribute.write_only,
        )
        for name, attribute in block.attributes.items()
    ]
    nested = [
        MESSAGES["NestedBlock"](
            type_name=name,
            block=_block_message(item.block),
            nesting=_NESTING[item.nesting],
            min_items=item.min_items,
            max_items=item.max_items,
        )
        for name, item in block.blocks.items()
    ]
    return MESSAGES["Block"](attributes=attributes, block_types=nested)
