"""The results of a run: one verdict a segment, written so that a later attempt's is never replaced by an earlier's."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

from shared.endpoint.client import Endpoint
from shared.endpoint.wire import Wire
from shared.errors import NotFinishedError, WrongKeyError
from shared.keys import Keyspace
from shared.verdict import SegmentVerdict, decode_result

_TRIES = 1_000


@dataclass(frozen=True)
class Recorded:
    """What writing a verdict did: whether it was written at all, and the fields the result has now."""

    is_written: bool
    fields: int


class Results:
    """Reads and writes result hashes."""

    def __init__(self, endpoint: Endpoint, keys: Keyspace) -> None:
        """Use an endpoint and a namespace."""
        self._endpoint = endpoint
        self._keys = keys

    def read(self, run_id: str) -> dict[int, SegmentVerdict]:
        """Return a run's verdicts by segment; none of a key that somebody else gave another type.

        Redis:
            HGETALL; O(segments).
        """
        reply: list[bytes] = []
        with suppress(WrongKeyError), self._endpoint.wire(self._keys.result(run_id)) as wire:
            reply = wire.call("HGETALL", self._keys.result(run_id))
        return decode_result(dict(zip(reply[::2], reply[1::2], strict=True)))

    def read_one(self, run_id: str, segment: int) -> SegmentVerdict | None:
        """Return the verdict on one segment, or None.

        Redis:
            HGET; O(1).
        """
        key = self._keys.result(run_id)
        with self._endpoint.wire(key) as wire:
            return self._read_one(wire, key, segment)

    def retain_ms(self, run_id: str) -> int | None:
        """Return how long the run's results are kept, as its record says; None where it does not say.

        Redis:
            HGET; O(1).
        """
        key, raw = self._keys.run(run_id), None
        with suppress(WrongKeyError), self._endpoint.wire(key) as wire:
            raw = wire.call("HGET", key, "retain_ms")
        return int(raw) if raw is not None and re.fullmatch(rb"[1-9][0-9]{0,14}", raw) else None

    def record(self, run_id: str, verdict: SegmentVerdict, *, retain_ms: int) -> Recorded:
        """Write a verdict, unless one of the same or a later attempt is there.

        Raises:
            ConnectionLostError: The connection is lost; record it again.
            WrongKeyError: Somebody else gave the key another type.
            NotFinishedError: Other consumers kept writing to the same result.

        Redis:
            WATCH, HGET, then MULTI HSET HLEN PEXPIRE EXEC, repeated on a conflict; O(1).
        """
        key = self._keys.result(run_id)
        with self._endpoint.wire(key) as wire:
            for _ in range(_TRIES):
                wire.call("WATCH", key)
                found = self._read_one(wire, key, verdict.segment)
                if found is not None and found.attempt >= verdict.attempt:
                    wire.call("UNWATCH")
                    return Recorded(is_written=False, fields=int(wire.call("HLEN", key)))
                done = wire.transaction(
                    ("HSET", key, str(verdict.segment), verdict.encode()), ("HLEN", key), ("PEXPIRE", key, retain_ms)
                )
                if done is not None:
                    return Recorded(is_written=True, fields=int(done[1]))
        raise NotFinishedError(where=key, expected="a moment without other writers", got=f"{_TRIES} conflicts")

    def forget(self, run_id: str, segment: int, attempt: str) -> None:
        """Remove the verdict on a segment, if it is that of the attempt named, so that its signal is taken anew.

        Redis:
            HGET, HDEL; O(1).
        """
        key = self._keys.result(run_id)
        with self._endpoint.wire(key) as wire:
            found = self._read_one(wire, key, segment)
            if found is not None and found.attempt == attempt:
                wire.call("HDEL", key, str(segment))

    def _read_one(self, wire: Wire, key: str, segment: int) -> SegmentVerdict | None:
        raw = wire.call("HGET", key, str(segment))
        return SegmentVerdict.decode(raw) if raw is not None else None
