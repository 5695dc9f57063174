"""Waits until replicas have what was published (`--min-replicas`)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import TransientError
from shared.keys import Keyspace

WAIT_MS = 1_000


@dataclass(frozen=True)
class ReplicaWait:
    """Waits for `wanted` replicas; 0 for none."""

    endpoint: Endpoint
    keys: Keyspace
    wanted: int
    retry: Retry

    def require(self, number: int, attempt: str) -> None:
        """Wait until the replicas have a published segment; whether they ever do is bounded by the retry's time.

        Redis: MULTI LPUSH UNLINK EXEC on a staging key, because WAIT is about its own connection's writes; WAIT.
        """
        if self.wanted:
            self.retry.keep_trying(self._wait, self.keys.segment(number), attempt)

    def _wait(self, key: str, attempt: str) -> None:
        staging_key, wanted = self.keys.staging(key, attempt), self.wanted
        with closing(self.endpoint.batch(key)) as connection:
            connection.transaction(("LPUSH", staging_key, ""), ("UNLINK", staging_key))
            while (acknowledged := connection.call("WAIT", wanted, WAIT_MS)) < wanted:
                expected, got = f"{wanted} replicas that have the segment", f"{acknowledged}"
                advice, where = "check the replicas, or lower --min-replicas", self.endpoint.name
                self.retry.wait_out(
                    TransientError(where=where, expected=expected, got=got, advice=advice, answered=True)
                )
