"""The records of the real provider, packed; ``python -m tests.data.recording NAME FILE`` packs a new record.

README.md says what each record holds, where it comes from and how to record it again.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
SCHEMA, TRAFFIC, PLANS = "provider_schema", "provider_traffic", "provider_plans"
#: The resource types whose traffic a test replays.
REPLAYED_ON_BIGQUERY = (
    "google_bigquery_dataset",
    "google_bigquery_dataset_access",
    "google_bigquery_dataset_iam_member",
    "google_bigquery_job",
    "google_bigquery_routine",
    "google_bigquery_table",
    "google_bigquery_table_iam_member",
)
REPLAYED_ON_THE_CONTROL_PLANE = (
    "google_bigquery_data_transfer_config",
    "google_monitoring_alert_policy",
    "google_monitoring_notification_channel",
    "google_project_iam_audit_config",
    "google_project_iam_custom_role",
    "google_project_iam_member",
    "google_service_account",
    "google_service_account_iam_member",
)


def recorded(name: str) -> Any:
    """A record.

    Args:
        name: SCHEMA, TRAFFIC or PLANS.

    Returns:
        SCHEMA: ``provider`` and ``resource_schemas`` of ``terraform providers schema -json``. TRAFFIC: the list of
        requests and answers. PLANS: the list of changes with what the provider planned and wrote.
    """
    return json.loads(gzip.decompress(_file(name).read_bytes()))


def pack(name: str, value: Any) -> None:
    """Write what the tests compare of a record."""
    text = json.dumps(_compared(name, value), separators=(",", ":"), sort_keys=True)
    _file(name).write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def _compared(name: str, value: Any) -> Any:
    if name == TRAFFIC:
        replayed = {*REPLAYED_ON_BIGQUERY, *REPLAYED_ON_THE_CONTROL_PLANE}
        return [exchange for exchange in value if exchange["resource"] in replayed]
    if name == SCHEMA:
        from local.provider.resources import load  # noqa: PLC0415 - the tests that read a record do not need it

        schemas = value["provider_schemas"]
        schema = schemas if "resource_schemas" in schemas else next(iter(schemas.values()))
        kept = {kind: schema["resource_schemas"][kind] for kind in load()[1]}
        return _without_descriptions({"provider": schema["provider"], "resource_schemas": kept})
    return value


def _without_descriptions(block: Any) -> Any:
    """A schema without its texts; an attribute that is named ``description`` is a dictionary, and stays."""
    if not isinstance(block, dict):
        return block
    return {
        key: _without_descriptions(value)
        for key, value in block.items()
        if key not in {"description", "description_kind"} or isinstance(value, dict)
    }


def _file(name: str) -> Path:
    return FOLDER / f"{name}.json.gz"


if __name__ == "__main__":
    pack(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
