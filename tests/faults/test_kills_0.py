"""Half of the drawn kills: the files of a folder run side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.kills import Kill, drawn, most_killed_something, survive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.cdktf, pytest.mark.long]


@pytest.mark.parametrize("one", drawn()[0::2], ids=str)
def test_a_kill_loses_nothing_and_the_next_deployment_ends_well(
    one: Kill, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    survive(one, tmp_path, record_property)


def test_most_of_them_killed_something() -> None:
    most_killed_something()
