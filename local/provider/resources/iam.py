"""The members of policies and the audit configuration: read, changed and written back under a lock.

Terraform applies ten resources at a time, and several runs may share this provider: an unguarded
read-modify-write would lose members. A conflict with another writer is resolved by reading again.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.provider.resource import RestObject, type_of
from local.provider.rest import ApiError, Session
from local.provider.rules import REPLACES, Rule, Rules, same_case

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.provider.values import Value

type Policy = dict[str, Any]

_CONFLICTS = (409, 412)
_ATTEMPTS = 10
_GONE = 404
_CONDITIONAL_VERSION = 3
_UNCONDITIONAL = "allUsers"
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

_MEMBER_RULES: Rules = {
    "role": REPLACES,
    "member": Rule(replaces=True, same=same_case),
    "condition": REPLACES,
    "condition.expression": REPLACES,
    "condition.title": REPLACES,
    "condition.description": REPLACES,
}


@dataclass
class PolicyPart(RestObject):
    """A part of a policy, at `item`. Subclasses define the part, and how the policy is read and written."""

    def get_policy(self, session: Session, state: Value) -> Policy:
        """Read the policy."""
        options = {"options": {"requestedPolicyVersion": _CONDITIONAL_VERSION}}
        policy: Policy = session.call(self.api, "POST", f"{self.fill(self.item, state)}:getIamPolicy", options)
        return policy

    def set_policy(self, session: Session, state: Value, policy: Policy) -> None:
        """Write the policy; its etag makes the server refuse it if another writer was faster."""
        body = {"policy": {**policy, "version": _CONDITIONAL_VERSION}, "updateMask": "bindings,etag,auditConfigs"}
        session.call(self.api, "POST", f"{self.fill(self.item, state)}:setIamPolicy", body)

    def add(self, policy: Policy, state: Value) -> bool:
        """Put the part into the policy; return whether that changed it."""
        raise NotImplementedError

    def remove(self, policy: Policy, state: Value) -> bool:
        """Remove the part from the policy; return whether that changed it."""
        raise NotImplementedError

    def found(self, policy: Policy, state: Value) -> Value:
        """The state of the part in the policy, or None."""
        raise NotImplementedError

    def create(self, session: Session, plan: Value) -> Value:
        """Put the part into the policy."""
        self._change(session, plan, self.add)
        return plan

    def read(self, session: Session, known: Value) -> Value:
        """Find the part in the policy."""
        try:
            policy = self.get_policy(session, known)
        except ApiError as error:
            if error.status == _GONE:
                return None
            raise type_of(error)(f"Error retrieving IAM policy for {self._target(known)}: {error}") from error
        except ConnectionError as error:
            raise ConnectionError(f"Error retrieving IAM policy for {self._target(known)}: {error}") from error
        state = self.found(policy, known)
        return None if state is None else {**state, "etag": policy.get("etag", ""), "id": self.id_of(state)}

    def update(self, session: Session, _prior: Value, plan: Value) -> None:
        """Write the part again."""
        self._change(session, plan, self.add)

    def delete(self, session: Session, prior: Value) -> None:
        """Remove the part from the policy; a missing policy is fine."""
        self._change(session, prior, self.remove, missing_is_fine=True)

    def _change(
        self, session: Session, state: Value, step: Callable[[Policy, Value], bool], *, missing_is_fine: bool = False
    ) -> None:
        with _locks[self.fill(self.item, state)]:
            for attempt in range(_ATTEMPTS):
                try:
                    policy = self.get_policy(session, state)
                    if step(policy, state):
                        self.set_policy(session, state, policy)
                except ApiError as error:
                    if missing_is_fine and error.status == _GONE:
                        return
                    if error.status not in _CONFLICTS or attempt == _ATTEMPTS - 1:
                        raise type_of(error)(self._apply_error(state, error)) from error
                except ConnectionError as error:
                    raise ConnectionError(self._apply_error(state, error)) from error
                else:
                    return

    def _apply_error(self, state: Value, error: Exception) -> str:
        target = self._target(state)
        return f"Error applying IAM policy for {target}: Error setting IAM policy for {target}: {error}"

    def _target(self, state: Value) -> str:
        return f'{self.title} "{self.fill(self.item, state).removeprefix("projects/")}"'


@dataclass
class PolicyMember(PolicyPart):
    """One member of one role, perhaps under a condition."""

    def add(self, policy: Policy, state: Value) -> bool:
        """Put the member into its role's binding."""
        binding = self._binding(policy, state)
        if binding is None:
            condition = _condition(state)
            binding = {"role": state["role"], "members": [], **({"condition": condition} if condition else {})}
            policy.setdefault("bindings", []).append(binding)
        if _holds(binding, state["member"]):
            return False
        binding["members"].append(state["member"])
        return True

    def remove(self, policy: Policy, state: Value) -> bool:
        """Remove the member from its role's binding, and an empty binding from the policy."""
        binding = self._binding(policy, state)
        if binding is None or not _holds(binding, state["member"]):
            return False
        binding["members"] = [member for member in binding["members"] if not same_case(member, state["member"])]
        policy["bindings"] = [kept for kept in policy["bindings"] if kept["members"]]
        return True

    def found(self, policy: Policy, state: Value) -> Value:
        """The state of the member."""
        binding = self._binding(policy, state)
        if binding is None or not _holds(binding, state["member"]):
            return None
        condition = binding.get("condition")
        texts = ("expression", "title", "description")
        return {**state, "condition": [{name: condition.get(name, "") for name in texts}] if condition else []}

    def id_of(self, state: Value) -> str:
        """The policy's id, the role, the member and the condition's title."""
        parts = [self.id.format(**state), state["role"], state["member"], (_condition(state) or {}).get("title", "")]
        return "/".join(filter(None, parts))

    def complete_import(self, _session: Session, state: dict[str, Value]) -> None:
        """A title in the import id names the condition."""
        title = state.pop("condition_title", None)
        state["condition"] = [{"title": title, "expression": "", "description": ""}] if title else []

    def _binding(self, policy: Policy, state: Value) -> Policy | None:
        wanted = _condition(state)
        for binding in policy.get("bindings") or []:
            present = _texts(binding.get("condition") or {})
            only_title = wanted is not None and "expression" not in wanted and wanted["title"] == present.get("title")
            if binding["role"] == state["role"] and (present == (wanted or {}) or only_title):
                return dict_of(binding)
        return None


