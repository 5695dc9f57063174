"""The consumer group on the signals stream: reading, claiming, renewing and acknowledging entries.

An entry is in one of three places: not delivered yet, pending with a consumer, or acknowledged. A reply that is lost
leaves it pending with us although we never saw it, which is why own pending entries are read first, always.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from server_b.entry import Entry
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient
from shared.endpoint.together import Together
from shared.endpoint.translation import is_reply
from shared.errors import InvalidInputError, TransientError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal

SILENT_CONSUMER_MS = 60 * 60 * 1000
LOOK_BACK = 100

# Changes a claim only while the entry is still ours: a bare XCLAIM would steal it back from whoever claimed it since.
# KEYS[1] signals stream · ARGV group, consumer, entry id, then options of XCLAIM
_RENEW_SCRIPT = """
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #pending == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], unpack(ARGV, 4))
return 1
"""


@dataclass(frozen=True)
class GroupStart:
    """What a consumer finds in the stream when it starts: the newest entry that is a signal, if there is one."""

    newest: Signal | None


class SignalGroup:
    """The group `server-b` on the signals stream, seen by one consumer.

    Attributes:
        stream: The stream's key.
        consumer: Our name in the group.
    """

    def __init__(self, endpoint: Endpoint, keys: Keyspace, consumer: str) -> None:
        """Use the group under a consumer name; see `join`."""
        self._endpoint = endpoint
        self.stream = keys.signals()
        self.consumer = consumer

    @property
    def _client(self) -> NodeClient:
        return self._endpoint.at(self.stream)

    def join(self) -> GroupStart:
        """Make the group, and the stream, unless they are there; from id 0, so that nothing sent before is missed.

        Also removes consumer names with nothing pending that were silent for an hour.

        Redis:
            XGROUP CREATE 0 MKSTREAM, XINFO CONSUMERS and XREVRANGE COUNT 100 in one round trip; XGROUP DELCONSUMER for
            each silent name.
        """
        pipeline = self._client.pipeline(transaction=False)
        pipeline.xgroup_create(self.stream, CONSUMER_GROUP, id="0", mkstream=True)
        pipeline.xinfo_consumers(self.stream, CONSUMER_GROUP)
        pipeline.xrevrange(self.stream, count=LOOK_BACK)
        created, consumers, entries = pipeline.execute(raise_on_error=False)
        for reply in (created, consumers, entries):
            if isinstance(reply, Exception) and not is_reply(reply, "BUSYGROUP"):
                raise reply
        for consumer in consumers:
            is_silent = consumer["pending"] == 0 and consumer["idle"] > SILENT_CONSUMER_MS
            if is_silent and _text(consumer["name"]) != self.consumer:
                self._client.xgroup_delconsumer(self.stream, CONSUMER_GROUP, consumer["name"])
        return GroupStart(_newest_signal(entries))

    def read_own_pending(self, *, after: str) -> Entry | None:
        """Return the next entry pending with us, or None.

        Redis:
            XREADGROUP COUNT 1 with an id; O(1).
        """
        entries = self._read_group(after, block_ms=None)
        return _entry(entries[0], is_redelivered=True) if entries else None

    def read_new(self, *, block_ms: int) -> Entry | None:
        """Return an entry that was never delivered, waiting for one; None when none came.

        Redis:
            XREADGROUP COUNT 1 BLOCK >; O(1).
        """
        entries = self._read_group(">", block_ms=block_ms)
        return _entry(entries[0], is_redelivered=False) if entries else None

    def claim(self, *, idle_ms: int, after: str) -> tuple[str, Entry | None]:
        """Take over one entry that has been pending for so long without a renewal, whoever had it.

        Returns:
            Where to go on (`0-0` at the end of the pending entries list), and the entry, if there is one.

        Redis:
            XPENDING IDLE COUNT 10, which says whose it is, and XAUTOCLAIM COUNT 1, in one round trip; O(1).
        """
        pipeline = self._client.pipeline(transaction=False)
        pipeline.xpending_range(self.stream, CONSUMER_GROUP, min=after, max="+", count=10, idle=idle_ms)
        pipeline.xautoclaim(self.stream, CONSUMER_GROUP, self.consumer, idle_ms, start_id=after, count=1)
        pending, (cursor, claimed, *_) = pipeline.execute()
        entries = [entry for entry in claimed if entry[0] is not None]
        if not entries:
            return _text(cursor), None
        owners = {_text(entry["message_id"]): _text(entry["consumer"]) for entry in pending}
        entry_id = _text(entries[0][0])
        return _text(cursor), _entry(entries[0], is_redelivered=True, claimed_from=owners.get(entry_id, ""))

    def ask_deliveries(self, asked: Together, entry: Entry) -> None:
        """Ask how often an entry was delivered, this time included; see `deliveries_of`.

        Redis:
            XPENDING with the entry's id; O(1).
        """
        asked.at(self.stream).xpending_range(
            self.stream, CONSUMER_GROUP, min=entry.entry_id, max=entry.entry_id, count=1
        )

    def deliveries(self, entry: Entry) -> int:
        """Return how often an entry was delivered; 0 when it is no longer pending.

        Redis:
            XPENDING with the entry's id; O(1).
        """
        asked = Together(self._endpoint)
        self.ask_deliveries(asked, entry)
        return deliveries_of(*asked.send())

    def own_pending_ids(self) -> set[str]:
        """Return the ids of entries pending with us, the oldest hundred.

        Redis:
            XPENDING with our name COUNT 100; O(entries).
        """
        pending = self._client.xpending_range(
            self.stream, CONSUMER_GROUP, min="-", max="+", count=100, consumername=self.consumer
        )
        return {_text(cast("dict[str, Any]", entry)["message_id"]) for entry in pending}

    def renew(self, entry: Entry, *, idle_ms: int = 0, deliveries: int | None = None) -> bool:
        """Set the entry's idle time, which is no delivery; return whether it is still ours, else nothing is done.

        Args:
            entry: Delivered to us.
            idle_ms: 0 to keep it for us; as much as a claim takes, to have it claimed at once.
            deliveries: What its count is set to; None to leave it.

        Redis:
            EVAL of XPENDING and XCLAIM IDLE RETRYCOUNT JUSTID; O(1).
        """
        options: list[str | int] = ["IDLE", idle_ms]
        if deliveries is not None:
            options += ["RETRYCOUNT", deliveries]
        mine = (CONSUMER_GROUP, self.consumer, entry.entry_id)
        return bool(self._client.eval(_RENEW_SCRIPT, 1, self.stream, *mine, *map(str, options), "JUSTID"))

    def leave(self) -> None:
        """Remove our name, if nothing is pending with it; removing it otherwise would throw those entries away.

        Redis:
            XPENDING with our name, XGROUP DELCONSUMER; O(1).
        """
        pending = self._client.xpending_range(
            self.stream, CONSUMER_GROUP, min="-", max="+", count=1, consumername=self.consumer
        )
        if not pending:
            self._client.xgroup_delconsumer(self.stream, CONSUMER_GROUP, self.consumer)

    def newest_signal(self) -> Signal | None:
        """Return the newest entry of the stream that is a signal, delivered or not; of the last hundred at most.

        Redis:
            XREVRANGE COUNT 100; O(1).
        """
        return _newest_signal(cast("list[Any]", self._client.xrevrange(self.stream, count=LOOK_BACK)))

    def _read_group(self, after: str, *, block_ms: int | None) -> list[Any]:
        """Read one entry; a group that is gone is made again, since results make a second delivery harmless."""
        try:
            reply = self._client.xreadgroup(
                CONSUMER_GROUP, self.consumer, {self.stream: after}, count=1, block=block_ms
            )
        except TransientError as error:
            if not is_reply(error, "NOGROUP", "UNBLOCKED"):
                raise
            self.join()
            return []
        streams = cast("list[list[Any]]", reply)
        return cast("list[Any]", streams[0][1]) if streams else []


def deliveries_of(reply: list[dict[str, int]]) -> int:
    """Return what the reply to `ask_deliveries` says; 0 when the entry is no longer pending."""
    return reply[0]["times_delivered"] if reply else 0


def _newest_signal(entries: list[Any]) -> Signal | None:
    for _, fields in entries:
        with suppress(InvalidInputError):
            return Signal.decode(fields)
    return None


def _entry(raw: tuple[bytes, dict[bytes, bytes] | None], *, is_redelivered: bool, claimed_from: str = "") -> Entry:
    return Entry(_text(raw[0]), raw[1] or None, is_redelivered, claimed_from)


def _text(raw: bytes | str) -> str:
    return raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw


def check_consumer_name(name: str) -> str:
    """Return a consumer name that is fit for use.

    Raises:
        InvalidInputError: It is empty, too long, or holds control characters.
    """
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise InvalidInputError(where="--consumer", expected="1 to 200 printable characters", got=repr(name[:60]))
    return name
