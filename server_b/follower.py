"""The follower's story: on a read-only replica, read signals with XREAD and keep a checkpoint in a file.

There is no group on a replica, hence nobody to share segments with and nowhere to record a verdict: they are kept in
memory until the run is complete, printed, and only then does the checkpoint move. A kill costs a second reading. It
costs a second report only between the printing and one rename: the next checkpoint is on the disk before the printing.
"""

from __future__ import annotations

from typing import Any, cast

from server_b.checkpoint import START, Checkpoint, CheckpointFile
from server_b.consumer_tools import ConsumerTools
from server_b.pulse import GivenBack, WaitedTooLong
from server_b.report import MODE_FOLLOW
from server_b.results import Results
from server_b.segment_examiner import NEVER_ARRIVED, StillMissingError
from server_b.settings import ConsumerSettings
from shared.endpoint.client import Endpoint
from shared.errors import ConnectionLostError, InvalidInputError, WrongKeyError
from shared.keys import Keyspace
from shared.run_signal import Signal
from shared.verdict import SUPERSEDED, SegmentVerdict, is_complete

BLOCK_MS = 1_000


class Follower:
    """Reads the stream entry by entry until it is stopped or, with `--once`, a run is complete."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        settings: ConsumerSettings,
        tools: ConsumerTools,
        *,
        was_group: bool = False,
    ) -> None:
        """Use what the session has opened.

        Args:
            endpoint: A replica.
            keys: The namespace.
            settings: What to do.
            tools: What the session has opened.
            was_group: Whether it served a group here until the primary became a replica; what was complete then was
                reported then.
        """
        self._endpoint = endpoint
        self._results = Results(endpoint, keys) if was_group else None
        self._stream = keys.signals()
        self._settings = settings
        self._tools = tools
        self._file = CheckpointFile(settings.state_directory, endpoint=endpoint.name, namespace=keys.namespace)
        self._checkpoint = self._file.read()
        self._cursor = START if settings.run_id else self._checkpoint.after
        self._verdicts: dict[str, dict[int, SegmentVerdict]] = {}
        self._before: dict[str, str] = {}

    def run(self) -> None:
        """Follow until `reporting` has its run, the pulse says to stop, or the wait is over.

        Raises:
            InvalidInputError: The checkpoint's file can't be read or written.
            NotFinishedError: Nothing came in time, or the endpoint answered but was not ready for too long.
            EndpointUnreachableError: The endpoint stayed away for as long as patience lasts.
            HandoverError: It refuses a command.
        """
        tools = self._tools
        tools.log.info("following a replica", stream=self._stream, after=self._cursor, checkpoint=str(self._file.path))
        while not tools.is_over:
            try:
                self._rewind_after_failover()
                while not tools.is_over:
                    self._turn()
                    tools.patience.succeeded()
            except ConnectionLostError as error:
                tools.wait_out(error)

    def _rewind_after_failover(self) -> None:
        """Read a stream from its beginning whose last id lies before our cursor: another one, or one that lost entries.

        Redis:
            XREVRANGE COUNT 1; O(1).
        """
        with self._endpoint.translated(self._stream):
            newest = cast("list[Any]", self._endpoint.client.xrevrange(self._stream, count=1))
        last = newest[0][0].decode() if newest else START
        if _order(last) < _order(self._cursor):
            self._tools.log.warning("stream is older than the checkpoint, reading it anew", last_id=last)
            self._cursor = START
            self._verdicts.clear()
            self._before.clear()

    def _turn(self) -> None:
        """Read one entry and bring it to its end, or notice that there is none.

        Redis:
            XREAD COUNT 1 BLOCK; O(1).
        """
        self._tools.pulse.beat()
        with self._endpoint.translated(self._stream):
            reply = self._endpoint.client.xread({self._stream: self._cursor}, count=1, block=BLOCK_MS)
        streams = cast("list[list[Any]]", reply)
        if not streams:
            self._rewind_after_failover()  # a replica may have been given another stream without cutting us off
            self._tools.pulse.check_wait()
            return
        self._tools.pulse.found_something()
        entry_id, fields = streams[0][1][0]
        try:
            self._handle(entry_id.decode(), fields)
        except GivenBack:
            return  # asked to stop: the checkpoint still lies before this entry
        except WaitedTooLong:
            self._tools.pulse.check_wait()
            return
        self._cursor = entry_id.decode()
        self._tools.pulse.made_progress()

    def _handle(self, entry_id: str, fields: dict[bytes, bytes]) -> None:
        try:
            signal = Signal.decode(fields)
        except InvalidInputError as error:
            self._tools.log.warning("entry skipped", entry_id=entry_id, reason=str(error))
            return
        if self._is_skipped(signal.run_id):
            return
        verdicts = self._verdicts.setdefault(signal.run_id, {})
        self._before.setdefault(signal.run_id, self._cursor)
        known = verdicts.get(signal.segment)
        if known is not None and known.attempt >= signal.attempt:
            return
        verdict = self._examine(signal, entry_id)
        if verdict is not None:
            verdicts[signal.segment] = verdict
            self._end_run_if_over(signal.run_id)

    def _is_skipped(self, run_id: str) -> bool:
        if self._settings.run_id:
            return run_id != self._settings.run_id
        if run_id in self._checkpoint.reported:
            return True
        if self._results is None or run_id in self._verdicts:
            return False
        return is_complete(self._results.read(run_id))

    def _examine(self, signal: Signal, entry_id: str) -> SegmentVerdict | None:
        """Examine a segment, waiting for a replica that is behind as often as a group would deliver the entry."""
        tools, settings = self._tools, self._settings
        lag_ms = max(0, self._endpoint.server_ms(self._stream) - int(entry_id.partition("-")[0]))
        tools.progress.begin(signal)
        for _ in range(settings.max_deliveries):
            try:
                return tools.examiner.examine(signal, lag_ms=lag_ms, settle_s=settings.settle_s)
            except StillMissingError:
                tools.log.warning("list not there yet, waiting", run_id=signal.run_id, segment=signal.segment)
            except WrongKeyError as error:
                return tools.examiner.given_up(signal, str(error), lag_ms=lag_ms)
        return tools.examiner.given_up(signal, NEVER_ARRIVED, lag_ms=lag_ms)

    def _end_run_if_over(self, run_id: str) -> None:
        """Report a run that is complete, and forget one that never will be, then move the checkpoint."""
        verdicts = self._verdicts[run_id]
        has_report = is_complete(verdicts)
        if not has_report and not any(verdict.verdict == SUPERSEDED for verdict in verdicts.values()):
            return
        befores = [before for other, before in self._before.items() if other != run_id]
        after = self._checkpoint.after if self._settings.run_id else min([*befores, self._cursor], key=_order)
        moved = Checkpoint(after, [*self._checkpoint.reported, run_id])
        prepared = None if self._settings.run_id else self._file.prepare(moved)
        try:
            if has_report:
                self._tools.reporting.report(run_id, verdicts, mode=MODE_FOLLOW)
            if prepared is not None:
                self._file.replace(prepared)
        finally:
            if prepared is not None:
                prepared.unlink(missing_ok=True)  # there only if the report could not be made
        self._checkpoint = moved
        del self._verdicts[run_id], self._before[run_id]


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
