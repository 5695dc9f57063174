"""What the consumer and the follower both work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from server_b.pulse import Pulse
from server_b.reporting import Reporting
from server_b.run_progress import RunProgress
from server_b.segment_examiner import SegmentExaminer
from shared.endpoint.patience import Patience

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True)
class ConsumerTools:
    """The actors that one execution of `server-b run` has opened."""

    pulse: Pulse
    patience: Patience
    reporting: Reporting
    examiner: SegmentExaminer
    progress: RunProgress
    log: FilteringBoundLogger
