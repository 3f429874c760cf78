"""A resource type that is one REST object: created by POST, read by GET, changed by PUT or PATCH, removed by DELETE."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.provider import mapping
from local.provider.rest import ApiError, Refused, Session
from local.provider.rules import PLAIN, VIRTUAL, Rules, camel
from local.provider.schema import Block, Schema
from local.provider.values import UNKNOWN, Value, has_unknown

if TYPE_CHECKING:
    from local.provider.planning import Change

_ATTRIBUTION = "goog-terraform-provisioned"
_GONE = 404


@dataclass
class RestObject:
    """A resource type: what its schema does not contain, and the steps of its lifecycle.

    Attributes:
        name: The type's name in Terraform.
        title: Its name in messages.
        api: The API that holds it.
        item: The path of one object, filled in from the state.
        imports: The accepted import ids, as regular expressions with named groups; the first that fits counts.
        rules: What the schema does not say about attributes and blocks.
        collection: The path that a new object is sent to.
        id: The Terraform id; `item` where it is empty.
        update_method: PUT or PATCH; empty where nothing changes in place.
        masked: Whether an update names the fields that changed.
        query: A query string that is sent with every read and write.
        also_computed: Optional attributes that are computed too, by path: the bindings lose that.
        sensitive: Attributes not to be shown: the bindings lose that.
        write_only: Attributes never kept in the state: the bindings lose that.
        most: How many blocks there may be, by name: the bindings lose that.
        version: The version of the state.
        schema: The whole schema, set when the provider starts.
    """

    name: str
    title: str
    api: str
    item: str
    imports: tuple[str, ...]
    rules: Rules
    collection: str = ""
    id: str = ""
    update_method: str = "PUT"
    masked: bool = False
    query: str = ""
    also_computed: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    write_only: tuple[str, ...] = ()
    most: dict[str, int] = field(default_factory=dict)
    version: int = 0
    schema: Schema = field(default_factory=lambda: Schema(Block()))

    # Planning

    def adjust(self, session: Session, change: Change) -> None:
        """Finish a plan: the project and the labels that the provider adds."""
        plan, attributes = change.plan, self.schema.block.attributes
        if "project" in attributes and plan.get("project") in (None, "", UNKNOWN) and session.project:
            plan["project"] = session.project
        if "effective_labels" in attributes:
            _plan_labels(session, change)
            replaces = self.rules.get("effective_labels", PLAIN).replaces
            if replaces and change.prior is not None and change.changed("effective_labels"):
                change.replace.append(("effective_labels",))
        if change.prior is not None and not change.replace:
            change.replace.extend(self.further_replacements(change))

    def further_replacements(self, _change: Change) -> list[tuple[str | int, ...]]:
        """The attributes that require a replacement, beyond the rules on single attributes."""
        return []

    # Lifecycle

    def create(self, session: Session, plan: Value) -> Value:
        """Create the object; return what is known of it then."""
        try:
            answer = session.call(self.api, "POST", self._url(self.collection, plan), self.body(plan, None))
        except (ApiError, ConnectionError) as error:
            raise type_of(error)(f"Error creating {self.title}: {error}") from error
        return {**plan, **self.named(answer)}

    def read(self, session: Session, known: Value) -> Value:
        """Read the object; None if it does not exist."""
        try:
            data = session.find(self.api, self._url(self.item, known))
        except (ApiError, ConnectionError) as error:
            raise type_of(error)(f"Error when reading or editing {self._quoted(known)}: {error}") from error
        return None if data is None else self.state(session, data, known)

    def update(self, session: Session, prior: Value, plan: Value) -> None:
        """Change the object in place."""
        changes = self.written_changes(prior, plan)
        if self.update_method and changes:
            mask = f"?updateMask={','.join(sorted(map(camel, changes)))}" if self.masked else ""
            self.send_update(session, self._url(self.item, plan) + mask, prior, plan)

    def send_update(self, session: Session, path: str, prior: Value, plan: Value) -> None:
        """Write the changed object to a path, which may hold a mask."""
        try:
            session.call(self.api, self.update_method, path, self.body(plan, prior))
        except (ApiError, ConnectionError) as error:
            raise type_of(error)(self.update_error(plan, error)) from error

    def delete(self, session: Session, prior: Value) -> None:
        """Delete the object; a missing one is fine."""
        try:
            session.call(self.api, "DELETE", self.deletion(prior))
        except ApiError as error:
            if error.status != _GONE:
                raise type_of(error)(f"Error when reading or editing {self._quoted(prior)}: {error}") from error

    def import_state(self, session: Session, text: str) -> Value:
        """Begin a state from an import id.

        Raises:
            Refused: The id does not match an accepted form.
        """
        for form in self.imports:
            if match := re.fullmatch(form, text):
                defaults = {
                    path: rule.default for path, rule in self.rules.items() if rule.api == VIRTUAL and "." not in path
                }
                state = {**defaults, "project": session.project, **match.groupdict()}
                self.complete_import(session, state)
                state["id"] = self.id_of(state)
                return state
        forms = [re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{{\1}}", form) for form in self.imports]
        raise Refused(f"Import id {text!r} doesn't match any of the accepted formats: {forms}")

    # Details that a resource type may override

    def body(self, plan: Value, _prior: Value) -> dict[str, Any]:
        """The body of a write; the prior state is None for a new object."""
        body = mapping.expand(self.schema.block, self.rules, plan)
        if plan.get("effective_labels"):
            mapping.put(body, self.labels_place(), plan["effective_labels"])
        return body

    def labels_place(self) -> str:
        """The path of the labels in the REST object."""
        return "labels"

    def named(self, _answer: Any) -> dict[str, Value]:
        """The names that the server has given to a new object, from its answer."""
        return {}

    def deletion(self, prior: Value) -> str:
        """The path of the delete."""
        return self.fill(self.item, prior)

    def update_error(self, plan: Value, error: Exception) -> str:
        """The message of a failed update."""
        return f'Error updating {self.title} "{self.id_of(plan)}": {error}'

    def complete_import(self, session: Session, state: dict[str, Value]) -> None:
        """Complete an imported state."""

    def state(self, _session: Session, data: Any, known: Value) -> Value:
        """The state of the object that was read."""
        new = mapping.flatten(self.schema.block, self.rules, data, known)
        new["id"] = self.id_of(new)
        if "effective_labels" in new:
            labels = mapping.get(data, self.labels_place()) or {}
            for name in ("labels", "terraform_labels"):
                mine = known.get(name)
                new[name] = {key: labels[key] for key in mine if key in labels} if isinstance(mine, dict) else {}
            new["effective_labels"] = labels
        return new

    # What all resource types share

    def written_changes(self, prior: Value, plan: Value) -> list[str]:
        """The attributes and blocks that differ and are sent to the server."""
        block = self.schema.block
        names = [name for name, attribute in block.attributes.items() if attribute.required or attribute.optional]
        names += [name for name in block.blocks if name != "timeouts"]
        names += ["effective_labels"] if "effective_labels" in block.attributes else []
        return [
            name
            for name in names
            if name not in ("id", "labels")
            and self.rules.get(name, PLAIN).api != VIRTUAL
            and prior.get(name) != plan.get(name)
        ]

    def fill(self, template: str, state: Value) -> str:
        """A path filled from a state, quoted for a URL."""
        quoted = {key: urllib.parse.quote(value, safe="/@:") for key, value in state.items() if isinstance(value, str)}
        return template.format(**quoted)

    def id_of(self, state: Value) -> str:
        """The Terraform id."""
        return (self.id or self.item).format(**state)

    def _url(self, template: str, state: Value) -> str:
        path = self.fill(template, state)
        query = self.fill(self.query, state)
        return f"{path}?{query}" if query else path

    def _quoted(self, state: Value) -> str:
        return f'BigQuery{self.title} "{state.get("id") or self.id_of(state)}"'


def type_of(error: Exception) -> type[Exception]:
    """The type in which to raise an error with more context: an unreachable server stays a ConnectionError."""
    return ConnectionError if isinstance(error, ConnectionError) else Refused


def _plan_labels(session: Session, change: Change) -> None:
    """Plan labels, terraform_labels and effective_labels as the original's CustomizeDiff does."""
    plan, prior = change.plan, change.prior or {}
    if has_unknown(plan.get("labels")):
        plan["terraform_labels"] = plan["effective_labels"] = UNKNOWN
        return
    mine = {**session.default_labels, **(plan.get("labels") or {})}
    effective = prior.get("effective_labels") or {}
    add_now = session.attribution_always or change.prior is None
    if session.attribution_label and (_ATTRIBUTION in effective or add_now):
        mine[_ATTRIBUTION] = "true"
    dropped = set(prior.get("terraform_labels") or {}) - set(mine)
    plan["terraform_labels"] = mine
    plan["effective_labels"] = {**{key: value for key, value in effective.items() if key not in dropped}, **mine}
