"""The consumer group on the signals stream: reading, claiming and renewing entries.

An entry is not delivered yet, pending with a consumer, or acknowledged. When the reply that delivers an entry is lost,
the entry is pending with us although we never saw it: so own pending entries are always read first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from server_b.group.entry import Entry, entry_of
from server_b.group.scripts import ENDED, REMOVE, RENEW, NameUse
from server_b.group.trimmed import unread_trimmed
from shared.endpoint.endpoint import Endpoint, milliseconds
from shared.endpoint.node_client import NodeClient
from shared.endpoint.our_streams import PROOF_ENTRIES, require_letters, require_signals, without_missing_key
from shared.endpoint.published import newest_signals, signals_in
from shared.endpoint.stream_pages import require_order
from shared.endpoint.together import Together
from shared.endpoint.translation import is_reply
from shared.errors import HandoverError, TransientError, WrongEndpointError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal
from shared.text import stored_text

SILENT_CONSUMER_MS = 60 * 60 * 1000
NAME_TTL_MS = 5_000


@dataclass
class SignalGroup:
    """The group `server-b` on the signals stream, as the consumer of this name uses it.

    Attributes:
        token: Ours alone, under a name that other processes may have too; empty under one that nobody else can have.
        counts_pending: Whether `claim` also asks how many entries are pending in the group, which is then `pending`.
        unread_trimmed: How many entries were trimmed before the group had read them, as `join` found; None: unknown.
    """

    endpoint: Endpoint
    keys: Keyspace
    consumer: str
    token: str = ""
    counts_pending: bool = False
    unread_trimmed: int | None = field(init=False, default=0)
    pending: int = field(init=False, default=0)
    _is_fresh: bool = field(init=False, default=False)  # whether we have just created the group: nothing is pending

    @property
    def stream(self) -> str:
        """The stream's key."""
        return self.keys.signals()

    @property
    def _client(self) -> NodeClient:
        return self.endpoint.at(self.stream)

    def join(self) -> Signal | None:
        """Create stream and group unless they exist, and return the newest signal, as `newest_signal` does.

        The group starts at id 0, so that no earlier signal is missed. Also removes consumer names with nothing pending
        that were silent for an hour.

        Raises WrongKeyError if stream or dead letters are somebody else's; nothing is written then.

        Redis: XREVRANGE of both, XINFO GROUPS and CONSUMERS, XRANGE COUNT 1, XLEN, TIME in one round trip; without a
        group XGROUP CREATE MKSTREAM; an EVAL for each silent name; XREVRANGE of more where the newest is no signal.
        """
        dead = self.keys.dead_letters()
        pipeline = self._client.pipeline(transaction=False)
        pipeline.xinfo_groups(self.stream)
        pipeline.xinfo_consumers(self.stream, CONSUMER_GROUP)
        pipeline.xrevrange(self.stream, count=PROOF_ENTRIES)
        pipeline.xrevrange(dead, count=PROOF_ENTRIES)
        pipeline.xrange(self.stream, count=1)
        pipeline.xlen(self.stream)
        pipeline.time()
        found = without_missing_key(pipeline.execute(raise_on_error=False))
        groups, consumers, newest, letters, oldest, length, now = found
        require_signals(self.endpoint, self.keys, newest, groups)
        require_letters(self.endpoint, self.keys, letters)
        self._is_fresh = CONSUMER_GROUP.encode() not in [group["name"] for group in groups] and self._create()
        for consumer in consumers:
            is_silent = consumer["pending"] == 0 and consumer["idle"] > SILENT_CONSUMER_MS
            if is_silent and stored_text(consumer["name"]) != self.consumer:
                self._remove(consumer["name"], silent_ms=SILENT_CONSUMER_MS)
        self.unread_trimmed = unread_trimmed(groups, oldest, length)
        signal = next(signals_in(newest, server_ms=milliseconds(now)), None)
        return signal if signal is not None or not newest else self.newest_signal()

    def _create(self) -> bool:
        """Create the group; return False if another consumer has just done so."""
        try:
            is_made = self._client.xgroup_create(self.stream, CONSUMER_GROUP, id="0", mkstream=True)
        except HandoverError as error:
            if not is_reply(error, "BUSYGROUP"):
                raise
            return False
        if not is_made:
            where, expected = self.endpoint.name, "OK to XGROUP CREATE"
            raise WrongEndpointError(where=where, expected=expected, got="a reply of another shape")
        return True

    def newest_signal(self) -> Signal | None:
        """Return the newest signal among the stream's last 100 entries. Redis: XREVRANGE COUNT 100, TIME; O(1)."""
        return next(iter(newest_signals(self.endpoint, self.keys)[0]), None)

    def read_own_pending(self, *, after: str) -> Entry | None:
        """Return the next entry pending with us, or None. Redis: XREADGROUP COUNT 1 with an id; O(1)."""
        return self._read_group(after, block_ms=None)

    def read_new(self, *, block_ms: int | None) -> Entry | None:
        """Return an entry never delivered before, or None, after a wait if any. Redis: XREADGROUP COUNT 1 >; O(1)."""
        return self._read_group(">", block_ms=block_ms)

    def _read_group(self, after: str, *, block_ms: int | None) -> Entry | None:
        try:
            reply = self._client.xreadgroup(
                CONSUMER_GROUP, self.consumer, {self.stream: after}, count=1, block=block_ms
            )
        except TransientError as error:
            if not is_reply(error, "NOGROUP", "UNBLOCKED"):
                raise
            self.join()  # entries are delivered again, which is harmless: their verdicts are recorded
            return None
        streams = cast("list[list[Any]]", reply)
        entries = streams[0][1] if streams else []
        if entries and after != ">":
            require_order([stored_text(entries[0][0])], after=after, where=self.endpoint.name)
        return entry_of(entries[0], is_redelivered=after != ">") if entries else None

    def claim(self, *, idle_ms: int, after: str) -> tuple[str, Entry | None, list[str]]:
        """Claim one entry that has been idle for `idle_ms`, from any consumer.

        Returns where to continue (`0-0` at the end of the pending entries list), the entry, if there is one, and
        the ids of those that were trimmed while they were pending, which a server of version 7 or newer lets go.

        Redis: XPENDING IDLE COUNT 10, which says whose it is, XAUTOCLAIM COUNT 1 and, if pending entries are counted,
        XINFO GROUPS, in one round trip; O(1).
        """
        if self._is_fresh:  # saves the round trip that the look before the group costs
            self._is_fresh = False
            return "0-0", None, []
        pipeline = self._client.pipeline(transaction=False)
        pipeline.xpending_range(self.stream, CONSUMER_GROUP, min=after, max="+", count=10, idle=idle_ms)
        pipeline.xautoclaim(self.stream, CONSUMER_GROUP, self.consumer, idle_ms, start_id=after, count=1)
        if self.counts_pending:
            pipeline.xinfo_groups(self.stream)
        pending, (cursor, claimed, *more), *groups = pipeline.execute()
        self.pending = pending_of(groups[0]) if groups else 0
        trimmed = [stored_text(entry_id) for entry_id in (more[0] if more else [])]
        owners = {entry["message_id"]: stored_text(entry["consumer"]) for entry in pending}
        for raw in claimed:
            if raw[0] is not None:
                entry = entry_of(raw, is_redelivered=True, claimed_from=owners.get(raw[0], ""))
                return stored_text(cursor), entry, trimmed
        return stored_text(cursor), None, trimmed

    def ask_pending(self) -> int:
        """Return how many entries of the group are pending, with whomever. Redis: XINFO GROUPS; O(groups)."""
        return pending_of(self._client.xinfo_groups(self.stream))

    def ask_deliveries(self, asked: Together, entry: Entry) -> None:
        """Ask how often an entry was delivered, this time included. Redis: XPENDING with the entry's id; O(1)."""
        entry_id = entry.entry_id
        asked.at(self.stream).xpending_range(self.stream, CONSUMER_GROUP, min=entry_id, max=entry_id, count=1)

    def own_pending(self, *, count: int = 1_000) -> dict[str, int]:
        """Return how often the oldest entries pending with us were delivered, by id. Redis: XPENDING; O(count)."""
        found: Any = self._client.xpending_range(
            self.stream, CONSUMER_GROUP, min="-", max="+", count=count, consumername=self.consumer
        )
        return {stored_text(entry["message_id"]): entry["times_delivered"] for entry in found}

    def renew(self, entry: Entry, *, idle_ms: int = 0, deliveries: int | None = None) -> bool:
        """Set an entry's idle time and, if given, its delivery count; return False if it is no longer ours.

        With 0 it stays ours for another while; with `claim_idle_ms` others may claim it at once.

        Redis: EVAL of XPENDING and XCLAIM IDLE RETRYCOUNT JUSTID; O(1).
        """
        options = ["IDLE", str(idle_ms)]
        if deliveries is not None:
            options += ["RETRYCOUNT", str(deliveries)]
        return bool(self._renew(self.token, entry.entry_id, *options, "JUSTID"))

    def keep_name(self) -> NameUse:
        """Keep a name that others may have too for another five seconds, if it is ours or free. Redis: EVAL; O(1)."""
        return NameUse(self._renew(self.token, ""))

    def idle_ms(self) -> int | None:
        """Return for how long our name has been silent; None if it is unknown. Redis: XINFO CONSUMERS; O(names)."""
        found = self._client.xinfo_consumers(self.stream, CONSUMER_GROUP)
        return next((named["idle"] for named in found if stored_text(named["name"]) == self.consumer), None)

    def leave(self) -> bool:
        """Remove our name if nothing is pending with it and nobody else can have it, else say that it is free.

        Returns whether that is known to be so: not while something is pending, nor of a name others can have.

        A removal that is delivered late must not meet an entry that another process of our name has taken. Redis: EVAL.
        """
        if self.token:
            self._renew(ENDED, "")
            return False
        return self._remove(self.consumer, silent_ms=0)

    def _renew(self, new_token: str, entry_id: str, *options: str) -> int:
        keys = [self.stream, self.keys.consumer(self.consumer)] if self.token else [self.stream]
        named = [self.token, new_token, str(NAME_TTL_MS)] if self.token else []
        arguments = (CONSUMER_GROUP, self.consumer, entry_id, *named, *options)
        return int(self._client.eval(RENEW, len(keys), *keys, *arguments))

    def _remove(self, consumer: str | bytes, *, silent_ms: int) -> bool:
        return bool(self._client.eval(REMOVE, 1, self.stream, CONSUMER_GROUP, consumer, silent_ms))


def pending_of(groups: list[dict[str, Any]]) -> int:
    """Return how many entries of our group are pending, from the reply to XINFO GROUPS."""
    return next((int(group["pending"]) for group in groups if group["name"] == CONSUMER_GROUP.encode()), 0)
