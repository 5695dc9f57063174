"""The facts of one run for the report: the newest one, or the one that is named."""

from __future__ import annotations

from shared.advice import CHECK_BOTH_ENDS
from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError, NotFinishedError
from shared.page.collecting import Collector
from shared.page.facts import PageFacts
from shared.program.options import CommonSettings
from shared.program.progress import Progress
from shared.program.state_folder import state_directory
from shared.program.verdict_file import LocalVerdicts, VerdictFile


def collect_run(endpoint: Endpoint, common: CommonSettings, run_id: str) -> PageFacts:
    """Return the facts of a run; the newest for an empty id.

    Raises:
        InvalidInputError: Nothing of the run that was named is here.
        NotFinishedError: No run is here.
    """
    with Progress("Looking", None, unit="segments") as progress:
        collector = Collector(endpoint, common.keys, common.endpoint.url.is_tls, run_id, passed=progress.add)
        facts = collector.look(local_verdicts(endpoint, common))
    if facts.run is None and run_id:
        expected, advice = "a run that is known here", "see server-b status"
        raise InvalidInputError(where=f"run {run_id}", expected=expected, got="nothing of it", advice=advice)
    if facts.run is None:
        raise NotFinishedError(where=endpoint.name, expected="a run", got="none", advice=CHECK_BOTH_ENDS)
    return facts


def local_verdicts(endpoint: Endpoint, common: CommonSettings) -> LocalVerdicts:
    """Return the verdicts that a server-b on this host has on what it follows; none where it follows nothing."""
    if not endpoint.kind.is_replica or not state_directory():
        return {}
    return VerdictFile(state_directory(), endpoint=endpoint.name, namespace=common.keys.namespace).read()
