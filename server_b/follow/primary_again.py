"""A consumer of the group that can't follow: it waits until its endpoint is a primary again, and reads nothing."""

from __future__ import annotations

from contextlib import suppress

from server_b.lease import GivenBack, Lease
from server_b.serving import Serving
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_kind import ask_kind
from shared.errors import TransientError

LOOK_EVERY_S = 1.0


def wait_for_primary(endpoint: Endpoint, key: str, serving: Serving, lease: Lease, retry: Retry) -> None:
    """Return when the server that holds a key takes writes, or serving is over.

    Raises NotFinishedError or EndpointUnreachableError as following would.
    """
    while not serving.is_over:
        try:
            if not ask_kind(endpoint.at(key))[0].is_replica:
                return
            retry.succeeded()
            with suppress(GivenBack):  # a stop was requested, which ends the loop
                lease.pause(LOOK_EVERY_S)
        except TransientError as error:
            serving.wait_out(error)
