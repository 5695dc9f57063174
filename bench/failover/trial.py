"""One failover under load, and what both programs said of it."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from typing import Any

from bench.failover.asking import wait_until
from bench.failover.servers import Failover
from demo.processes import Program, program_environment

_PATIENCE_S = 300.0


class TooLateError(Exception):
    """The run had ended before the primary was killed."""


@dataclass(frozen=True)
class Load:
    """What is handed over meanwhile."""

    count: int
    segment_values: int

    @property
    def segments(self) -> int:
        """How many segments that is."""
        return -(-self.count // self.segment_values)


@dataclass(frozen=True)
class Seen:
    """What one failover cost.

    Attributes:
        killed_at: Segments signalled when the primary was to be killed.
        replaced_s: From the kill to the moment when somebody else was primary and the killed one was up again.
        a_outages, a_outage_s: How often server-a lost the server, and for how long.
        b_outages, b_outage_s: The same of server-b.
        lost_acknowledged: Values of segments that the old primary had acknowledged and the new one did not have.
        segments_rewritten: Segments written again: of these values, or kept from a verdict by a wrong signal.
        attempts_lost: Segments that were begun anew because their connection was lost.
        verdict: server-b's, on the digest that server-a says it wrote; else what is wrong.
    """

    killed_at: int
    replaced_s: float
    a_outages: int
    a_outage_s: float
    b_outages: int
    b_outage_s: float
    lost_acknowledged: int
    segments_rewritten: int
    attempts_lost: int
    verdict: str

    def as_json(self) -> dict[str, object]:
        """Return it as one JSON object's fields."""
        return asdict(self)


def try_failover(servers: Failover, load: Load, *, min_replicas: int, is_cut_off: bool, kill_at: int) -> Seen:
    """Hand a run over, kill the primary when so many segments are signalled, and return what that cost.

    Raises:
        TooLateError: The run was over by then.
        ServerStartError: A server did not come up, or nobody was promoted.
    """
    with ExitStack() as stack:
        servers.start(stack)
        environment = program_environment(os.environ)
        url = ("--url", servers.url)
        b_options = ("run", *url, "--once", "--wait-s", "120", "--json")
        b = stack.enter_context(closing(Program("server-b", *b_options, environment=environment)))
        wait_until(lambda: "waiting for signals" in b.errors(), "server-b")
        sizes = ("--count", str(load.count), "--segment-values", str(load.segment_values))
        a_options = ("run", *url, *sizes, "--min-replicas", str(min_replicas), "--json")
        a = stack.enter_context(closing(Program("server-a", *a_options, environment=environment)))
        wait_until(lambda: servers.signals() >= kill_at or not a.is_running, "signals")
        killed_at = servers.signals()
        if killed_at >= load.segments:
            raise TooLateError
        killed_s = servers.fail_over(is_cut_off=is_cut_off)
        replaced_s = time.monotonic() - killed_s
        a.wait(_PATIENCE_S)
        b.wait(_PATIENCE_S)
        seen = _seen(a, b, load, killed_at=killed_at, replaced_s=round(replaced_s, 3))
        if not seen.a_outages:  # it ended while the primary was on its way to die
            raise TooLateError
        return seen


def _seen(a: Program, b: Program, load: Load, *, killed_at: int, replaced_s: float) -> Seen:
    """Return what both programs say.

    Raises:
        RuntimeError: One of them did not finish.
    """
    for program in (a, b):
        if not program.output():
            raise RuntimeError(f"{program.name} {program.ending}: {program.errors()}")
    written: dict[str, Any] = json.loads(a.output())
    read: dict[str, Any] = json.loads(b.output())
    is_same = written["digest"] == read["digest"]
    return Seen(
        killed_at=killed_at,
        replaced_s=replaced_s,
        a_outages=written["outages"],
        a_outage_s=written["outage_s"],
        b_outages=read["outages"],
        b_outage_s=read["outage_s"],
        lost_acknowledged=written["lost_acknowledged"],
        segments_rewritten=written["segments_rewritten"],
        attempts_lost=written["attempts"] - load.segments - written["segments_rewritten"],
        verdict=read["verdict"] if is_same else "another digest than server-a's",
    )
