"""A stand-in for the Terraform provider hashicorp/google, for machines that reach no registry.

Terraform talks to a provider that already runs when TF_REATTACH_PROVIDERS names it: nothing is downloaded, and no
lock file is written. It answers for the resource types of this repository, with the real provider's schema, plans and
REST calls; Terraform itself reports any other type as not supported.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from local.provider import wire
from local.provider.plugin import Plugin
from local.provider.resources import load
from local.provider.rest import local_endpoints

ADDRESS = "registry.terraform.io/hashicorp/google"
"""The provider's address in Terraform, which this one replaces."""


@dataclass(frozen=True)
class RunningProvider:
    """A provider that is being served.

    Attributes:
        port: Its port on 127.0.0.1.
        reattach: The value of TF_REATTACH_PROVIDERS.
    """

    port: int
    reattach: str
    _server: Any

    def stop(self) -> None:
        """Stop serving; calls in progress have one second to end."""
        self._server.stop(1).wait()


def serve_provider(endpoint: str, port: int = 0) -> RunningProvider:
    """Serve the provider from this process.

    Args:
        endpoint: The embedded environment's base address, such as http://127.0.0.1:9050; it is called where a
            provider block sets no address.
        port: The port on 127.0.0.1, or 0 for a free one.

    Raises:
        OSError: The port is in use.
        FileNotFoundError: The cdktf bindings, which hold the schema, are not installed.
    """
    provider, resources = load()
    server, bound = wire.start(Plugin(provider, resources, local_endpoints(endpoint)).answers(), port)
    reattach = {
        "Protocol": "grpc",
        "ProtocolVersion": 5,
        "Pid": os.getpid(),
        "Test": True,  # else Terraform would end this process after its run
        "Addr": {"Network": "tcp", "String": f"127.0.0.1:{bound}"},
    }
    return RunningProvider(bound, json.dumps({ADDRESS: reattach}), server)
