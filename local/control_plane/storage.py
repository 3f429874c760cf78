"""Cloud Storage: buckets, policies, and objects with their versions, as far as Terraform's ``gcs`` backend uses them.

Go's client speaks two dialects: JSON below ``/storage/v1`` and ``/upload/storage/v1``, and for reading an object's
content plain ``/BUCKET/OBJECT``.
"""

import re
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from local.control_plane import objects
from local.control_plane.answers import ApiError, check_name, invalid, json_object, not_found, timestamp
from local.control_plane.iam import POLICY, read_policy, replace_policy
from local.control_plane.plane import ControlPlane, Plane, Upload
from local.control_plane.store import Resource

BUCKET = "bucket"
SOFT_DELETE_SECONDS = 7 * 24 * 60 * 60
RANGE = re.compile(r"bytes (?:\d+-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")
#: A multipart body has the object's resource and its content.
PARTS = 2


async def _body(request: Request) -> bytes:
    return await request.body()


Content = Annotated[bytes, Depends(_body)]
Generation = Annotated[int | None, Query()]
IfMatch = Annotated[int | None, Query(alias="ifGenerationMatch")]
IfNotMatch = Annotated[int | None, Query(alias="ifGenerationNotMatch")]

storage = APIRouter()
#: The plain address at which Go's client reads an object. It matches any path, so it is the last of all routes.
object_contents = APIRouter()


@storage.post("/storage/v1/b")
def insert_bucket(plane: Plane, project: str, body: Resource) -> Resource:
    """Create a bucket."""
    name = str(body.get("name", ""))
    check_name("bucket", name)
    with plane.store.transaction():
        if plane.store.get(BUCKET, name):
            message = "Your previous request to create the named bucket succeeded and you already own it."
            raise ApiError("CONFLICT", message)
        return plane.store.put(BUCKET, name, _new_bucket(body, plane.projects.number(project)))


@storage.get("/storage/v1/b/{bucket}")
def get_bucket(plane: Plane, bucket: str) -> Resource:
    """A bucket."""
    check_name("bucket", bucket)
    return plane.find(BUCKET, bucket, f"The specified bucket {bucket}")


@storage.patch("/storage/v1/b/{bucket}")
def patch_bucket(plane: Plane, bucket: str, body: Resource) -> Resource:
    """Change a bucket by a JSON merge patch."""
    with plane.store.transaction():
        current = get_bucket(plane, bucket)
        changed = merged(current, body)
        changed["metageneration"] = str(int(current["metageneration"]) + 1)
        changed["updated"] = timestamp()
        return plane.store.put(BUCKET, bucket, changed)


@storage.delete("/storage/v1/b/{bucket}", status_code=204)
def delete_bucket(plane: Plane, bucket: str) -> None:
    """Delete an empty bucket and its policy."""
    with plane.store.transaction():
        get_bucket(plane, bucket)
        if objects.listed(plane.store, bucket, "", versions=True):
            raise ApiError("CONFLICT", "The bucket you tried to delete is not empty.")
        plane.store.delete(BUCKET, bucket)
        plane.store.delete(POLICY, f"b/{bucket}")


@storage.get("/storage/v1/b/{bucket}/iam")
def get_bucket_policy(plane: Plane, bucket: str) -> Resource:
    """The policy of a bucket."""
    get_bucket(plane, bucket)
    return {"kind": "storage#policy", "resourceId": bucket, **read_policy(plane.store, f"b/{bucket}")}


@storage.put("/storage/v1/b/{bucket}/iam")
def set_bucket_policy(plane: Plane, bucket: str, body: Resource) -> Resource:
    """Replace the policy of a bucket."""
    with plane.store.transaction():
        get_bucket(plane, bucket)
        if body.get("etag") not in {None, read_policy(plane.store, f"b/{bucket}")["etag"]}:
            raise ApiError("CONDITION_NOT_MET", objects.NOT_MET)
        return replace_policy(plane, f"b/{bucket}", {"policy": body})


@storage.get("/storage/v1/b/{bucket}/o")
def list_objects(
    plane: Plane, bucket: str, prefix: str = "", delimiter: str = "", *, versions: bool = False
) -> Resource:
    """The objects whose names begin with a prefix; with a delimiter, names that go on after it are grouped."""
    get_bucket(plane, bucket)
    items, folders = [], set()
    for version in objects.listed(plane.store, bucket, prefix, versions=versions):
        rest = version["name"][len(prefix) :]
        if delimiter and delimiter in rest:
            folders.add(prefix + rest.split(delimiter)[0] + delimiter)
        else:
            items.append(version)
    return {"kind": "storage#objects", "items": items, "prefixes": sorted(folders)}


@storage.post("/storage/v1/b/{bucket}/o/{source:path}/rewriteTo/b/{target_bucket}/o/{target:path}")
def rewrite(
    plane: Plane,
    bucket: str,
    source: str,
    target_bucket: str,
    target: str,
    *,
    generation: Annotated[int | None, Query(alias="sourceGeneration")] = None,
    if_match: IfMatch = None,
) -> Resource:
    """Copy a version of an object to a new live version of the target."""
    with plane.store.transaction():
        version = objects.find(plane.store, bucket, source, generation)
        objects.check(plane.store, target_bucket, target, if_match=if_match)
        given, content = {"contentType": version["contentType"]}, objects.content_of(plane.store, version)
        written = objects.write(plane.store, get_bucket(plane, target_bucket), target, given, content)
    return {"kind": "storage#rewriteResponse", "done": True, "objectSize": written["size"], "resource": written}


