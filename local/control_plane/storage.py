"""Cloud Storage: buckets, their policies, and objects with their versions, as far as Terraform's ``gcs`` backend goes.

Go's client speaks two dialects: JSON below ``/storage/v1`` and ``/upload/storage/v1``, and for reading an object's
content plain ``/BUCKET/OBJECT``. Every check of a generation and the write that follows it are one transaction: that
is what makes an object a lock.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from local.control_plane.answers import ApiError, invalid, not_found, timestamp
from local.control_plane.iam import POLICY, get_policy, set_policy
from local.control_plane.projects import Projects
from local.control_plane.store import Resource, Store

BUCKET, OBJECT, NONCURRENT, CONTENT = "bucket", "object", "noncurrent_object", "object_content"
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
SOFT_DELETE_SECONDS = 7 * 24 * 60 * 60
#: Google's generations are microseconds since 1970: numbers of 16 digits.
FIRST_GENERATION = 1_700_000_000_000_000
RANGE = re.compile(r"bytes (?:\d+-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")
NOT_MET = "At least one of the pre-conditions you specified did not hold."

Generation = Annotated[int | None, Query()]
IfMatch = Annotated[int | None, Query(alias="ifGenerationMatch")]
IfNotMatch = Annotated[int | None, Query(alias="ifGenerationNotMatch")]


async def _body(request: Request) -> bytes:
    return await request.body()


Content = Annotated[bytes, Depends(_body)]


class Objects:
    """The objects of all buckets; the content of a version is kept beside its resource."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, bucket: str, name: str, generation: int | None = None) -> Resource:
        """An object's live version, or the one of a generation, live or not.

        Raises:
            ApiError: there is none.
        """
        found = self._store.get(OBJECT, f"{bucket}/{name}")
        if generation is not None and (found is None or int(found["generation"]) != generation):
            found = self._store.get(NONCURRENT, f"{bucket}/{name}#{generation}")
        if found is None:
            raise not_found(f"No such object: {bucket}/{name}: it")
        return found

    def content(self, version: Resource) -> bytes:
        """What a version holds."""
        kept = self._store.get(CONTENT, f"{version['bucket']}#{version['generation']}")
        return base64.b64decode(kept["base64"]) if kept else b""

    def check(self, bucket: str, name: str, if_match: int | None, if_not_match: int | None) -> None:
        """Compare the live version's generation with what the caller expects; 0 stands for no object.

        Raises:
            ApiError: it is another: 412.
        """
        live = int((self._store.get(OBJECT, f"{bucket}/{name}") or {"generation": 0})["generation"])
        if (if_match is not None and live != if_match) or (if_not_match is not None and live == if_not_match):
            raise ApiError("CONDITION_NOT_MET", NOT_MET)

    def write(self, bucket: Resource, name: str, given: Resource, content: bytes) -> Resource:
        """Make a new live version; the one before stays as a noncurrent one where the bucket keeps versions."""
        if not name:
            raise invalid("Required parameter: name")
        self._retire(bucket, name)
        generation, now = str(FIRST_GENERATION + self._store.next_number()), timestamp()
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
        self._store.put(CONTENT, f"{bucket['name']}#{generation}", kept)
        return self._store.put(OBJECT, f"{bucket['name']}/{name}", resource)

    def delete(self, bucket: Resource, name: str, generation: int | None) -> None:
        """Take the live version away; a version that is named by its generation is gone for good."""
        found = self.find(bucket["name"], name, generation)
        if generation is None:
            self._retire(bucket, name)
            return
        kind, key = (NONCURRENT, f"#{generation}") if "timeDeleted" in found else (OBJECT, "")
        self._store.delete(kind, f"{bucket['name']}/{name}{key}")
        self._store.delete(CONTENT, f"{bucket['name']}#{generation}")

    def _retire(self, bucket: Resource, name: str) -> None:
        live = self._store.get(OBJECT, f"{bucket['name']}/{name}")
        if live is None:
            return
        self._store.delete(OBJECT, f"{bucket['name']}/{name}")
        if bucket.get("versioning", {}).get("enabled"):
            key = f"{bucket['name']}/{name}#{live['generation']}"
            self._store.put(NONCURRENT, key, {**live, "timeDeleted": timestamp()})
        else:
            self._store.delete(CONTENT, f"{bucket['name']}#{live['generation']}")

    def list(self, bucket: str, prefix: str, versions: bool) -> list[Resource]:
        """The objects whose name begins so, by name and generation."""
        found = self._store.list(OBJECT, f"{bucket}/{prefix}")
        if versions:
            found += self._store.list(NONCURRENT, f"{bucket}/{prefix}")
        return sorted(found, key=lambda version: (version["name"], int(version["generation"])))


