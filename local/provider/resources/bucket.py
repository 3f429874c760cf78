"""google_storage_bucket; `force_destroy` deletes no objects here: a bucket with objects stays."""

from __future__ import annotations

from local.provider.resource import RestObject
from local.provider.rules import REPLACES, VIRTUAL, Rule, same_case

BUCKET = RestObject(
    name="google_storage_bucket",
    title="Bucket",
    api="storage",
    collection="b?project={project}",
    item="b/{name}",
    id="{name}",
    update_method="PATCH",
    imports=(r"(?P<project>[^/]+)/(?P<name>[^/]+)", r"(?P<name>[^/]+)"),
    rules={
        "name": REPLACES,
        "project": Rule(replaces=True, api=VIRTUAL),
        "location": Rule(replaces=True, same=same_case, normal=str.upper),
        "storage_class": Rule(default="STANDARD"),
        "force_destroy": Rule(default=False, api=VIRTUAL),
        "enable_object_retention": Rule(replaces=True, api=VIRTUAL),
        "url": Rule(api="name", dump=lambda name: f"gs://{name}"),
        "requester_pays": Rule(api="billing.requesterPays"),
        "uniform_bucket_level_access": Rule(api="iamConfiguration.uniformBucketLevelAccess.enabled"),
        "public_access_prevention": Rule(api="iamConfiguration.publicAccessPrevention"),
        "versioning": Rule(keeps_block=True),
        "versioning.enabled": Rule(send_zero=True),
        "website": Rule(keeps_block=True),
        "soft_delete_policy": Rule(keeps_block=True),
        "soft_delete_policy.retention_duration_seconds": Rule(default=604800, load=str, send_zero=True),
        "lifecycle_rule": Rule(api="lifecycle.rule"),
        "lifecycle_rule.condition.with_state": Rule(
            api="isLive",
            load=lambda state: state == "LIVE",
            dump=lambda live: "LIVE" if live else "ARCHIVED",
        ),
    },
    version=3,
    most={"lifecycle_rule": 100},
    also_computed=(
        "autoclass.terminal_storage_class",
        "logging.log_object_prefix",
        "project",
        "public_access_prevention",
        "rpo",
        "uniform_bucket_level_access",
        "lifecycle_rule.condition.with_state",
    ),
)
