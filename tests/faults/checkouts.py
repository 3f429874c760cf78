"""Checkouts whose environment has its sample data, or is deployed, in seconds."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness.checkout import Checkout, copy_checkout
from tests.harness.template import copy_template

if TYPE_CHECKING:
    from collections.abc import Iterator

#: With the sources of every template, what a state comes from.
SOURCES = ("stacks", "operations", "main.py", "cdktf.json")


@contextmanager
def checkout_with(deployed: bool, folder: Path) -> Iterator[Checkout]:
    """A checkout in a folder, up, with a small agency's data, and deployed or not; it is stopped at the end."""
    checkout = Checkout(copy_checkout(folder))
    name = "checkout-deployed" if deployed else "checkout-seeded"
    copy_template(name, folder / ".local", lambda data: _fill(data, deployed), more=SOURCES)
    checkout.make("up")
    try:
        yield checkout
    finally:
        checkout.python("local", "down")


def _fill(data: Path, deployed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout(copy_checkout(Path(folder)))
        checkout.make("up")
        try:
            checkout.seed()
            if deployed:
                checkout.make("deploy")
        finally:
            checkout.make("down")
        shutil.move(checkout.folder / ".local", data)
