"""The real provider's schema, as far as the installed cdktf bindings contain it.

Their JavaScript (one module a resource type, in the wheel's jsii tarball) keeps names, types, required or optional,
computed-only, nesting and item counts. It loses which optional attributes are computed too, and which are sensitive:
those facts are declared with each resource in `resources/` and are added by `resources.schemas`.
"""

from __future__ import annotations

import importlib.util
import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from catalog import cache
from local.provider.rules import camel
from local.provider.schema import Attribute, Block, CtyType, NestedBlock, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The bindings of cdktf, and those of its successor (docs/successor.md).
_PACKAGES = ("cdktf_cdktf_provider_google", "cdktn_provider_google")
_PRIMITIVE = {"string": "string", "number": "number", "boolean": "bool"}
_GETTER: dict[str, CtyType] = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
    "NumberList": ["list", "number"],
}
_ENTRY = re.compile(
    r"^ +(\w+): \{\n +value: (.*?),\n +isBlock: (true|false),\n +type: \"(\w+)\",\n +storageClassType: \"(\w+)\",",
    re.MULTILINE,
)
_COMPUTED = re.compile(
    r"// (\w+) - computed: true, optional: \w+, required: false\n +(?:get \w+\(\) \{\n +return "
    r"(?:cdkt[fn]\.Fn\.tolist\()?this\.get(\w+)Attribute\(|this\._\w+ = new (?:cdkt[fn]\.)?(\w+)\(this)"
)


def tarball() -> Path:
    """Find the bindings' jsii tarball without importing the bindings.

    Raises:
        FileNotFoundError: The bindings are not installed.
    """
    spec = next(filter(None, map(importlib.util.find_spec, _PACKAGES)), None)
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = next((path for folder in folders for path in (Path(folder) / "_jsii").glob("*.jsii.tgz")), None)
    if found is None:
        raise FileNotFoundError(f"no package {' or '.join(_PACKAGES)} is installed: run `make setup`")
    return found


def binding_schemas(types: Iterable[str]) -> dict[str, Schema]:
    """Return the schema of each resource type, and of the provider under the name "provider".

    Reading the tarball takes seconds, so the result is cached, by the tarball's name and size and this code.
    """
    names, source = sorted(types), tarball()
    key = f"provider-schema-{cache.digest_of(source.name, source.stat().st_size, names, Path(__file__).read_bytes())}"
    schemas = cache.read(key, dict[str, Schema])
    if schemas is None:
        schemas = _read_tarball(source, names)
        cache.write(key, schemas)
    return schemas


def _read_tarball(source: Path, types: list[str]) -> dict[str, Schema]:
    module_of = {"provider": "provider", **{name: name.removeprefix("google_").replace("_", "-") for name in types}}
    wanted = {f"package/lib/{module}/index.{suffix}" for module in module_of.values() for suffix in ("js", "d.ts")}
    texts: dict[str, str] = {}
    with tarfile.open(source) as archive:
        for member in archive:  # in one pass: a gzip archive has no random access
            if member.name in wanted and (file := archive.extractfile(member)):
                texts[member.name] = file.read().decode()
    schemas = {}
    for name, module in module_of.items():
        code = _Module(texts[f"package/lib/{module}/index.js"], texts[f"package/lib/{module}/index.d.ts"])
        schemas[name] = Schema(code.resource("TerraformProvider" if name == "provider" else "TerraformResource"))
    return schemas


class _Module:
    """One module of the bindings: its classes, its conversion functions and its optional members."""

    def __init__(self, code: str, declarations: str) -> None:
        interfaces = re.finditer(r"^export interface (\w+)[^{]*\{\n(.*?)^\}", declarations, re.MULTILINE | re.DOTALL)
        self._optional = {m[1]: set(re.findall(r"^    readonly (\w+)\?:", m[2], re.MULTILINE)) for m in interfaces}
        starts = list(re.finditer(r"^class (\w+) extends cdkt[fn]\.(\w+) \{$", code, re.MULTILINE))
        ends = [match.start() for match in starts[1:]] + [len(code)]
        self._classes = {m[1]: (m[2], code[m.start() : end]) for m, end in zip(starts, ends, strict=True)}
        functions = re.finditer(r"^function (\w+)ToHclTerraform\(struct\) \{\n(.*?)^\}", code, re.MULTILINE | re.DOTALL)
        self._functions = {m[1]: m[2] for m in functions}

    def resource(self, base: str) -> Block:
        """Read the block of the module's resource or provider class."""
        name, body = next((name, body) for name, (parent, body) in self._classes.items() if parent == base)
        block = self._block(f"{name}Config", body[body.index("synthesizeHclAttributes") :], body)
        if "id" in block.attributes:
            block.attributes["id"].computed = True
        block.attributes.pop("alias", None)  # cdktf's own
        return block

    def _block(self, interface: str, conversion: str, body: str) -> Block:
        block = Block()
        for name, value, is_block, kind, storage in self._entries(conversion):
            optional = camel(name) in self._optional[interface]
            if is_block == "true":
                block.blocks[name] = self._nested(value, kind, optional=optional)
            else:
                block.attributes[name] = Attribute(_type(kind, storage), required=not optional, optional=optional)
        for name, cty in self._computed(body):
            if name not in block.attributes and name not in block.blocks:
                block.attributes[name] = Attribute(cty, computed=True)
        return block

    def _nested(self, value: str, kind: str, *, optional: bool) -> NestedBlock:
        function = value.partition("ToHclTerraform")[0].split("(")[-1].split(",")[-1].strip()
        function = function.removeprefix("cdktf.").removeprefix("cdktn.")
        name = function[:1].upper() + function[1:]
        body = self._classes.get(f"{name}OutputReference", ("", ""))[1]
        block = self._block(name, self._functions[function], body)
        if kind == "struct":
            return NestedBlock(block, "single")
        return NestedBlock(block, kind, min_items=0 if optional else 1, max_items=0 if "listMapper" in value else 1)

    def _entries(self, text: str) -> Iterator[tuple[str, str, str, str, str]]:
        for match in _ENTRY.finditer(text):
            name, value, is_block, kind, storage = match.groups()
            yield name, value, is_block, kind, storage

    def _computed(self, body: str) -> Iterator[tuple[str, CtyType]]:
        for match in _COMPUTED.finditer(body):
            name, getter, kind = match.groups()
            yield name, _GETTER[getter] if getter else self._class_type(kind)

    def _class_type(self, name: str) -> CtyType:
        if name in _GETTER:
            return _GETTER[name]
        members = dict(sorted(self._computed(self._classes[f"{name.removesuffix('List')}OutputReference"][1])))
        return ["list", ["object", members]]


def _type(kind: str, storage: str) -> CtyType:
    if kind == "simple":
        return _PRIMITIVE[storage]
    match = re.fullmatch(r"(string|number|boolean)(List|Map|Set)", storage)
    if match is None:
        raise ValueError(f"the bindings hold an attribute of kind {kind} {storage}, which is not known here")
    return [kind if kind in ("list", "set", "map") else match[2].lower(), _PRIMITIVE[match[1]]]