@storage.get("/storage/v1/b/{bucket}/o/{name:path}")
def get_object(
    plane: Plane,
    bucket: str,
    name: str,
    alt: str = "json",
    *,
    generation: Generation = None,
    if_match: IfMatch = None,
    if_not_match: IfNotMatch = None,
) -> Any:
    """The resource of a version, or with ``alt=media`` its content."""
    with plane.store.transaction():
        get_bucket(plane, bucket)
        version = objects.find(plane.store, bucket, name, generation)
        objects.check(plane.store, bucket, name, if_match=if_match, if_not_match=if_not_match)
        return _media(version, objects.content_of(plane.store, version)) if alt == "media" else version


@storage.delete("/storage/v1/b/{bucket}/o/{name:path}", status_code=204)
def delete_object(
    plane: Plane, bucket: str, name: str, generation: Generation = None, if_match: IfMatch = None
) -> None:
    """Delete an object's live version, or the version with a generation."""
    with plane.store.transaction():
        found = get_bucket(plane, bucket)
        objects.find(plane.store, bucket, name, generation)
        objects.check(plane.store, bucket, name, if_match=if_match)
        objects.delete(plane.store, found, name, generation)


@storage.post("/upload/storage/v1/b/{bucket}/o")
def upload(
    plane: Plane,
    request: Request,
    bucket: str,
    content: Content,
    *,
    kind: Annotated[str, Query(alias="uploadType")] = "media",
    name: str = "",
    if_match: IfMatch = None,
    if_not_match: IfNotMatch = None,
) -> Any:
    """Upload an object in one request, or begin a resumable upload, whose address the answer names."""
    get_bucket(plane, bucket)
    given: Resource = {"contentType": request.headers.get("content-type", "application/octet-stream")}
    if kind == "multipart":
        given, content = _parts(given["contentType"], content)
    elif kind == "resumable":
        given, content = json_object(content or b"{}"), b""
    begun = Upload(given, name or given.get("name", ""), if_match, if_not_match, content)
    if kind != "resumable":
        return _finish(plane, bucket, begun)
    upload_id = str(plane.store.next_number())
    plane.uploads[upload_id] = begun
    return Response(headers={"Location": str(request.url.include_query_params(upload_id=upload_id))})


@storage.put("/upload/storage/v1/b/{bucket}/o")
def upload_chunk(plane: Plane, request: Request, bucket: str, upload_id: str, content: Content) -> Any:
    """Add a chunk to a resumable upload; the last one creates the object."""
    if upload_id not in plane.uploads:
        raise not_found(f"Upload {upload_id}")
    place = RANGE.fullmatch(request.headers.get("content-range", f"bytes */{len(content)}"))
    if place is None:
        raise invalid("The header Content-Range is not readable.")
    begun = plane.uploads[upload_id]
    received = replace(begun, content=begun.content + content)
    if place["total"] == "*" or len(received.content) < int(place["total"]):
        plane.uploads[upload_id] = received
        # Go's client asks for this form, since other clients treat a 308 as a redirect
        headers = {"Range": f"bytes=0-{len(received.content) - 1}"} if received.content else {}
        return Response(status_code=308, headers={**headers, "X-Http-Status-Code-Override": "308"})
    del plane.uploads[upload_id]
    return _finish(plane, bucket, received)


@object_contents.get("/{bucket}/{name:path}")
def read_object(plane: Plane, bucket: str, name: str, generation: Generation = None) -> Response:
    """The content of a version."""
    if not plane.store.get(BUCKET, bucket):
        raise HTTPException(404)
    with plane.store.transaction():
        version = objects.find(plane.store, bucket, name, generation)
        return _media(version, objects.content_of(plane.store, version))


def merged(current: Any, patch: Any) -> Any:
    """JSON merge patch: objects are merged, null removes, everything else replaces."""
    if not isinstance(current, dict) or not isinstance(patch, dict):
        return patch
    changed = {key: merged(current.get(key), value) for key, value in patch.items() if value is not None}
    return {key: value for key, value in current.items() if key not in patch} | changed


def _finish(plane: ControlPlane, bucket: str, received: Upload) -> Resource:
    with plane.store.transaction():
        expected = {"if_match": received.if_match, "if_not_match": received.if_not_match}
        objects.check(plane.store, bucket, received.name, **expected)
        return objects.write(plane.store, get_bucket(plane, bucket), received.name, received.resource, received.content)


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
        # the content is anybody's, and the address is the API's: no browser runs it there
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=version["contentType"], headers=headers)


def _parts(content_type: str, body: bytes) -> tuple[Resource, bytes]:
    """The resource and the content of a body of the type multipart/related.

    Raises:
        ApiError: the body is of another form.
    """
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    parts = body.split(b"--" + boundary[1].encode())[1:-1] if boundary else []
    if len(parts) != PARTS:
        raise invalid("The body must have two parts: the object's resource, and its content.")
    (_, _, resource), (head, _, content) = (part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in parts)
    given: Resource = json_object(resource)
    if kind := re.search(rb"content-type: *(.+)", head, re.IGNORECASE):
        given.setdefault("contentType", kind[1].decode().strip())
    return given, content.removesuffix(b"\r\n")