def find_bucket(store: Store, name: str) -> Resource:
    """A bucket.

    Raises:
        ApiError: there is none.
    """
    if found := store.get(BUCKET, name):
        return found
    raise not_found(f"The specified bucket {name}")


def storage(store: Store, projects: Projects) -> APIRouter:
    """The routes of Cloud Storage's JSON API."""
    router = APIRouter()
    objects = Objects(store)
    uploads: dict[str, tuple[Resource, bytes]] = {}

    @router.post("/storage/v1/b")
    def insert_bucket(project: str, body: Resource) -> Resource:
        name = str(body.get("name", ""))
        if not BUCKET_NAME.fullmatch(name):
            raise invalid(f"Invalid bucket name: '{name}'")
        with store.transaction():
            if store.get(BUCKET, name):
                message = "Your previous request to create the named bucket succeeded and you already own it."
                raise ApiError("CONFLICT", message)
            return store.put(BUCKET, name, _new_bucket(body, projects.number(project)))

    @router.get("/storage/v1/b/{bucket}")
    def get_bucket(bucket: str) -> Resource:
        return find_bucket(store, bucket)

    @router.patch("/storage/v1/b/{bucket}")
    def patch_bucket(bucket: str, body: Resource) -> Resource:
        with store.transaction():
            current = find_bucket(store, bucket)
            changed = merged(current, body)
            changed["metageneration"] = str(int(current["metageneration"]) + 1)
            changed["updated"] = timestamp()
            return store.put(BUCKET, bucket, changed)

    @router.delete("/storage/v1/b/{bucket}", status_code=204)
    def delete_bucket(bucket: str) -> None:
        with store.transaction():
            find_bucket(store, bucket)
            if objects.list(bucket, "", versions=True):
                raise ApiError("CONFLICT", "The bucket you tried to delete is not empty.")
            store.delete(BUCKET, bucket)
            store.delete(POLICY, f"b/{bucket}")

    @router.get("/storage/v1/b/{bucket}/iam")
    def get_bucket_policy(bucket: str) -> Resource:
        find_bucket(store, bucket)
        return {"kind": "storage#policy", "resourceId": bucket, **get_policy(store, f"b/{bucket}")}

    @router.put("/storage/v1/b/{bucket}/iam")
    def set_bucket_policy(bucket: str, body: Resource) -> Resource:
        with store.transaction():
            find_bucket(store, bucket)
            if body.get("etag") not in {None, get_policy(store, f"b/{bucket}")["etag"]}:
                raise ApiError("CONDITION_NOT_MET", NOT_MET)
            return set_policy(store, projects, f"b/{bucket}", {"policy": body})

    @router.get("/storage/v1/b/{bucket}/o")
    def list_objects(bucket: str, prefix: str = "", delimiter: str = "", versions: bool = False) -> Resource:
        find_bucket(store, bucket)
        items, folders = [], set()
        for version in objects.list(bucket, prefix, versions):
            rest = version["name"][len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                items.append(version)
        return {"kind": "storage#objects", "items": items, "prefixes": sorted(folders)}

    @router.post("/storage/v1/b/{bucket}/o/{source:path}/rewriteTo/b/{target_bucket}/o/{target:path}")
    def rewrite(
        bucket: str,
        source: str,
        target_bucket: str,
        target: str,
        generation: Annotated[int | None, Query(alias="sourceGeneration")] = None,
        if_match: IfMatch = None,
    ) -> Resource:
        with store.transaction():
            version = objects.find(bucket, source, generation)
            objects.check(target_bucket, target, if_match, None)
            given = {"contentType": version["contentType"]}
            made = objects.write(find_bucket(store, target_bucket), target, given, objects.content(version))
        return {"kind": "storage#rewriteResponse", "done": True, "objectSize": made["size"], "resource": made}

    @router.get("/storage/v1/b/{bucket}/o/{name:path}")
    def get_object(
        bucket: str,
        name: str,
        alt: str = "json",
        generation: Generation = None,
        if_match: IfMatch = None,
        if_not_match: IfNotMatch = None,
    ) -> Any:
        with store.transaction():
            find_bucket(store, bucket)
            version = objects.find(bucket, name, generation)
            objects.check(bucket, name, if_match, if_not_match)
            return _media(version, objects.content(version)) if alt == "media" else version

    @router.delete("/storage/v1/b/{bucket}/o/{name:path}", status_code=204)
    def delete_object(bucket: str, name: str, generation: Generation = None, if_match: IfMatch = None) -> None:
        with store.transaction():
            found = find_bucket(store, bucket)
            objects.find(bucket, name, generation)
            objects.check(bucket, name, if_match, None)
            objects.delete(found, name, generation)

    @router.post("/upload/storage/v1/b/{bucket}/o")
    def upload(
        request: Request,
        bucket: str,
        content: Content,
        kind: Annotated[str, Query(alias="uploadType")] = "media",
        name: str = "",
        if_match: IfMatch = None,
        if_not_match: IfNotMatch = None,
    ) -> Any:
        find_bucket(store, bucket)
        given: Resource = {"contentType": request.headers.get("content-type", "application/octet-stream")}
        if kind == "multipart":
            given, content = _parts(given["contentType"], content)
        elif kind == "resumable":
            given, content = json.loads(content or b"{}"), b""
        started = {"given": given, "name": name or given.get("name", ""), "match": if_match, "not": if_not_match}
        if kind == "resumable":
            upload_id = str(store.next_number())
            uploads[upload_id] = (started, b"")
            place = request.url.include_query_params(upload_id=upload_id)
            return Response(headers={"Location": str(place)})
        return finish(bucket, started, content)

    @router.put("/upload/storage/v1/b/{bucket}/o")
    def upload_chunk(request: Request, bucket: str, upload_id: str, content: Content) -> Any:
        if upload_id not in uploads:
            raise not_found(f"Upload {upload_id}")
        started, before = uploads[upload_id]
        place = RANGE.fullmatch(request.headers.get("content-range", f"bytes */{len(content)}"))
        if place is None:
            raise invalid("The header Content-Range is not readable.")
        received = before + content
        if place["total"] == "*" or len(received) < int(place["total"]):
            uploads[upload_id] = (started, received)
            # Go's client asks for this form, since a 308 means a redirect to others
            headers = {"Range": f"bytes=0-{len(received) - 1}"} if received else {}
            return Response(status_code=308, headers={**headers, "X-Http-Status-Code-Override": "308"})
        del uploads[upload_id]
        return finish(bucket, started, received)

    def finish(bucket: str, started: Resource, content: bytes) -> Resource:
        with store.transaction():
            objects.check(bucket, started["name"], started["match"], started["not"])
            return objects.write(find_bucket(store, bucket), started["name"], started["given"], content)

    return router


def object_contents(store: Store) -> APIRouter:
    """The plain address at which Go's client reads an object; the last of all routes, since it fits any path."""
    router = APIRouter()
    objects = Objects(store)

    @router.get("/{bucket}/{name:path}")
    def read_object(bucket: str, name: str, generation: Generation = None) -> Response:
        if not store.get(BUCKET, bucket):
            raise HTTPException(404)
        with store.transaction():
            version = objects.find(bucket, name, generation)
            return _media(version, objects.content(version))

    return router


def merged(current: Any, patch: Any) -> Any:
    """JSON merge patch: objects are merged, null takes away, everything else replaces."""
    if not isinstance(current, dict) or not isinstance(patch, dict):
        return patch
    changed = {key: merged(current.get(key), value) for key, value in patch.items() if value is not None}
    return {key: value for key, value in current.items() if key not in patch} | changed


def _new_bucket(given: Resource, project_number: int) -> Resource:
    name, now = given["name"], timestamp()
    access = {"uniformBucketLevelAccess": {"enabled": False}, "publicAccessPrevention": "inherited"}
    kept = {
        "location": "US",
        "storageClass": "STANDARD",
        "iamConfiguration": access,
        "softDeletePolicy": {"retentionDurationSeconds": str(SOFT_DELETE_SECONDS), "effectiveTime": now},
    }
    bucket: Resource = {
        **merged(kept, given),
        "kind": "storage#bucket",
        "id": name,
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}",
        "projectNumber": str(project_number),
        "metageneration": "1",
        "etag": "CAE=",
        "timeCreated": now,
        "updated": now,
    }
    bucket["location"] = bucket["location"].upper()
    return bucket


def _media(version: Resource, content: bytes) -> Response:
    headers = {
        "X-Goog-Generation": version["generation"],
        "X-Goog-Metageneration": version["metageneration"],
        "ETag": f'"{version["etag"]}"',
    }
    return Response(content, media_type=version["contentType"], headers=headers)


def _parts(content_type: str, body: bytes) -> tuple[Resource, bytes]:
    """The resource and the content of a body of the type multipart/related.

    Raises:
        ApiError: it is none.
    """
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    parts = body.split(b"--" + boundary[1].encode())[1:-1] if boundary else []
    if len(parts) != 2:  # noqa: PLR2004 - the resource, and its content
        raise invalid("The body must have two parts: the object's resource, and its content.")
    (_, _, resource), (head, _, content) = (part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in parts)
    given: Resource = json.loads(resource)
    if kind := re.search(rb"content-type: *(.+)", head, re.IGNORECASE):
        given.setdefault("contentType", kind[1].decode().strip())
    return given, content.removesuffix(b"\r\n")
