"""Plain questions to servers of ours, and waiting until the answer is what it should be."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import hiredis

from bench.raw import RawSocket
from demo.servers import Server, ServerStartError

_FORMING_S = 30.0
_LOST_SIGNALS = 10
_CUT_OFF_S = 1.0


def ask(server: Server, *command: str | bytes | int) -> Any:  # noqa: ANN401 - a reply of any shape
    """Send one command on a connection of its own and return the reply.

    Raises:
        RuntimeError: It is an error.
    """
    with closing(RawSocket(server.port)) as raw:
        (reply,) = raw.ask(command)
    if isinstance(reply, hiredis.ReplyError):
        raise RuntimeError(f"{command[0]!s}: {reply}")  # noqa: TRY004 - the server refused a command
    return reply


def has_replicas(primary: Server, count: int) -> bool:
    """Return whether so many replicas have all that the primary has."""
    role = ask(primary, "ROLE")
    return bool(role[0] == b"master" and [int(replica[2]) for replica in role[2]] == [role[1]] * count)


def wait_until(is_so: Callable[[], bool], what: str, limit_s: float = _FORMING_S) -> None:
    """Wait until something is so.

    Raises:
        ServerStartError: It was not in time.
    """
    give_up_at = time.monotonic() + limit_s
    while True:
        with suppress(OSError):  # a server that comes up or goes away
            if is_so():
                return
        if time.monotonic() > give_up_at:
            raise ServerStartError(f"waited {limit_s:.0f} s in vain for {what}")
        time.sleep(0.005)


def kill(primary: Server, replica: Server, *, is_cut_off: bool) -> float:
    """Kill a primary, as a host that dies would, and return when; its replica may be cut off shortly before.

    Cut off, a replica lacks what the primary acknowledges until it dies: ten more signals, or what it does in a second,
    as when replicas are waited for.
    """
    if is_cut_off:
        replica.pause()
        ask(primary, "CLIENT", "KILL", "TYPE", "replica")
        goal = _signals(primary) + _LOST_SIGNALS
        with suppress(ServerStartError):
            wait_until(lambda: _signals(primary) >= goal, "more signals", _CUT_OFF_S)
    killed_s = time.monotonic()
    primary.end(signal.SIGKILL)
    replica.resume()
    return killed_s


def _signals(primary: Server) -> int:
    return int(ask(primary, "XLEN", "signals"))
