"""Examines a follower's segments: no group delivers an entry again, so a list that lags is waited for as often here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from server_b.segment.examiner import SegmentExaminer, StillMissingError
from server_b.segment.look import SegmentLook
from server_b.segment.progress import RunProgress
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SegmentVerdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass
class PatientExaminer:
    """Brings each signal to its verdict at once."""

    endpoint: Endpoint
    keys: Keyspace
    settings: ConsumerSettings
    examiner: SegmentExaminer
    progress: RunProgress
    log: FilteringBoundLogger

    def examine(self, signal: Signal, entry_id: str, known: SegmentVerdict | None) -> SegmentVerdict | None:
        """Examine a segment, waiting for a replica that lags as often as a group would deliver the entry.

        None where nothing comes of the signal: no verdict, or one that does not replace what is known.
        """
        look = SegmentLook.read(self.endpoint, self.keys, signal, entry_id)
        verdict = self._examine(signal, look, entry_id)
        is_new = verdict is not None and (known is None or verdict.replaces(known, look.state, look.record))
        return verdict if is_new else None

    def _examine(self, signal: Signal, look: SegmentLook, entry_id: str) -> SegmentVerdict | None:
        if look.contradiction:
            self.log.warning("entry skipped", entry_id=entry_id, reason=look.contradiction)
            return None
        if look.obstacle:
            return self.examiner.given_up(signal, look, look.obstacle)
        self.progress.begin(signal)
        for _ in range(self.settings.max_deliveries):
            try:
                return self.examiner.examine(signal, look)
            except StillMissingError:
                self.log.warning("list not there yet, waiting", run_id=signal.run_id, segment=signal.segment)
                look = replace(look, state=None)
            except WrongKeyError as error:
                return self.examiner.given_up(signal, look, str(error))
        return self.examiner.never_arrived(signal, look)
