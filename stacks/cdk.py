"""Every name of CDK for Terraform and of its Google bindings. No other module imports those packages.

EROS_CDK=cdktn takes them from cdktf's successor, which ``operations/successor.sh`` installs (docs/successor.md). Its
modules are loaded under cdktf's names, so one import statement and one set of types serve both.

The ``__init__`` of the bindings imports all 1,473 of their modules, which takes eight seconds. A bare package module
replaces it, so that each submodule is imported alone.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

from catalog.files import REPOSITORY
from declared.environment import EnvironmentFileError

if TYPE_CHECKING:
    from types import ModuleType

LIBRARY, BINDINGS = "cdktf", "cdktf_cdktf_provider_google"
SUCCESSOR, SUCCESSOR_BINDINGS = "cdktn", "cdktn_provider_google"
#: Where operations/successor.sh installs the successor's packages.
SUCCESSOR_FOLDER = REPOSITORY / ".cache" / SUCCESSOR / "python"


def _without_submodules(package: str, install: str) -> ModuleType:
    """Make a package's module without running its ``__init__``.

    Raises:
        EnvironmentFileError: the package is not installed.
    """
    spec = find_spec(package)
    if spec is None:
        raise EnvironmentFileError(f"{package} is not installed: run `{install}`")
    return module_from_spec(spec)


def _load(library: str) -> None:
    """Load the library that EROS_CDK names, and its bindings, under cdktf's names.

    Raises:
        EnvironmentFileError: the library is unknown or not installed.
    """
    if library == LIBRARY:
        sys.modules[BINDINGS] = _without_submodules(BINDINGS, "make setup")
    elif library == SUCCESSOR:
        sys.path.insert(0, str(SUCCESSOR_FOLDER))
        sys.modules[BINDINGS] = _without_submodules(SUCCESSOR_BINDINGS, "operations/successor.sh")
        sys.modules[LIBRARY] = import_module(SUCCESSOR)
    else:
        raise EnvironmentFileError(f"EROS_CDK: {library!r} is neither {LIBRARY} nor {SUCCESSOR}")


if BINDINGS not in sys.modules:
    _load(os.environ.get("EROS_CDK") or LIBRARY)

from cdktf import (  # noqa: E402
    App,
    DataResource,
    GcsBackend,
    ITerraformDependable,
    LocalBackend,
    Postcondition,
    TerraformResource,
    TerraformResourceLifecycle,
    TerraformStack,
)
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
    "App",
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
    "DataResource",
    "GcsBackend",
    "GoogleProvider",
    "ITerraformDependable",
    "IamWorkloadIdentityPool",
    "IamWorkloadIdentityPoolProvider",
    "IamWorkloadIdentityPoolProviderOidc",
    "LocalBackend",
    "MonitoringAlertPolicy",
    "MonitoringAlertPolicyAlertStrategy",
    "MonitoringAlertPolicyAlertStrategyNotificationRateLimit",
    "MonitoringAlertPolicyConditions",
    "MonitoringAlertPolicyConditionsConditionAbsent",
    "MonitoringAlertPolicyConditionsConditionAbsentAggregations",
    "MonitoringAlertPolicyConditionsConditionMatchedLog",
    "MonitoringAlertPolicyDocumentation",
    "MonitoringNotificationChannel",
    "Postcondition",
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
    "TerraformResource",
    "TerraformResourceLifecycle",
    "TerraformStack",
]
