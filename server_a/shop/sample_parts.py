"""Parts of the sample: records that one server holds, looked for and written together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from server_a.shop.sample_commands import SampleCommands, text_of
from shared.endpoint.pipelined import Pipelines, SentBatch


@dataclass(eq=False)
class Part:
    """Records of one batch on one server; after the look only those that are to be written.

    Their keys are made each time they are sent: kept, those of several portions would take most of the memory.
    """

    commands: SampleCommands
    records: Sequence[int]  # their numbers, ascending
    asked: SentBatch | None = None  # the look; None when it is over, or where nothing is looked for
    written: SentBatch | None = None  # the HSETs; None before they are sent, and where there are none

    @property
    def is_done(self) -> bool:
        """Whether all HSETs that were sent are answered."""
        return self.written is None or self.written.replies is not None

    def ask_count(self, pipelines: Pipelines) -> None:
        """Ask how many of the records are there: one reply to read, which mostly says none or all of them."""
        packed = self.commands.how_many_exist(self.commands.keys(self.records))
        self.asked = pipelines.send(packed, commands=1, key_at=self._key_at)

    def ask_each(self, pipelines: Pipelines) -> None:
        """Ask of each record whether it is there."""
        packed = self.commands.exist(self.commands.keys(self.records))
        self.asked = pipelines.send(packed, commands=len(self.records), key_at=self._key_at)

    def are_there(self, pipelines: Pipelines) -> list[bool] | None:
        """Read whether each record is there; None where it is only known how many of them are."""
        assert self.asked is not None, "it was asked"
        replies, records = pipelines.replies_to(self.asked), len(self.records)
        if len(replies) == records:
            return list(map(bool, replies))
        return [replies[0] == records] * records if replies[0] in (0, records) else None

    def leave(self, are_there: list[bool]) -> list[int]:
        """Take out what is there, and return that."""
        self.asked = None
        if not any(are_there):
            return []
        existing = list(compress(self.records, are_there))
        self.records = list(compress(self.records, [not is_there for is_there in are_there]))
        return existing

    def write(self, pipelines: Pipelines) -> None:
        """Send the HSETs."""
        if self.records:
            packed = self.commands.hset(self.records)
            self.written = pipelines.send(packed, commands=len(self.records), key_at=self._key_at)

    def _key_at(self, place: int) -> str:
        return text_of(self.commands.keys([self.records[place]])[0])


def leave_existing(pipelines: Pipelines, parts: Sequence[Part]) -> list[int]:
    """Read what the look at these parts has found, take out of them what is there, and return that."""
    asked = [part for part in parts if part.asked is not None]
    for part in asked:
        if part.are_there(pipelines) is None:
            part.ask_each(pipelines)
    existing: list[int] = []
    for part in asked:
        are_there = part.are_there(pipelines)
        assert are_there is not None, "each was asked about"
        existing += part.leave(are_there)
    return existing
