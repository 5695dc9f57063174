"""The consumer group on the signals stream: reading, claiming, renewing and acknowledging entries.

An entry is in one of three places: not delivered yet, pending with a consumer, or acknowledged. A reply that is lost
leaves it pending with us although we never saw it, which is why own pending entries are read first, always.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from redis.exceptions import ResponseError

from shared.endpoint.client import Endpoint
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.run_signal import CONSUMER_GROUP, Signal

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
class Entry:
    """A stream entry as it was delivered.

    Attributes:
        entry_id: Such as `1763844000000-0`.
        fields: None when the stream was trimmed past it.
        is_redelivered: Whether it may have been delivered before, to us or to another consumer.
    """

    entry_id: str
    fields: dict[bytes, bytes] | None
    is_redelivered: bool

    @property
    def sent_ms(self) -> int:
        """The server's clock when the entry was added, milliseconds since 1970."""
        return int(self.entry_id.partition("-")[0])


class SignalGroup:
    """The group `server-b` on the signals stream, seen by one consumer."""

    def __init__(self, endpoint: Endpoint, keys: Keyspace, consumer: str) -> None:
        """Use the group under a consumer name; see `create`."""
        self._endpoint = endpoint
        self._client = endpoint.client
        self._stream = keys.signals()
        self.consumer = consumer

    def create(self) -> None:
        """Make the group, and the stream, unless they are there; from id 0, so that nothing sent before is missed.

        Redis:
            XGROUP CREATE 0 MKSTREAM; O(1).
        """
        with self._endpoint.translated(self._stream):
            try:
                self._client.xgroup_create(self._stream, CONSUMER_GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

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
            XAUTOCLAIM COUNT 1; O(1).
        """
        with self._endpoint.translated(self._stream):
            reply = self._client.xautoclaim(
                self._stream, CONSUMER_GROUP, self.consumer, idle_ms, start_id=after, count=1
            )
        entries = [entry for entry in reply[1] if entry[0] is not None]
        return _text(reply[0]), _entry(entries[0], is_redelivered=True) if entries else None

    def deliveries(self, entry: Entry) -> int:
        """Return how often an entry was delivered, this time included; 0 when it is no longer pending.

        Redis:
            XPENDING with the entry's id; O(1).
        """
        with self._endpoint.translated(self._stream):
            reply = cast(
                "list[dict[str, int]]",
                self._client.xpending_range(
                    self._stream, CONSUMER_GROUP, min=entry.entry_id, max=entry.entry_id, count=1
                ),
            )
        return reply[0]["times_delivered"] if reply else 0

    def own_pending_ids(self) -> set[str]:
        """Return the ids of entries pending with us, the oldest hundred.

        Redis:
            XPENDING with our name COUNT 100; O(entries).
        """
        with self._endpoint.translated(self._stream):
            pending = self._client.xpending_range(
                self._stream, CONSUMER_GROUP, min="-", max="+", count=100, consumername=self.consumer
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
        with self._endpoint.translated(self._stream):
            reply = self._client.eval(_RENEW_SCRIPT, 1, self._stream, *mine, *options, "JUSTID")
        return bool(reply)

    def acknowledge(self, entry: Entry) -> None:
        """Remove an entry from the pending entries list; its result must be durable by now.

        Redis:
            XACK; O(1).
        """
        with self._endpoint.translated(self._stream):
            self._client.xack(self._stream, CONSUMER_GROUP, entry.entry_id)

    def remove_silent_consumers(self) -> None:
        """Remove consumer names with nothing pending that were silent for an hour.

        Redis:
            XINFO CONSUMERS, O(consumers); XGROUP DELCONSUMER for each, O(1).
        """
        with self._endpoint.translated(self._stream):
            for consumer in self._client.xinfo_consumers(self._stream, CONSUMER_GROUP):
                is_silent = consumer["pending"] == 0 and consumer["idle"] > SILENT_CONSUMER_MS
                if is_silent and _text(consumer["name"]) != self.consumer:
                    self._client.xgroup_delconsumer(self._stream, CONSUMER_GROUP, consumer["name"])

    def leave(self) -> None:
        """Remove our name, if nothing is pending with it; removing it otherwise would throw those entries away.

        Redis:
            XPENDING with our name, XGROUP DELCONSUMER; O(1).
        """
        with self._endpoint.translated(self._stream):
            pending = self._client.xpending_range(
                self._stream, CONSUMER_GROUP, min="-", max="+", count=1, consumername=self.consumer
            )
            if not pending:
                self._client.xgroup_delconsumer(self._stream, CONSUMER_GROUP, self.consumer)

    def newest_signal(self) -> Signal | None:
        """Return the newest entry of the stream that is a signal, delivered or not; of the last hundred at most.

        Redis:
            XREVRANGE COUNT 1; when that is no signal, COUNT 100; O(1).
        """
        for count in (1, LOOK_BACK):
            with self._endpoint.translated(self._stream):
                entries = cast("list[Any]", self._client.xrevrange(self._stream, count=count))
            for _, fields in entries:
                with suppress(InvalidInputError):
                    return Signal.decode(fields)
        return None

    def _read_group(self, after: str, *, block_ms: int | None) -> list[Any]:
        """Read one entry; a group that is gone is made again, since results make a second delivery harmless."""
        with self._endpoint.translated(self._stream):
            try:
                reply = self._client.xreadgroup(
                    CONSUMER_GROUP, self.consumer, {self._stream: after}, count=1, block=block_ms
                )
            except ResponseError as error:
                if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    raise
                reply = []
                self.create()
        streams = cast("list[list[Any]]", reply)
        return cast("list[Any]", streams[0][1]) if streams else []


def _entry(raw: tuple[bytes, dict[bytes, bytes] | None], *, is_redelivered: bool) -> Entry:
    return Entry(_text(raw[0]), raw[1] or None, is_redelivered)


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
