"""The Google bindings, without the eight seconds that importing all 1,473 of their modules takes.

A bare package module stands in for the bindings' ``__init__``, so that each submodule is imported alone.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec

PACKAGE = "cdktf_cdktf_provider_google"

if PACKAGE not in sys.modules:
    spec = find_spec(PACKAGE)
    if spec is None:
        raise ModuleNotFoundError(f"{PACKAGE} is not installed: run `make setup`")
    sys.modules[PACKAGE] = module_from_spec(spec)

from cdktf_cdktf_provider_google.bigquery_data_transfer_config import BigqueryDataTransferConfig  # noqa: E402
from cdktf_cdktf_provider_google.bigquery_dataset import BigqueryDataset  # noqa: E402
from cdktf_cdktf_provider_google.bigquery_dataset_iam_member import BigqueryDatasetIamMember  # noqa: E402
from cdktf_cdktf_provider_google.bigquery_job import BigqueryJob, BigqueryJobQuery  # noqa: E402
from cdktf_cdktf_provider_google.bigquery_routine import BigqueryRoutine, BigqueryRoutineArguments  # noqa: E402
from cdktf_cdktf_provider_google.bigquery_table import (  # noqa: E402
    BigqueryTable,
    BigqueryTableTimePartitioning,
    BigqueryTableView,
)
from cdktf_cdktf_provider_google.iam_workload_identity_pool import IamWorkloadIdentityPool  # noqa: E402
from cdktf_cdktf_provider_google.iam_workload_identity_pool_provider import (  # noqa: E402
    IamWorkloadIdentityPoolProvider,
    IamWorkloadIdentityPoolProviderOidc,
)
from cdktf_cdktf_provider_google.monitoring_alert_policy import (  # noqa: E402
    MonitoringAlertPolicy,
    MonitoringAlertPolicyAlertStrategy,
    MonitoringAlertPolicyAlertStrategyNotificationRateLimit,
    MonitoringAlertPolicyConditions,
    MonitoringAlertPolicyConditionsConditionAbsent,
    MonitoringAlertPolicyConditionsConditionAbsentAggregations,
    MonitoringAlertPolicyConditionsConditionMatchedLog,
    MonitoringAlertPolicyDocumentation,
)
from cdktf_cdktf_provider_google.monitoring_notification_channel import MonitoringNotificationChannel  # noqa: E402
from cdktf_cdktf_provider_google.project_iam_audit_config import (  # noqa: E402
    ProjectIamAuditConfig,
    ProjectIamAuditConfigAuditLogConfig,
)
from cdktf_cdktf_provider_google.project_iam_custom_role import ProjectIamCustomRole  # noqa: E402
from cdktf_cdktf_provider_google.project_iam_member import (  # noqa: E402
    ProjectIamMember,
    ProjectIamMemberCondition,
)
from cdktf_cdktf_provider_google.provider import GoogleProvider  # noqa: E402
from cdktf_cdktf_provider_google.service_account import ServiceAccount  # noqa: E402
from cdktf_cdktf_provider_google.service_account_iam_member import ServiceAccountIamMember  # noqa: E402
from cdktf_cdktf_provider_google.storage_bucket import (  # noqa: E402
    StorageBucket,
    StorageBucketLifecycleRule,
    StorageBucketLifecycleRuleAction,
    StorageBucketLifecycleRuleCondition,
    StorageBucketSoftDeletePolicy,
    StorageBucketVersioning,
)
from cdktf_cdktf_provider_google.storage_bucket_iam_member import (  # noqa: E402
    StorageBucketIamMember,
    StorageBucketIamMemberCondition,
)

__all__ = [
    "BigqueryDataTransferConfig",
    "BigqueryDataset",
    "BigqueryDatasetIamMember",
    "BigqueryJob",
    "BigqueryJobQuery",
    "BigqueryRoutine",
    "BigqueryRoutineArguments",
    "BigqueryTable",
    "BigqueryTableTimePartitioning",
    "BigqueryTableView",
    "GoogleProvider",
    "IamWorkloadIdentityPool",
    "IamWorkloadIdentityPoolProvider",
    "IamWorkloadIdentityPoolProviderOidc",
    "MonitoringAlertPolicy",
    "MonitoringAlertPolicyAlertStrategy",
    "MonitoringAlertPolicyAlertStrategyNotificationRateLimit",
    "MonitoringAlertPolicyConditions",
    "MonitoringAlertPolicyConditionsConditionAbsent",
    "MonitoringAlertPolicyConditionsConditionAbsentAggregations",
    "MonitoringAlertPolicyConditionsConditionMatchedLog",
    "MonitoringAlertPolicyDocumentation",
    "MonitoringNotificationChannel",
    "ProjectIamAuditConfig",
    "ProjectIamAuditConfigAuditLogConfig",
    "ProjectIamCustomRole",
    "ProjectIamMember",
    "ProjectIamMemberCondition",
    "ServiceAccount",
    "ServiceAccountIamMember",
    "StorageBucket",
    "StorageBucketIamMember",
    "StorageBucketIamMemberCondition",
    "StorageBucketLifecycleRule",
    "StorageBucketLifecycleRuleAction",
    "StorageBucketLifecycleRuleCondition",
    "StorageBucketSoftDeletePolicy",
    "StorageBucketVersioning",
]
