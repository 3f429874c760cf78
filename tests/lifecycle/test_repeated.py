"""The life of a deployment with what takes long: a kill, all the sample data, two previews at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lifecycle.existing import existing, table, with_terraform_killed
from tests.lifecycle.jobs import verified

if TYPE_CHECKING:
    from tests.harness.checkout import Checkout

pytestmark = [pytest.mark.cdktf, pytest.mark.long]


def test_terraform_killed_in_a_first_deploy_ends_it(checkout: Checkout) -> None:
    killed = with_terraform_killed(checkout, "deploy", "apply")
    assert "Terraform was killed: apply of eros-local-warehouse" in killed
    assert not list(checkout.state.glob("eros-local-routines.tfstate")), "no later stack starts"


def test_the_next_deploy_comes_with_a_whole_agency_s_data(checkout: Checkout) -> None:
    printed = checkout.make("deploy")
    assert checkout.query(f"SELECT COUNT(*) FROM `{table('mass_messages')}`") == [["100000"]]
    for part in ("run_daily_automation", "Queue: 99 creators", "Reports: 100 creators", "Captions for creator_"):
        assert part in printed
    verified(checkout)


def test_two_previews_exist_side_by_side(checkout: Checkout) -> None:
    alone = existing(checkout)
    for number in (7, 8):
        checkout.make("preview-up", f"NUMBER={number}")
    together = existing(checkout)
    assert {"eros_scheduling_brain_pr7", "eros_scheduling_brain_pr8"} == together["datasets"] - alone["datasets"]
    for name in ("local", "preview-local-7", "preview-local-8"):
        checkout.python("verification", "--env", name)
    checkout.make("preview-down", "NUMBER=7")
    checkout.python("verification", "--env", "preview-local-8")
    checkout.make("preview-down", "NUMBER=8")
    assert existing(checkout) == alone
