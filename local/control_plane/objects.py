"""Objects of Cloud Storage in the store: their versions, and the generations that make an object a lock.

The content of a version is stored next to its resource. A check of a generation and the write that follows it belong in
one transaction of the store.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from local.control_plane.answers import ApiError, check_name, invalid, not_found, timestamp

if TYPE_CHECKING:
    from local.control_plane.store import Resource, Store

OBJECT, NONCURRENT, CONTENT = "object", "noncurrent_object", "object_content"
#: Google's generations are microseconds since 1970: numbers with 16 digits.
FIRST_GENERATION = 1_700_000_000_000_000
NOT_MET = "At least one of the pre-conditions you specified did not hold."


def find(store: Store, bucket: str, name: str, generation: int | None = None) -> Resource:
    """An object's live version, or the version with a generation, live or not.

    Raises:
        ApiError: it does not exist.
    """
    check_name("object", name)
    found = store.get(OBJECT, f"{bucket}/{name}")
    if generation is not None and (found is None or int(found["generation"]) != generation):
        found = store.get(NONCURRENT, f"{bucket}/{name}#{generation}")
    if found is None:
        raise not_found(f"No such object: {bucket}/{name}: it")
    return found


def content_of(store: Store, version: Resource) -> bytes:
    """The content of a version."""
    kept = store.get(CONTENT, f"{version['bucket']}#{version['generation']}")
    return base64.b64decode(kept["base64"]) if kept else b""


def check(
    store: Store, bucket: str, name: str, *, if_match: int | None = None, if_not_match: int | None = None
) -> None:
    """Compare the live version's generation with what the caller expects; 0 means that no object exists.

    Raises:
        ApiError: the generation is another one: 412.
    """
    live = int((store.get(OBJECT, f"{bucket}/{name}") or {"generation": 0})["generation"])
    if (if_match is not None and live != if_match) or (if_not_match is not None and live == if_not_match):
        raise ApiError("CONDITION_NOT_MET", NOT_MET)


def write(store: Store, bucket: Resource, name: str, given: Resource, content: bytes) -> Resource:
    """Write a new live version; a bucket with versioning keeps the previous one as noncurrent."""
    if not name:
        raise invalid("Required parameter: name")
    check_name("object", name)
    _retire(store, bucket, name)
    generation, now = str(FIRST_GENERATION + store.next_number()), timestamp()
    resource = {
        "contentType": "application/octet-stream",
        **given,
        "kind": "storage#object",
        "id": f"{bucket['name']}/{name}/{generation}",
        "name": name,
        "bucket": bucket["name"],
        "generation": generation,
        "metageneration": "1",
        "storageClass": bucket["storageClass"],
        "size": str(len(content)),
        "md5Hash": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "etag": base64.b64encode(generation.encode()).decode(),
        "timeCreated": now,
        "updated": now,
    }
    kept = {"base64": base64.b64encode(content).decode()}
    store.put(CONTENT, f"{bucket['name']}#{generation}", kept)
    return store.put(OBJECT, f"{bucket['name']}/{name}", resource)


def delete(store: Store, bucket: Resource, name: str, generation: int | None) -> None:
    """Delete the live version; a version that is named by its generation is deleted for good."""
    found = find(store, bucket["name"], name, generation)
    if generation is None:
        _retire(store, bucket, name)
        return
    kind, key = (NONCURRENT, f"#{generation}") if "timeDeleted" in found else (OBJECT, "")
    store.delete(kind, f"{bucket['name']}/{name}{key}")
    store.delete(CONTENT, f"{bucket['name']}#{generation}")


def listed(store: Store, bucket: str, prefix: str, *, versions: bool) -> list[Resource]:
    """The objects whose names begin with a prefix, by name and generation; ``versions`` adds the noncurrent ones."""
    found = store.list(OBJECT, f"{bucket}/{prefix}")
    if versions:
        found += store.list(NONCURRENT, f"{bucket}/{prefix}")
    return sorted(found, key=lambda version: (version["name"], int(version["generation"])))


def _retire(store: Store, bucket: Resource, name: str) -> None:
    live = store.get(OBJECT, f"{bucket['name']}/{name}")
    if live is None:
        return
    store.delete(OBJECT, f"{bucket['name']}/{name}")
    if bucket.get("versioning", {}).get("enabled"):
        key = f"{bucket['name']}/{name}#{live['generation']}"
        store.put(NONCURRENT, key, {**live, "timeDeleted": timestamp()})
    else:
        store.delete(CONTENT, f"{bucket['name']}#{live['generation']}")
