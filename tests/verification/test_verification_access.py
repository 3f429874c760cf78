"""The access suite checks the roles that the access stack grants."""

from __future__ import annotations

import stacks.access
from verification.suites import access


def test_the_suite_and_the_stack_name_the_same_roles() -> None:
    """They are two lists, since the stack's module brings the whole of cdktf with it."""
    assert access.DATASET_ROLES == stacks.access.DATASET_ROLES
    assert access.PROJECT_ROLES == stacks.access.PROJECT_ROLES
    assert access.TOKEN_MINTER == stacks.access.TOKEN_MINTER
    assert set(access.AUDIT_LOGS) == set(stacks.access.AUDITED)