def dict_of(binding: Any) -> Policy:
    """A binding of the policy (not a copy: it is changed in place)."""
    result: Policy = binding
    return result


def _texts(condition: Any) -> dict[str, Any]:
    return {key: text for key, text in condition.items() if text}


def _condition(state: Value) -> dict[str, Any] | None:
    return _texts((state.get("condition") or [{}])[0]) or None


def _holds(binding: Policy, member: str) -> bool:
    return any(same_case(member, other) for other in binding["members"])


@dataclass
class DatasetMember(PolicyMember):
    """A member of a dataset's policy, which is the list of its access entries."""

    def get_policy(self, session: Session, state: Value) -> Policy:
        """Convert the dataset's access entries to a policy; entries that are not role members are kept separately."""
        dataset = session.call(self.api, "GET", self.fill(self.item, state))
        policy: Policy = {"etag": dataset.get("etag", ""), "bindings": [], "kept_aside": []}
        for entry in dataset.get("access") or []:
            member = _member_of(entry)
            if member is None:
                policy["kept_aside"].append(entry)
                continue
            role = _PREDEFINED.get(entry["role"], entry["role"])
            condition = entry.get("condition") or {}
            for binding in policy["bindings"]:
                if binding["role"] == role and binding.get("condition", {}) == condition:
                    binding["members"].append(member)
                    break
            else:
                binding = {"role": role, "members": [member], **({"condition": condition} if condition else {})}
                policy["bindings"].append(binding)
        return policy

    def set_policy(self, session: Session, state: Value, policy: Policy) -> None:
        """Write the access entries, in the order of roles and members as the original does."""
        access = list(policy["kept_aside"])
        for binding in sorted(policy["bindings"], key=lambda binding: str(binding["role"])):
            condition = {"condition": binding["condition"]} if binding.get("condition") else {}
            access += [{"role": binding["role"], **_entry_of(member), **condition} for member in binding["members"]]
        conditional = "?accessPolicyVersion=3" if any("condition" in entry for entry in access) else ""
        session.call(self.api, "PATCH", self.fill(self.item, state) + conditional, {"access": access})


_PREDEFINED = {
    "OWNER": "roles/bigquery.dataOwner",
    "WRITER": "roles/bigquery.dataEditor",
    "READER": "roles/bigquery.dataViewer",
}
_ENTRY_KEYS = {"group": "groupByEmail", "domain": "domain", "user": "userByEmail", "serviceAccount": "userByEmail"}


def _member_of(entry: dict[str, Any]) -> str | None:
    """Name the member of an access entry; None for an authorised view, dataset or routine."""
    if not entry.get("role"):
        return None
    if "userByEmail" in entry:
        kind = "serviceAccount" if entry["userByEmail"].endswith("gserviceaccount.com") else "user"
        return f"{kind}:{entry['userByEmail']}"
    for key, prefix in (
        ("groupByEmail", "group:"),
        ("domain", "domain:"),
        ("iamMember", "iamMember:"),
        ("specialGroup", ""),
    ):
        if key in entry:
            return f"{prefix}{entry[key]}"
    return None


def _entry_of(member: str) -> dict[str, str]:
    kind, _, name = member.partition(":")
    if not name:
        return {"iamMember" if member == _UNCONDITIONAL else "specialGroup": member}
    if kind == "iamMember":
        return {"iamMember": name}
    return {_ENTRY_KEYS[kind]: name} if kind in _ENTRY_KEYS else {"iamMember": member}


