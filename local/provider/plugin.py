"""The provider's answers to Terraform's calls."""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from local.provider import mapping, planning
from local.provider.rest import ENDPOINTS, ApiError, Refused, Session
from local.provider.schema import schema_message
from local.provider.values import UNKNOWN, Value, conform, decode, encode, has_unknown
from local.provider.wire import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.provider.planning import Path
    from local.provider.resource import RestObject
    from local.provider.schema import Schema

_ERROR = 1
_KEPT_SESSIONS = 256
_PROJECT_VARIABLES = ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
_FAILURES = (ApiError, Refused, OSError)


class Plugin:
    """A provider that serves any number of Terraform runs at the same time.

    Each Terraform run configures the provider and then uses it on its own connection, so the configuration
    is kept by connection, and a call on a connection that configured nothing (a new one after a break) takes the
    latest. Endpoints that the configuration does not set are those of the server that holds this provider.
    """

    def __init__(self, provider: Schema, resources: Mapping[str, RestObject], endpoints: Mapping[str, str]) -> None:
        self._provider, self._resources = provider, resources
        self._default = Session(dict(endpoints), project=_project_of_environment())
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()
        entries = [MESSAGES["SchemaEntry"](key=name, value=schema_message(r.schema)) for name, r in resources.items()]
        capabilities = MESSAGES["Capabilities"](get_provider_schema_optional=True)
        self._schema: bytes = MESSAGES["SchemaAnswer"](
            provider=schema_message(provider), resource_schemas=entries, server_capabilities=capabilities
        ).SerializeToString()
        names = [MESSAGES["TypeName"](type_name=name) for name in resources]
        self._metadata: bytes = MESSAGES["Metadata"](
            server_capabilities=capabilities, resources=names
        ).SerializeToString()

    def answers(self) -> dict[str, Callable[[Any, str], Any]]:
        """The function that answers each call of the protocol."""
        return {
            "GetMetadata": lambda _request, _peer: self._metadata,
            "GetSchema": lambda _request, _peer: self._schema,
            "PrepareProviderConfig": lambda request, _peer: MESSAGES["PrepareAnswer"](prepared_config=request.config),
            "ValidateResourceTypeConfig": lambda _request, _peer: MESSAGES["Diagnostics"](),
            "ValidateDataSourceConfig": lambda _request, _peer: MESSAGES["Diagnostics"](),
            "UpgradeResourceState": self.upgrade,
            "Configure": self.configure,
            "ReadResource": self.read,
            "PlanResourceChange": self.plan,
            "ApplyResourceChange": self.apply,
            "ImportResourceState": self.import_resource,
            "ReadDataSource": lambda _request, _peer: MESSAGES["DataAnswer"](
                diagnostics=_diagnostics(Refused("this provider has no data sources"))
            ),
            "Stop": lambda _request, _peer: MESSAGES["StopAnswer"](),
        }

    def configure(self, request: Any, peer: str) -> Any:
        """Keep the provider's configuration for this connection."""
        config = {k: v for k, v in decode(request.config).items() if v is not None and not has_unknown(v)}
        endpoints = {api: config[attribute] for api, (attribute, _) in ENDPOINTS.items() if config.get(attribute)}
        session = Session(
            {**self._default.endpoints, **endpoints},
            config.get("project") or self._default.project,
            config.get("access_token") or self._default.token,
            config.get("default_labels") or {},
            config.get("add_terraform_attribution_label", True),
            config.get("terraform_attribution_label_addition_strategy") == "PROACTIVE",
        )
        with self._lock:
            self._sessions[peer] = session
            self._sessions.move_to_end(peer)
            while len(self._sessions) > _KEPT_SESSIONS:
                self._sessions.popitem(last=False)
        return MESSAGES["Diagnostics"]()

    def _session(self, peer: str) -> Session:
        with self._lock:
            return self._sessions.get(peer) or next(reversed(self._sessions.values()), self._default)

    def upgrade(self, request: Any, _peer: str) -> Any:
        """Read a state from its file."""
        block = self._resources[request.type_name].schema.block
        state = encode(block, conform(block, json.loads(request.raw_state.json)))
        return MESSAGES["UpgradeAnswer"](upgraded_state=state)

    def read(self, request: Any, peer: str) -> Any:
        """Refresh a state."""
        resource = self._resources[request.type_name]
        try:
            state = resource.read(self._session(peer), decode(request.current_state))
        except Exception as error:  # noqa: BLE001 - Terraform must get every failure in its own form
            return MESSAGES["ReadAnswer"](
                new_state=request.current_state, private=request.private, diagnostics=_diagnostics(error)
            )
        return MESSAGES["ReadAnswer"](new_state=encode(resource.schema.block, state), private=request.private)

    def plan(self, request: Any, peer: str) -> Any:
        """Plan a change."""
        resource = self._resources[request.type_name]
        block = resource.schema.block
        prior, proposed, config = map(decode, (request.prior_state, request.proposed_new_state, request.config))
        if proposed is None:
            return MESSAGES["PlanAnswer"](
                planned_state=request.proposed_new_state, planned_private=request.prior_private
            )
        try:
            change = planned(resource, self._session(peer), prior, config)
        except Exception as error:  # noqa: BLE001 - as above
            return MESSAGES["PlanAnswer"](planned_state=request.proposed_new_state, diagnostics=_diagnostics(error))
        return MESSAGES["PlanAnswer"](
            planned_state=encode(block, change.plan),
            planned_private=request.prior_private,
            requires_replace=[_path(path) for path in change.replace],
            legacy_type_system=True,
        )

    def apply(self, request: Any, peer: str) -> Any:
        """Create, change or delete; after a failure the state says what exists."""
        resource = self._resources[request.type_name]
        block, session = resource.schema.block, self._session(peer)
        prior, plan = decode(request.prior_state), decode(request.planned_state)
        state, problems = prior, []
        try:
            if plan is None:
                resource.delete(session, prior)
                state = None
            elif prior is None:
                state = _only_known(resource.create(session, plan))
                state["id"] = resource.id_of(state)
                state = _written(resource, session, state, plan)
            else:
                resource.update(session, prior, plan)
                state = _written(resource, session, plan, plan)
        except Exception as error:  # noqa: BLE001 - as above
            problems = _diagnostics(error)
        return MESSAGES["ApplyAnswer"](
            new_state=encode(block, state),
            private=request.planned_private,
            diagnostics=problems,
            legacy_type_system=True,
        )

    def import_resource(self, request: Any, peer: str) -> Any:
        """Begin a state from an import id; Terraform reads it next."""
        resource = self._resources[request.type_name]
        try:
            state = resource.import_state(self._session(peer), request.id)
        except Exception as error:  # noqa: BLE001 - as above
            return MESSAGES["ImportAnswer"](diagnostics=_diagnostics(error))
        imported = MESSAGES["Imported"](type_name=request.type_name, state=encode(resource.schema.block, state))
        return MESSAGES["ImportAnswer"](imported_resources=[imported])


