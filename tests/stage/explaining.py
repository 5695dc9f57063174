"""`server-b explain` in the test's own process."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from server_b.explain.explanation import Explainer, Explanation
from server_b.explain.found_verdicts import read_verdicts
from server_b.explain.lines import LinesOfFile
from shared.endpoint.endpoint import Endpoint
from shared.keys import Keyspace


def explain(endpoint: Endpoint, keys: Keyspace, run_id: str, file: Path | None = None) -> Explanation:
    """Return what it finds of a run, with the file of its lines where that is given."""
    verdicts = read_verdicts(endpoint, keys, run_id, {})
    if file is None:
        return Explainer(endpoint, keys, run_id, None).explain(verdicts)
    with closing(LinesOfFile(str(file))) as lines:
        return Explainer(endpoint, keys, run_id, lines).explain(verdicts)
