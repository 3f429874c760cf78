"""Functions of the control plane called alone, without an application or a request."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from local.control_plane import ControlPlane, Projects, Store, data_transfer, iam, objects, storage
from local.control_plane.answers import ApiError
from local.control_plane.clock import Clock
from local.control_plane.transfer_runs import Runs

if TYPE_CHECKING:
    from local.control_plane.transfer_runs import ScheduledQuery

SWEEP = {"dataSourceId": "scheduled_query", "displayName": "sweep", "params": {"query": "CALL d.sweep()"}}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def seen() -> list[ScheduledQuery]:
    """The queries that runs have executed."""
    return []


@pytest.fixture
def plane(store: Store, seen: list[ScheduledQuery]) -> ControlPlane:
    runs = Runs(store, "eros-local", seen.append)
    return ControlPlane(store, Projects("eros-local", 100000000001), runs, Clock(list, runs.run_due))


def test_a_bucket_is_found_by_its_name(plane: ControlPlane) -> None:
    with pytest.raises(ApiError, match="The specified bucket eros-state was not found"):
        storage.get_bucket(plane, "eros-state")
    storage.insert_bucket(plane, "eros-local", {"name": "eros-state", "location": "us"})
    assert storage.get_bucket(plane, "eros-state")["location"] == "US"
    assert storage.patch_bucket(plane, "eros-state", {"labels": {"app": "eros"}})["metageneration"] == "2"


def test_a_write_is_allowed_by_the_generation_of_the_live_version(plane: ControlPlane) -> None:
    bucket = storage.insert_bucket(plane, "eros-local", {"name": "eros-state"})
    objects.check(plane.store, "eros-state", "lock", if_match=0)
    version = objects.write(plane.store, bucket, "lock", {}, b"held")
    with pytest.raises(ApiError) as refused:
        objects.check(plane.store, "eros-state", "lock", if_match=0)
    assert refused.value.code == 412
    objects.check(plane.store, "eros-state", "lock", if_match=int(version["generation"]))
    assert objects.content_of(plane.store, version) == b"held"
    assert storage.list_objects(plane, "eros-state")["items"] == [version]
    storage.delete_object(plane, "eros-state", "lock")
    assert storage.list_objects(plane, "eros-state", versions=True)["items"] == []


@pytest.mark.parametrize(
    ("current", "patch", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": None, "d": 3}}, {"a": {"b": 1, "d": 3}}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ],
)
def test_a_merge_patch(current: object, patch: object, expected: object) -> None:
    assert storage.merged(current, patch) == expected


def test_a_config_is_created_updated_and_run(plane: ControlPlane, seen: list[ScheduledQuery]) -> None:
    location = asyncio.run(data_transfer.location_name(plane, "eros-local", "US"))
    assert location == "projects/100000000001/locations/us"
    name = data_transfer.create_config(plane, location, SWEEP)["name"]
    updated = data_transfer.update_config(plane, name, {"schedule": "every 2 hours"}, mask="schedule")
    assert "nextRunTime" in updated
    run, query = plane.runs.begin(updated, NOON)
    assert data_transfer.list_runs(plane, name, ["PENDING"])["transferRuns"] == [run]
    plane.runs.execute(run, query)
    assert seen == [query]
    assert data_transfer.get_run(plane, name, run["name"].rpartition("/")[2])["state"] == "SUCCEEDED"


def test_an_update_without_a_mask_is_refused(plane: ControlPlane) -> None:
    with pytest.raises(ApiError, match="The update mask is missing"):
        data_transfer.update_config(plane, "any", {})


def test_a_policy_is_replaced_at_its_etag_only(plane: ControlPlane) -> None:
    binding = {"role": "roles/viewer", "members": ["user:ann@example.com"]}
    first = iam.replace_policy(plane, "projects/p", {"policy": {"bindings": [binding]}})
    assert iam.read_policy(plane.store, "projects/p") == first
    with pytest.raises(ApiError, match="concurrent policy changes"):
        iam.replace_policy(plane, "projects/p", {"policy": {"etag": "old", "bindings": []}})


def test_a_service_account_must_exist_in_the_own_project_only(plane: ControlPlane) -> None:
    with pytest.raises(ApiError, match=r"eros-etl@eros-local\.iam\.gserviceaccount\.com does not exist"):
        iam.check_account(plane, "eros-etl@eros-local.iam.gserviceaccount.com")
    iam.create_account(plane, "eros-local", {"accountId": "eros-etl"})
    iam.check_account(plane, "eros-etl@eros-local.iam.gserviceaccount.com")
    iam.check_account(plane, "eros-etl@elsewhere.iam.gserviceaccount.com")
