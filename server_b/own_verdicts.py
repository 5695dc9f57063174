"""Our own verdicts on runs that are not complete yet, to be recorded again where a failover lost them.

On a cluster a verdict and the entry it answers lie on different servers. One that loses the verdict leaves the entry
acknowledged, so that nobody would read the segment again and the run would never be complete. Memory was preferred to
acknowledging only at a run's end, which would keep every entry of a large run pending.
"""

from __future__ import annotations

from server_b.results import Results
from shared.endpoint.client import Endpoint
from shared.keys import Keyspace
from shared.verdict import SegmentVerdict, is_complete

MAX_RUNS = 16


class OwnVerdicts:
    """What this consumer has recorded of the last 16 runs that it has not seen complete."""

    def __init__(self, endpoint: Endpoint, keys: Keyspace) -> None:
        """Start with none."""
        self._results = Results(endpoint, keys)
        self._by_run: dict[str, dict[int, SegmentVerdict]] = {}

    def add(self, run_id: str, verdict: SegmentVerdict, *, is_run_complete: bool) -> None:
        """Note a verdict that was recorded, or that there is nothing more to note."""
        verdicts = self._by_run.pop(run_id, {})
        if is_run_complete:
            return
        self._by_run[run_id] = {**verdicts, verdict.segment: verdict}
        if len(self._by_run) > MAX_RUNS:
            del self._by_run[next(iter(self._by_run))]

    def record_again(self) -> list[str]:
        """Record what is missing and return the runs concerned; a run whose record is gone too was removed on purpose.

        Raises:
            ConnectionLostError: The connection is lost; record them again.

        Redis:
            HGETALL and HGET for each run, O(segments); what `Results.record` costs for each verdict that is missing.
        """
        repaired = []
        for run_id, verdicts in list(self._by_run.items()):
            found = self._results.read(run_id)
            missing = [verdict for number, verdict in verdicts.items() if number not in found]
            retain_ms = self._results.retain_ms(run_id)
            if retain_ms is None or is_complete(found):
                del self._by_run[run_id]
                continue
            for verdict in missing:
                self._results.record(run_id, verdict, retain_ms=retain_ms)
            repaired += [run_id] if missing else []
        return repaired
