"""Test whether data written at our endpoint shows up at the peer's, with short-lived probe keys.

Comparing INFO (run_id, master_replid) was rejected: least permissions don't include INFO, and a proxy or a geo-replica
answers it with data of its own.

Two URLs lead to one server if the ids that it gives to new connections, opened in turn at both, rise from each
connection to the next. HELLO returns the id and needs no permission.
"""

from __future__ import annotations

import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from shared.check.findings import PeerFindings, Problem
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import growing_pauses
from shared.endpoint.server_kind import hello_fields
from shared.errors import HandoverError, NotFinishedError, TransientError, WrongEndpointError
from shared.fields import decimal_number
from shared.keys import Keyspace
from shared.stopping import StopRequest
from shared.tokens import make_token

PROBES = 20
PROBE_TTL_MS = 60_000
WAIT_S = 5.0
ALL_WAIT_S = 10.0
SAME_ROUNDS = 4
_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.02
_LOOKS_WITHOUT_PAUSE = 20


@dataclass
class PeerCheck:
    """Writes probe keys at one endpoint, looks for them at another, and removes them in any case."""

    endpoint: Endpoint
    peer: Endpoint
    keys: Keyspace
    stop: StopRequest
    is_same_server: bool = field(init=False, default=False)  # the URLs may still name different databases
    is_delayed: bool = field(init=False, default=False)  # whether a probe key was not there at the first look
    lags_ms: list[float] = field(init=False, default_factory=list)
    written: list[str] = field(init=False, default_factory=list)

    def run(self) -> PeerFindings:
        """Return how the peer is connected.

        Writes at least one probe key, and up to 20 in 10 seconds, and looks for each during 5 seconds; the first that
        does not show up ends it.

        Redis: For each probe key MULTI HSET PEXPIRE EXEC and at the end UNLINK here, HGET there until it is seen.
        """
        try:
            self.is_same_server = self._is_same_server()  # before the clock starts: over a slow link this takes long
            end_at = time.monotonic() + ALL_WAIT_S
            while len(self.written) < PROBES and not (self.written and time.monotonic() >= end_at):
                if not self._probe():
                    break
        except TransientError as error:
            raise error.lasting() from error
        finally:
            with suppress(HandoverError):  # what can't be removed now expires within a minute
                for key in self.written:
                    self.endpoint.at(key).unlink(key)
        lags_ms = self.lags_ms
        is_same = self.is_same_server and bool(lags_ms) and not self.is_delayed
        return PeerFindings(
            endpoint=self.peer.name,
            relation="same" if is_same else "connected" if lags_ms else "none",
            canaries=len(self.written),
            seen=len(lags_ms),
            lag_median_ms=round(statistics.median(lags_ms), 3) if lags_ms else None,
            lag_max_ms=round(max(lags_ms), 3) if lags_ms else None,
        )

    def _probe(self) -> bool:
        """Write a probe key and look for it; return whether it showed up."""
        self._pause(0)
        token = make_token(self.endpoint.server_us(self.keys.signals()) // 1_000)
        key = self.keys.canary(token)
        there = self.peer.at(key)
        there.hget(key, "sent")  # connects, and fails now if reading is not allowed
        self.written.append(key)
        pipeline = self.endpoint.at(key).pipeline()
        pipeline.hset(key, "sent", token)
        pipeline.pexpire(key, PROBE_TTL_MS)
        pipeline.execute()
        acknowledged = time.perf_counter()
        looks = 0
        pauses = growing_pauses(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while there.hget(key, "sent") != token.encode():
            looks += 1
            if time.perf_counter() - acknowledged > WAIT_S:
                return False
            if looks > _LOOKS_WITHOUT_PAUSE:
                self._pause(next(pauses))
        self.lags_ms.append((time.perf_counter() - acknowledged) * 1_000)
        self.is_delayed = self.is_delayed or looks > 0
        return True

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise NotFinishedError(where=self.peer.name, expected="a probe key from here", got="a stop request")

    def _is_same_server(self) -> bool:
        if self.peer.kind.is_replica:
            return False
        key = self.keys.signals()
        ids = [_connection_id(endpoint, key) for _ in range(SAME_ROUNDS) for endpoint in (self.endpoint, self.peer)]
        return all(first < second for first, second in pairwise(ids))


def peer_problems(findings: PeerFindings, *, is_same_server: bool) -> list[Problem]:
    """Return what is wrong between the two endpoints."""
    if 0 < findings.seen == findings.canaries:
        return []
    what = f"{findings.endpoint} did not show {'the' if findings.seen else 'a'} probe key within {WAIT_S:g} s"
    if findings.seen:
        text = f"{what} though {findings.seen} others came: replication is too slow or has stopped; look at its lag"
    elif is_same_server:
        text = f"{what} though it is the same server: the URLs name different databases; give the same number"
    else:
        text = f"{what}: it is neither the same database nor connected, or further behind; look at the replication"
    return [Problem(text, NotFinishedError.exit_code)]


def _connection_id(endpoint: Endpoint, key: str) -> int:
    """Return the id that HELLO tells of a new connection; 0 when it tells none."""
    endpoint.refresh()
    try:
        number = hello_fields(endpoint.at(key).execute_command("HELLO")).get("id", "")
    except WrongEndpointError:  # a proxy that does not know HELLO
        return 0
    return decimal_number(number) or 0
