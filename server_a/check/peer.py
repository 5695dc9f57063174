"""How two endpoints hang together, found out with canaries: written at ours, looked for at the peer's.

Comparing what INFO says (run_id, master_replid) was rejected: least rights don't include INFO, and a proxy or a
geo-replica answers with something of its own. What counts is that data comes through.

That two URLs reach one database is known by the ids that a server gives its connections, one after the other: opened in
turn at both, they rise from one URL to the other only if one server gives them. HELLO says them, and needs no right.
"""

from __future__ import annotations

import statistics
import time
from contextlib import suppress
from itertools import pairwise

from shared.check.findings import PeerFindings, Problem
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.server_kind import hello_fields
from shared.errors import HandoverError, NotFinishedError, TransientError, WrongEndpointError
from shared.keys import Keyspace
from shared.stopping import StopRequest
from shared.tokens import make_token

CANARIES = 20
CANARY_TTL_MS = 60_000
WAIT_S = 5.0
ALL_WAIT_S = 10.0
SAME_ROUNDS = 4
_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.02
_BUSY_LOOKS = 20


class PeerCheck:
    """Sends canaries from one endpoint to another and removes them, whatever happens.

    Attributes:
        is_same_server: Whether both URLs reach one server, which may still hold several databases.
    """

    def __init__(self, endpoint: Endpoint, peer: Endpoint, keys: Keyspace, stop: StopRequest) -> None:
        """Use two endpoints and one namespace at both."""
        self._endpoint = endpoint
        self._peer = peer
        self._keys = keys
        self._stop = stop
        self._lags_ms: list[float] = []
        self._written: list[str] = []
        self._is_delayed = False
        self.is_same_server = False

    def run(self) -> PeerFindings:
        """Return how the peer is connected.

        At least one canary and at most 20 in 10 seconds, each looked for during 5; the first that does not come ends
        it.

        Raises:
            NotFinishedError: A stop was requested, or memory is full.
            TransientError: One of the connections is lost.
            NotAllowedError: The right to write canaries lacks here, or the one to read them there.

        Redis:
            For each canary MULTI HSET PEXPIRE EXEC and at the end UNLINK here, HGET there until it is seen.
        """
        try:
            self.is_same_server = self._is_same_server()  # over a slow link that alone takes long
            end_at = time.monotonic() + ALL_WAIT_S
            while len(self._written) < CANARIES and not (self._written and time.monotonic() >= end_at):
                if not self._send_one():
                    break
        except TransientError as error:
            raise error.lasting() from error
        finally:
            self._remove()
        is_same = self.is_same_server and bool(self._lags_ms) and not self._is_delayed
        return PeerFindings(
            endpoint=self._peer.name,
            relation="same" if is_same else "connected" if self._lags_ms else "none",
            canaries=len(self._written),
            seen=len(self._lags_ms),
            lag_median_ms=round(statistics.median(self._lags_ms), 3) if self._lags_ms else None,
            lag_max_ms=round(max(self._lags_ms), 3) if self._lags_ms else None,
        )

    def _send_one(self) -> bool:
        """Write a canary and look for it; return whether it came."""
        self._pause(0)
        token = make_token(self._endpoint.server_ms(self._keys.signals()))
        key = self._keys.canary(token)
        there = self._peer.at(key)
        there.hget(key, "sent")  # connects, and says at once when it is not allowed
        self._written.append(key)
        pipeline = self._endpoint.at(key).pipeline()
        pipeline.hset(key, "sent", token)
        pipeline.pexpire(key, CANARY_TTL_MS)
        pipeline.execute()
        acknowledged = time.perf_counter()
        looks = 0
        pause_s = _FIRST_PAUSE_S
        while there.hget(key, "sent") != token.encode():
            looks += 1
            if time.perf_counter() - acknowledged > WAIT_S:
                return False
            if looks > _BUSY_LOOKS:
                self._pause(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
        self._lags_ms.append((time.perf_counter() - acknowledged) * 1_000)
        self._is_delayed = self._is_delayed or looks > 0
        return True

    def _pause(self, seconds: float) -> None:
        """Wait, unless somebody asked us to stop.

        Raises:
            NotFinishedError: Somebody did.
        """
        if self._stop.wait(seconds):
            raise NotFinishedError(where=self._peer.name, expected="a canary from here", got="a stop request")

    def _remove(self) -> None:
        """Remove the canaries; what can't be removed now has a time to live of a minute."""
        with suppress(HandoverError):
            for key in self._written:
                self._endpoint.at(key).unlink(key)

    def _is_same_server(self) -> bool:
        if self._peer.kind.is_replica:
            return False
        key = self._keys.signals()
        ids = [_connection_id(endpoint, key) for _ in range(SAME_ROUNDS) for endpoint in (self._endpoint, self._peer)]
        return all(first < second for first, second in pairwise(ids))


def peer_problems(findings: PeerFindings, *, is_same_server: bool) -> list[Problem]:
    """Return what is wrong between the two endpoints."""
    if 0 < findings.seen == findings.canaries:
        return []
    what = f"{findings.endpoint} did not show {'the' if findings.seen else 'a'} canary within {WAIT_S:g} s"
    if findings.seen:
        text = f"{what} though {findings.seen} others came: replication is too slow or has stopped; look at its lag"
    elif is_same_server:
        text = f"{what} though it is the same server: the URLs name different databases; give the same number"
    else:
        text = f"{what}: it is neither the same database nor connected, or further behind; look at the replication"
    return [Problem(text, NotFinishedError.exit_code)]


def _connection_id(endpoint: Endpoint, key: str) -> int:
    """Return the id that a server gives a new connection; 0 when it gives none.

    Redis:
        HELLO; O(1).
    """
    endpoint.refresh()
    try:
        number = hello_fields(endpoint.at(key).execute_command("HELLO")).get("id", "")
    except WrongEndpointError:  # a proxy that does not know it
        return 0
    return int(number) if number.isdecimal() else 0