@dataclass
class ServiceAccountMember(PolicyMember):
    """A member of a service account's own policy."""

    def get_policy(self, session: Session, state: Value) -> Policy:
        """Read the policy; this API expects the version in the query."""
        path = f"{self.fill(self.item, state)}:getIamPolicy?options.requestedPolicyVersion={_CONDITIONAL_VERSION}"
        policy: Policy = session.call(self.api, "POST", path)
        return policy

    def set_policy(self, session: Session, state: Value, policy: Policy) -> None:
        """Write the policy; this API has no mask."""
        body = {"policy": {**policy, "version": _CONDITIONAL_VERSION}}
        session.call(self.api, "POST", f"{self.fill(self.item, state)}:setIamPolicy", body)


@dataclass
class BucketMember(PolicyMember):
    """A member of a bucket's policy, which Cloud Storage reads and writes in its own way."""

    def get_policy(self, session: Session, state: Value) -> Policy:
        """Read the policy."""
        path = f"{self.fill(self.item, state)}/iam?optionsRequestedPolicyVersion={_CONDITIONAL_VERSION}"
        policy: Policy = session.call(self.api, "GET", path)
        return policy

    def set_policy(self, session: Session, state: Value, policy: Policy) -> None:
        """Write the policy."""
        session.call(self.api, "PUT", f"{self.fill(self.item, state)}/iam", {**policy, "version": _CONDITIONAL_VERSION})


@dataclass
class AuditConfig(PolicyPart):
    """The audit logging of one service."""

    def add(self, policy: Policy, state: Value) -> bool:
        """Put the service's entry into the policy; it replaces an older one."""
        entries = [_log_entry(entry) for entry in state["audit_log_config"]]
        rest = [entry for entry in policy.get("auditConfigs") or [] if entry["service"] != state["service"]]
        policy["auditConfigs"] = [*rest, {"service": state["service"], "auditLogConfigs": entries}]
        return True

    def remove(self, policy: Policy, state: Value) -> bool:
        """Remove the service's entry."""
        before = policy.get("auditConfigs") or []
        policy["auditConfigs"] = [entry for entry in before if entry["service"] != state["service"]]
        return len(policy["auditConfigs"]) != len(before)

    def found(self, policy: Policy, state: Value) -> Value:
        """The state of the service's entry."""
        for entry in policy.get("auditConfigs") or []:
            if entry["service"] == state["service"]:
                logs = entry.get("auditLogConfigs") or []
                blocks = [
                    {"log_type": log["logType"], "exempted_members": log.get("exemptedMembers") or []} for log in logs
                ]
                return {**state, "audit_log_config": blocks}
        return None


def _log_entry(block: Value) -> dict[str, Any]:
    exempted = sorted(block.get("exempted_members") or [])
    return {"logType": block["log_type"], **({"exemptedMembers": exempted} if exempted else {})}


_MEMBER = r"(?P<role>\S+) (?P<member>\S+)(?: (?P<condition_title>.+))?"

PROJECT_MEMBER = PolicyMember(
    name="google_project_iam_member",
    title="project",
    api="resource_manager",
    item="projects/{project}",
    id="{project}",
    imports=(rf"(?:projects/)?(?P<project>[^\s/]+) {_MEMBER}",),
    rules={**_MEMBER_RULES, "project": Rule(replaces=True)},
)
DATASET_MEMBER = DatasetMember(
    name="google_bigquery_dataset_iam_member",
    title="dataset",
    api="bigquery",
    item="projects/{project}/datasets/{dataset_id}",
    id="projects/{project}/datasets/{dataset_id}",
    imports=(
        rf"projects/(?P<project>[^\s/]+)/datasets/(?P<dataset_id>[^\s/]+) {_MEMBER}",
        rf"(?P<project>[^\s/]+)/(?P<dataset_id>[^\s/]+) {_MEMBER}",
        rf"(?P<dataset_id>[^\s/]+) {_MEMBER}",
    ),
    rules={**_MEMBER_RULES, "project": REPLACES, "dataset_id": REPLACES},
    also_computed=("project",),
)
SERVICE_ACCOUNT_MEMBER = ServiceAccountMember(
    name="google_service_account_iam_member",
    title="service account",
    api="iam",
    item="{service_account_id}",
    id="{service_account_id}",
    imports=(rf"(?P<service_account_id>projects/[^\s/]+/serviceAccounts/[^\s/]+) {_MEMBER}",),
    rules={**_MEMBER_RULES, "service_account_id": REPLACES},
)
BUCKET_MEMBER = BucketMember(
    name="google_storage_bucket_iam_member",
    title="bucket",
    api="storage",
    item="b/{bucket}",
    id="b/{bucket}",
    imports=(rf"(?:b/)?(?P<bucket>[^\s/]+) {_MEMBER}",),
    rules={**_MEMBER_RULES, "bucket": REPLACES},
)
AUDIT_CONFIG = AuditConfig(
    name="google_project_iam_audit_config",
    title="project",
    api="resource_manager",
    item="projects/{project}",
    id="{project}/audit_config/{service}",
    imports=(r"(?:projects/)?(?P<project>[^\s/]+) (?P<service>\S+)",),
    rules={"project": REPLACES, "service": REPLACES},
)
