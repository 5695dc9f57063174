"""Says in Redis how far the reading in hand is, twice a second, for the page; nothing depends on it.

Nothing waits for it either: it is sent on a connection of the pool and its reply is taken between two later chunks. In
the pipeline of the chunks was rejected: on a cluster the stream is on another server, and an error would be theirs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import ref

from server_b.segment.reading import Reading
from shared.endpoint.batch_connection import BatchConnection, pack
from shared.endpoint.endpoint import Endpoint
from shared.errors import HandoverError, TransientError
from shared.keys import Keyspace
from shared.reading import LASTS_MS, note_text

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

TELL_EVERY_S = 0.5
QUIET_S = 60.0  # after a refusal, or a key of somebody else's
LOST_QUIET_S = 5.0  # after a lost connection

# Looks at the key and writes to it at once: with WATCH, consumers that read at the same time would undo each other's.
# It also removes what consumers left that have ended, for the key stays as long as any of them reads.
# KEYS[1] readings · ARGV consumer, what it says, milliseconds the key lasts · returns 0 if the key is somebody else's
TELL = """
local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local found, old = redis.call('HRANDFIELD', KEYS[1], 100, 'WITHVALUES'), {}
for place = 2, #found, 2 do
  local ms = string.match(found[place], '^%d%d%d%d%d%d%d%dT%d+Z%-%x+ %d+ %d+ %d+ (%d+)$')
  if not ms then return 0 end
  if tonumber(ms) < tonumber(now) - tonumber(ARGV[3]) then old[#old + 1] = found[place - 1] end
end
if #old > 0 then redis.call('HDEL', KEYS[1], unpack(old)) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. now)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""


@dataclass
class ReadingTeller:
    """Tells of readings that have lasted half a second, and only while the group is served: a replica takes no writes.

    Of a segment that was asked for as a whole nothing is told: its end is near.
    """

    endpoint: Endpoint
    keys: Keyspace
    consumer: str
    log: FilteringBoundLogger
    _is_serving: bool = field(init=False, default=False)
    _due_s: float = field(init=False, default=0.0)
    _reading: ref[Reading] | None = field(init=False, default=None)  # told of last; not kept, for it may hold much
    _values: int = field(init=False, default=0)  # told of it
    _sent: BatchConnection | None = field(init=False, default=None)  # whose reply has not come yet

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Tell of readings during the block."""
        self._is_serving = True
        try:
            yield
        finally:
            self._is_serving = False
            self._let_go()

    def tell(self, reading: Reading) -> None:
        """Say how far a reading is, if it is time; called often, and never raises for what the server answers.

        Redis: EVAL of TIME, HRANDFIELD COUNT 100, HDEL, HSET, PEXPIRE, whose reply is not waited for.
        """
        if not self._is_serving:
            return
        try:
            self._take_reply()
            if self._sent is None and self._is_due(reading):
                self._send(reading)
        except HandoverError as error:
            self._be_quiet(str(error), LOST_QUIET_S if isinstance(error, TransientError) else QUIET_S)

    def _is_due(self, reading: Reading) -> bool:
        now_s, values = time.monotonic(), reading.values
        if now_s < self._due_s or reading.began_s is None or now_s < reading.began_s + TELL_EVERY_S:
            return False
        if self._reading is None or self._reading() is not reading:
            return values > 0 and not reading.is_all_asked
        return values > self._values

    def _send(self, reading: Reading) -> None:
        self._due_s = time.monotonic() + TELL_EVERY_S
        signal, values, key = reading.signal, reading.values, self.keys.reading()
        lasted_ms = int((time.monotonic() - (reading.began_s or 0.0)) * 1_000)
        self._reading, self._values = ref(reading), values
        self._sent = BatchConnection(self.endpoint.at(key))  # its round trips are not those of values
        said = note_text(signal.run_id, signal.segment, values, lasted_ms)
        self._sent.send(pack("EVAL", TELL, 1, key, self.consumer, said, LASTS_MS), replies=1)

    def _take_reply(self) -> None:
        if self._sent is not None and self._sent.is_readable():
            is_told = self._sent.read(key=self.keys.reading())
            self._let_go()
            if not is_told:
                self._be_quiet(f"{self.keys.reading()} is somebody else's", QUIET_S)

    def _be_quiet(self, reason: str, seconds: float) -> None:
        self._due_s = time.monotonic() + seconds
        self._let_go()
        self.log.debug("how far the reading is was not told", reason=reason)

    def _let_go(self) -> None:
        if self._sent is not None:
            self._sent.close()
            self._sent = None
