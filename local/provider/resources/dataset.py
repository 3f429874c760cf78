"""google_bigquery_dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.provider.resource import RestObject
from local.provider.rules import REPLACES, VIRTUAL, Rule, same_case

if TYPE_CHECKING:
    from local.provider.values import Value


@dataclass
class Dataset(RestObject):
    """A dataset; its tables are deleted with it only if delete_contents_on_destroy is set."""

    def deletion(self, prior: Value) -> str:
        """The path of the delete, with whether the contents are deleted too."""
        contents = str(bool(prior.get("delete_contents_on_destroy"))).lower()
        return f"{self.fill(self.item, prior)}?deleteContents={contents}"


DATASET = Dataset(
    name="google_bigquery_dataset",
    title="Dataset",
    api="bigquery",
    collection="projects/{project}/datasets",
    item="projects/{project}/datasets/{dataset_id}",
    query="accessPolicyVersion=3",
    imports=(
        r"projects/(?P<project>[^/]+)/datasets/(?P<dataset_id>[^/]+)",
        r"(?P<project>[^/]+)/(?P<dataset_id>[^/]+)",
        r"(?P<dataset_id>[^/]+)",
    ),
    rules={
        "dataset_id": Rule(replaces=True, api="datasetReference.datasetId"),
        "project": Rule(replaces=True, api="datasetReference.projectId"),
        "location": Rule(replaces=True, default="US", same=same_case),
        "delete_contents_on_destroy": Rule(default=False, api=VIRTUAL),
        "access": Rule(keeps_block=True),
        "external_dataset_reference": REPLACES,
        "external_dataset_reference.connection": REPLACES,
        "external_dataset_reference.external_source": REPLACES,
        "friendly_name": Rule(send_zero=True),
    },
    also_computed=(
        "project",
        "default_collation",
        "is_case_insensitive",
        "max_time_travel_hours",
        "storage_billing_model",
    ),
)
