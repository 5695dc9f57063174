"""When a run gives up on a server that keeps losing what it acknowledged.

Time alone was rejected as the limit: ten failovers in a row are mended ten times, however long that takes. So it counts
from the last audit that found less missing than any before, or an outage.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from server_a.run.audit import AuditFindings
from shared.errors import NotFinishedError

MIN_MENDED = 2  # also without patience: what an audit finds is mended, and what gets lost meanwhile once more
MAX_AUDITS = 100


@dataclass
class LossLimit:
    """Notes what each audit finds missing; raises once that has not become less for `limit_s` seconds."""

    where: str
    limit_s: float
    mended: int = field(init=False, default=0)  # how often what was missing is written again
    _least: float = field(init=False, default=math.inf)
    _outages: int = field(init=False, default=-1)
    _since_s: float = field(init=False, default=0.0)

    def note(self, findings: AuditFindings, *, outages: int) -> None:
        """Take the findings of an audit, after so many outages; raise NotFinishedError instead of one mend more."""
        missing = len(findings.segments) + len(findings.signals) + findings.is_record_lost
        if missing < self._least or outages != self._outages:
            self._least, self._outages = min(missing, self._least), outages
            self._since_s = time.monotonic()
        waited_s = time.monotonic() - self._since_s
        if self.mended >= MIN_MENDED and (waited_s >= self.limit_s or self.mended >= MAX_AUDITS):
            expected, got = "a server that keeps what it acknowledged", f"one that loses it: {_text(findings)} missing"
            raise NotFinishedError(
                where=self.where, expected=expected, got=f"{got} after {self.mended} repairs in {waited_s:.0f} s"
            )
        self.mended += 1


def _text(findings: AuditFindings) -> str:
    numbers = {"segments": len(findings.segments), "signals": len(findings.signals)}
    found = [f"{number:,} {name if number > 1 else name[:-1]}" for name, number in numbers.items() if number]
    return " and ".join([*found, *(["the record"] if findings.is_record_lost else [])]) or "nothing"
