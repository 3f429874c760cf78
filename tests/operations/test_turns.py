"""A run has its turn until the end: what it looks at last, another run would change."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from declared.loading import load_environment
from google.failures import LateAnswerError
from google.waiting import time_limit
from operations.deploy import deployment, previews, rollback
from operations.deploy.adoption import Adoption

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType


class Turns:
    """What was called, and whether in a turn."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.held = False
        self.calls: dict[str, bool] = {}

    @contextmanager
    def own_turn(self, _title: str, _say: Any) -> Iterator[None]:
        """Take turns; a second turn within one would wait for ever."""
        assert not self.held
        self.held = True
        yield
        self.held = False

    def stand_in(self, module: ModuleType, *names: str, **answers: Any) -> None:
        """Record calls of a module's functions instead of making them."""
        self.patch.setattr(module, "own_turn", self.own_turn)
        for name in (*names, *answers):

            def called(*_: Any, name: str = name, **__: Any) -> Any:
                self.calls[name] = self.held
                return answers.get(name)

            self.patch.setattr(module, name, called)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """Nobody has a turn."""
    return Turns(monkeypatch)


@pytest.fixture
def console() -> Console:
    """A console that nobody reads."""
    return Console(file=io.StringIO())


def test_a_deployment_has_its_turn_until_it_is_verified(turns: Turns, console: Console) -> None:
    turns.stand_in(deployment, "bring_up", "restore_states", "synthesize", "run_module", "GoogleApi")
    turns.stand_in(deployment, repeating_variables={}, apply_with_cdktf=None, run_each_schedule=(), verified=None)
    deployment.deploy(load_environment("local"), console, adopt=True, auto_approve=True)
    assert turns.calls.pop("bring_up") is False
    assert {"run_each_schedule", "verified", "apply_with_cdktf"} <= turns.calls.keys()
    assert all(turns.calls.values()), turns.calls


def test_a_destruction_has_its_turn_until_nothing_is_left(turns: Turns, console: Console) -> None:
    turns.stand_in(rollback, "bring_up", "destroy_stacks", "nothing_is_left")
    rollback.destroy(load_environment("local"), console, None, auto_approve=True)
    assert turns.calls == {"bring_up": False, "destroy_stacks": True, "nothing_is_left": True}


def test_a_preview_has_its_turn_until_its_states_are_deleted(turns: Turns, console: Console, tmp_path: Path) -> None:
    (state := tmp_path / "state").touch()
    turns.stand_in(previews, "bring_up", "destroy_stacks", "nothing_is_left", "GoogleApi")
    turns.stand_in(previews, remove_what_is_left=(), _state_files=[state])
    previews.down(load_environment("preview-local-7"), console)
    assert not state.exists()
    assert turns.calls.pop("bring_up") is False
    assert {"_state_files", "nothing_is_left"} <= turns.calls.keys()
    assert all(turns.calls.values()), turns.calls


def test_the_wait_for_a_deletion_ends_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    local = load_environment("local")
    monkeypatch.setattr(rollback, "settle_seconds_of", lambda _: 2.0)
    monkeypatch.setattr(rollback, "read_import_ids", lambda _: {})
    monkeypatch.setattr(rollback, "adoptable", lambda *_: Adoption({"s": {"a.b": "b"}}, ()))
    with time_limit(0.2), pytest.raises(LateAnswerError):
        rollback.nothing_is_left(local, None)