def planned(resource: RestObject, session: Session, prior: Value, config: Value) -> planning.Change:
    """Plan a change of one resource."""
    change = planning.plan(resource.schema.block, resource.rules, prior, config)
    resource.adjust(session, change)
    return change


def _written(resource: RestObject, session: Session, known: Value, plan: Value) -> Value:
    state = resource.read(session, known)
    if state is None:
        raise Refused(f"{resource.title} {known.get('id')} was written, but cannot be found now: apply again")
    return mapping.settle(resource.schema.block, state, plan)


def _only_known(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _only_known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_only_known(item) for item in value]
    return None if value is UNKNOWN else value


def _diagnostics(error: Exception) -> list[Any]:
    if isinstance(error, _FAILURES):
        return [MESSAGES["Diagnostic"](severity=_ERROR, summary=str(error))]
    detail = "".join(traceback.format_exception(error))
    summary = f"The local provider failed: {type(error).__name__}: {error}"
    return [MESSAGES["Diagnostic"](severity=_ERROR, summary=summary, detail=detail)]


def _path(steps: Path) -> Any:
    return MESSAGES["Path"](
        steps=[
            MESSAGES["Step"](attribute_name=step) if isinstance(step, str) else MESSAGES["Step"](element_key_int=step)
            for step in steps
        ]
    )


def _project_of_environment() -> str | None:
    return next((os.environ[name] for name in _PROJECT_VARIABLES if os.environ.get(name)), None)
