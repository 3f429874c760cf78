"""The supported resource types, one module per kind."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from local.provider.bindings import binding_schemas
from local.provider.resources.bucket import BUCKET
from local.provider.resources.dataset import DATASET
from local.provider.resources.federation import CUSTOM_ROLE, IDENTITY_POOL, IDENTITY_PROVIDER
from local.provider.resources.iam import (
    AUDIT_CONFIG,
    BUCKET_MEMBER,
    DATASET_MEMBER,
    PROJECT_MEMBER,
    SERVICE_ACCOUNT_MEMBER,
)
from local.provider.resources.job import JOB
from local.provider.resources.monitoring import ALERT_POLICY, NOTIFICATION_CHANNEL
from local.provider.resources.routine import ROUTINE
from local.provider.resources.service_account import SERVICE_ACCOUNT
from local.provider.resources.table import TABLE
from local.provider.resources.transfer_config import TRANSFER_CONFIG

if TYPE_CHECKING:
    from local.provider.resource import RestObject
    from local.provider.schema import Schema

_ALL: tuple[RestObject, ...] = (
    DATASET,
    TABLE,
    ROUTINE,
    JOB,
    TRANSFER_CONFIG,
    SERVICE_ACCOUNT,
    DATASET_MEMBER,
    PROJECT_MEMBER,
    SERVICE_ACCOUNT_MEMBER,
    AUDIT_CONFIG,
    NOTIFICATION_CHANNEL,
    ALERT_POLICY,
    BUCKET,
    BUCKET_MEMBER,
    IDENTITY_POOL,
    IDENTITY_PROVIDER,
    CUSTOM_ROLE,
)


def load() -> tuple[Schema, dict[str, RestObject]]:
    """The provider's own schema, and the resource types with their complete schemas."""
    schemas = binding_schemas(resource.name for resource in _ALL)
    resources = {}
    for spec in _ALL:
        resource = copy.copy(spec)
        resource.schema = schemas[spec.name]
        resource.schema.version = spec.version
        for name, most in spec.most.items():
            resource.schema.block.blocks[name].max_items = most
        for path in spec.also_computed:
            resource.schema.find(path).computed = True
        for path in spec.sensitive:
            resource.schema.find(path).sensitive = True
        for path in spec.write_only:
            resource.schema.find(path).write_only = True
        resources[spec.name] = resource
    return schemas["provider"], resources
