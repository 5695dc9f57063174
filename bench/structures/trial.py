"""Writing, weighing and reading the structures on one server, each against a list in the same round.

The bytes a reading brings are kept, and checked once the clock has stopped: the first time value by value, later by
their digest, which must be that of the bytes checked first. A reading that lost a value or the order is no outcome.
Checking while the clock runs was rejected: it costs each structure the same time, which brings the ratios nearer to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from statistics import median

import hiredis

from bench.contest import Contest
from bench.raw import RawSocket, Request
from bench.structures.shapes import KEY, LIST, STRUCTURES, Structure, read_commands, write_commands

BASELINE = "list"
_BASELINE_KEY = "baseline"
_WRITE_IN_FLIGHT = 4
_READ_IN_FLIGHT = 8


@dataclass
class Rehearsed:
    """The encoded commands of a structure, with the length of their replies.

    Attributes:
        read_digest: Of the bytes of a whole reading whose values were checked; empty before the first.
    """

    structure: Structure
    writes: list[Request]
    reads: list[Request]
    read_digest: bytes = b""


class Trial:
    """One structure on one server, and the list it is measured against.

    Attributes:
        readings: How often all values were read and found in their places.
    """

    def __init__(self, raw: RawSocket, contender: Rehearsed, baseline: Rehearsed, newest_first: list[bytes]) -> None:
        """Connect both sides.

        Args:
            raw: A connection to a server that is ours alone: it is emptied again and again.
            contender: What is measured.
            baseline: The list; its key is another.
            newest_first: The values in the order of reading.
        """
        self._raw = raw
        self._contender = contender
        self._baseline = baseline
        self._newest_first = newest_first
        self._weights: list[int] = []
        self.readings = 0

    @property
    def structure(self) -> Structure:
        """What is measured."""
        return self._contender.structure

    @property
    def bytes_a_value(self) -> float:
        """Memory of the server divided by the number of values, the median of all rounds."""
        return median(self._weights) / len(self._newest_first)

    def contests(self) -> list[Contest]:
        """Return writing and reading, in this order: the reading takes what the writing left."""
        count, name = f"{len(self._newest_first):,} values", self.structure.name
        read = partial(self._read, self._contender)
        read_list = partial(self._read, self._baseline)
        return [
            Contest(f"write {count}", name, BASELINE, self._write, self._write_list),
            Contest(f"read {count} in reverse", name, BASELINE, read, read_list),
        ]

    def _write_list(self) -> float:
        self._raw.empty_server()
        return self._raw.exchange(self._baseline.writes, in_flight=_WRITE_IN_FLIGHT)

    def _write(self) -> float:
        before = self._data_bytes()
        seconds = self._raw.exchange(self._contender.writes, in_flight=_WRITE_IN_FLIGHT)
        self._weights.append(self._data_bytes() - before)
        return seconds

    def _data_bytes(self) -> int:
        """Return the memory the server uses, but for what its connections take.

        The server counts that ten times a second, which leaves an error of tens of kilobytes: little to 100,000 values.
        """
        (text,) = self._raw.ask(("INFO", "memory"))
        facts = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
        return int(facts["used_memory"]) - int(facts["mem_clients_normal"])

    def _read(self, side: Rehearsed) -> float:
        """Read all values and return the seconds that took.

        Raises:
            RuntimeError: Not all of them came, or not in reverse order: its time would mean nothing.
        """
        seconds, received = self._raw.collect(side.reads, in_flight=_READ_IN_FLIGHT)
        digest = blake2b(received).digest()
        if digest != side.read_digest:
            self._verify(side, memoryview(received))
            side.read_digest = digest
        self.readings += side is self._contender
        return seconds

    def _verify(self, side: Rehearsed, received: memoryview) -> None:
        """Parse what was received, request by request, and compare it with what was written."""
        reader = hiredis.Reader()
        count = start = 0
        for request in side.reads:
            reader.feed(bytes(received[start : start + request.reply_bytes]))
            start += request.reply_bytes
            found = side.structure.values(reader.gets())
            if found != self._newest_first[count : count + len(found)]:
                raise RuntimeError(f"{side.structure.name}: expected all values in reverse, got others at rank {count}")
            count += len(found)
        if count != len(self._newest_first):
            raise RuntimeError(f"{side.structure.name}: expected {len(self._newest_first)} values, got {count}")


def trials(raw: RawSocket, count: int) -> list[Trial]:
    """Encode the commands for the numbers 1 to count, try each once without a clock, and return what is to be timed.

    Raises:
        RuntimeError: The server refuses a command.
    """
    values = [b"%d" % number for number in range(1, count + 1)]
    baseline = rehearse(raw, LIST, _BASELINE_KEY, values)
    newest_first = values[::-1]
    return [Trial(raw, rehearse(raw, structure, KEY, values), baseline, newest_first) for structure in STRUCTURES]


def rehearse(raw: RawSocket, structure: Structure, key: str, values: list[bytes]) -> Rehearsed:
    """Empty the server, write and read once, and return the commands for doing it again.

    Raises:
        RuntimeError: The server refuses a command.
    """
    raw.empty_server()
    writes = [raw.rehearse(commands) for commands in write_commands(structure, key, values)]
    reads = [raw.rehearse([command]) for command in read_commands(structure, key, len(values))]
    return Rehearsed(structure, writes, reads)
