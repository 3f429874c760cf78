"""google_bigquery_routine: functions, table functions and procedures."""

from __future__ import annotations

from local.provider.resource import RestObject
from local.provider.rules import JSON, REPLACES, Rule

ROUTINE = RestObject(
    name="google_bigquery_routine",
    title="Routine",
    api="bigquery",
    collection="projects/{project}/datasets/{dataset_id}/routines",
    item="projects/{project}/datasets/{dataset_id}/routines/{routine_id}",
    imports=(
        r"projects/(?P<project>[^/]+)/datasets/(?P<dataset_id>[^/]+)/routines/(?P<routine_id>[^/]+)",
        r"(?P<project>[^/]+)/(?P<dataset_id>[^/]+)/(?P<routine_id>[^/]+)",
        r"(?P<dataset_id>[^/]+)/(?P<routine_id>[^/]+)",
    ),
    rules={
        "routine_id": Rule(replaces=True, api="routineReference.routineId"),
        "dataset_id": Rule(replaces=True, api="routineReference.datasetId"),
        "project": Rule(replaces=True, api="routineReference.projectId"),
        "routine_type": REPLACES,
        "arguments.argument_kind": Rule(default="FIXED_TYPE"),
        "arguments.data_type": JSON,
        "return_type": JSON,
        "return_table_type": JSON,
    },
    also_computed=(
        "project",
        "remote_function_options.user_defined_context",
        "spark_options.archive_uris",
        "spark_options.file_uris",
        "spark_options.jar_uris",
        "spark_options.properties",
        "spark_options.py_file_uris",
    ),
)
