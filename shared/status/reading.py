"""Reads what `status` shows: runs, the group, dead letters, and the segments of the newest run.

Runs are found in the stream. A run without a signal yet is named by the state of its first segment, once that is
published; before, only a scan for its record finds it. A scan passes over every key, so only server-a, which resumes
runs, does one; it is bounded in time, and what it left out is told. A key that names the newest run was rejected:
people who look through the keys by hand would meet one more.

The group is read before results and records: an entry that was acknowledged by then has its verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import signals_in
from shared.endpoint.scanning import TimedScan
from shared.entry_ids import order_of
from shared.errors import HandoverError, NotAllowedError, TransientError, WrongEndpointError
from shared.keys import Keyspace
from shared.program.verdict_file import LocalVerdicts
from shared.status.facts import PENDING, RunStatus, StreamFacts
from shared.status.findings import REPLACED, Facts, Findings
from shared.status.run_reading import (
    foreign_verdicts,
    read_older_verdicts,
    read_runs,
    segment_beyond,
    segments_of_newest,
)
from shared.status.stream_reading import PAGE_ENTRIES, read_stream
from shared.tokens import is_token, is_too_late, token_ms
from shared.verdict import SUPERSEDED

MAX_RUNS = 10
MAX_PAGES = 20
SCAN_S = 10.0
LEAST_RETAINED_MS = 24 * 60 * 60 * 1000  # records and results are kept for a day at least
MAX_UNKNOWN = 2  # runs that only a state names, with neither record nor signal
_ANY_TOKEN = "????????T?????????Z-??????"  # noqa: S105 - a glob pattern of run ids, no secret


def read_facts(
    endpoint: Endpoint,
    keys: Keyspace,
    *,
    is_scanned: bool,
    scan_s: float = SCAN_S,
    local: LocalVerdicts | None = None,
    passed: Callable[[int], None] = lambda _: None,
) -> Facts:
    """Read everything; `is_scanned` looks for runs without a signal among all keys, for at most `scan_s` seconds.

    `local` are the verdicts of a follower on this host; `passed` is called with numbers of segments that are looked at.

    Redis: one round trip for stream, group, dead letters and first state; XREVRANGE COUNT 1000, at most 20 times; SCAN;
    HMGET of at most 12 records; HMGET of 1,000 verdicts and, for the newest run, 1,000 states with LLEN and, where a
    verdict lacks, 1,000 signals a round trip; where there is no record, one state more. Never
    more than 1,000 segments are in memory.
    """
    stream = read_stream(endpoint, keys)
    scan, not_looked_at = _begun_runs(endpoint, keys, scan_s) if is_scanned else ([], [])
    signalled = signalled_runs(endpoint, keys, stream)
    begun = [run_id for run_id in scan if is_token(run_id) and not is_too_late(run_id, stream.server_ms)]
    runs = newest_runs(endpoint, keys, signalled, [stream.first_run, *begun], local or {})
    findings, beyond, is_whole = None, "", True
    if runs:
        findings = Findings(runs[0], stream.group)
        try:
            found = segments_of_newest(endpoint, keys, runs[0], local or {}, server_ms=stream.server_ms, passed=passed)
            for segment in found:
                findings.add(segment)
            beyond = segment_beyond(endpoint, keys, runs[0])
        except TransientError as error:
            if not error.answered:
                raise
            not_looked_at.append(f"all segments of run {runs[0].run_id}: {error}")  # a slot in migration, or moved
            is_whole = False
            with suppress(HandoverError):  # whoever looks again then asks where it is
                endpoint.refresh()
        runs = [
            judged(findings, keys.result(runs[0].run_id), is_whole=is_whole),
            *(superseded(run, stream.first_run) for run in runs[1:]),
        ]
    return facts_of(
        endpoint, keys, stream, runs, findings, local=local or {}, not_looked_at=not_looked_at, beyond=beyond
    )


def facts_of(
    endpoint: Endpoint,
    keys: Keyspace,
    stream: StreamFacts,
    runs: Sequence[RunStatus],
    findings: Findings | None,
    *,
    local: LocalVerdicts,
    not_looked_at: Sequence[str] = (),
    beyond: str,
) -> Facts:
    """Return what is judged, the same for `status` and for a page; `findings` are of the first run, if they are there.

    Redis: HMGET and HLEN of each newer run that states name.
    """
    return Facts(
        runs=list(runs),
        first_segment=keys.segment(1),
        first_run=stream.first_run,
        stream=keys.signals(),
        foreign_entries=stream.foreign_entries,
        group=stream.group,
        findings=findings,
        dead_letters=stream.dead_letters,
        not_looked_at=list(not_looked_at),
        letters=keys.dead_letters(),
        foreign_letters=stream.foreign_letters,
        is_followed=bool(runs and len(local.get(runs[0].run_id, ())) == runs[0].segments),
        has_foreign_groups=stream.has_foreign_groups,
        beyond=beyond,
        unrecorded=_unrecorded(endpoint, keys, findings, stream),
        is_young=_is_young(runs, stream),
    )


def _is_young(runs: Sequence[RunStatus], stream: StreamFacts) -> bool:
    """Tell whether the newest of these runs began so late that its record and result can't have expired."""
    return bool(runs) and token_ms(runs[0].run_id) > stream.server_ms - LEAST_RETAINED_MS


def _unrecorded(endpoint: Endpoint, keys: Keyspace, findings: Findings | None, stream: StreamFacts) -> frozenset[str]:
    """Return which of the newer runs that states name have no record, and can't be resumed. Redis: HMGET, HLEN each."""
    newer = set(findings.newer) - {stream.first_run} if findings is not None else set()
    found = read_runs(endpoint, keys, dict.fromkeys(newer, 0), {}) if newer else []
    return frozenset(run.run_id for run in found if not run.has_record)


def _begun_runs(endpoint: Endpoint, keys: Keyspace, scan_s: float) -> tuple[list[str], list[str]]:
    """Return the newest ten runs whose records a scan finds, and what was not looked at."""
    scan, left_out = TimedScan(MAX_RUNS), []
    try:
        scan.run(endpoint, keys.run(_ANY_TOKEN), kind="hash", limit_s=scan_s)
        if scan.unfinished:
            where = ", ".join(scan.unfinished)
            left_out = [f"the search ended after {scan_s:g} s, before all keys at {where} were passed over"]
    except (NotAllowedError, WrongEndpointError) as error:
        left_out = [str(error)]
    sought = "runs that have published nothing yet"
    names = [key.decode("utf-8", "replace") for key in scan.found]
    return [name.removeprefix(keys.run("")) for name in names], [f"{sought}: {reason}" for reason in left_out]


def signalled_runs(endpoint: Endpoint, keys: Keyspace, stream: StreamFacts) -> dict[str, int]:
    """Return the runs that the newest 20,000 entries of the stream name, each as `note_signals` notes it."""
    segments: dict[str, int] = {}
    page = stream.first_page
    for _ in range(MAX_PAGES):
        note_signals(segments, page, server_ms=stream.server_ms)
        if len(page) < PAGE_ENTRIES or len(segments) > MAX_RUNS:
            break
        page = _page_before(endpoint, keys, page)
    return segments


def note_new_signals(
    segments: dict[str, int], endpoint: Endpoint, keys: Keyspace, stream: StreamFacts, known: bytes
) -> bool:
    """Note the signals that are newer than an entry, as `note_signals`; return whether that one was met.

    Redis: XREVRANGE of 1,000 entries for each full thousand that is newer.
    """
    page = stream.first_page
    for _ in range(MAX_PAGES):
        place = next((place for place, entry in enumerate(page) if entry[0] == known), None)
        note_signals(segments, page[:place], server_ms=stream.server_ms)
        if place is not None:
            return True
        if len(page) < PAGE_ENTRIES or order_of(page[-1][0].decode()) < order_of(known.decode()):
            return False
        page = _page_before(endpoint, keys, page)
    return False


def _page_before(endpoint: Endpoint, keys: Keyspace, page: list[Any]) -> list[Any]:
    end = "(" + page[-1][0].decode()
    return cast("list[Any]", endpoint.at(keys.signals()).xrevrange(keys.signals(), max=end, count=PAGE_ENTRIES))


def note_signals(segments: dict[str, int], entries: Iterable[Any], *, server_ms: int) -> None:
    """Note the runs that these entries of the stream name, each with its number of segments.

    Where signals of a run contradict each other, the largest number: each segment that one of them speaks of is looked
    for.
    """
    for signal in signals_in(entries, server_ms=server_ms):
        segments[signal.run_id] = max(signal.segments, segments.get(signal.run_id, 0))


def newest_runs(
    endpoint: Endpoint, keys: Keyspace, signalled: dict[str, int], found: Iterable[str], local: LocalVerdicts
) -> list[RunStatus]:
    """Return the newest runs, newest first: those with a signal, and those found otherwise, with a record."""
    segments = dict.fromkeys(filter(is_token, found), 0) | signalled
    newest = sorted(segments, reverse=True)[: MAX_RUNS + MAX_UNKNOWN]
    runs = read_runs(endpoint, keys, {run_id: segments[run_id] for run_id in newest}, local)
    known = [run for run in runs if run.segments][:MAX_RUNS]  # 0: no signal, and no record any more
    return [*known[:1], *read_older_verdicts(endpoint, keys, known[1:], local)]


def judged(findings: Findings, result_key: str, *, is_whole: bool = True) -> RunStatus:
    """Return the newest run with the verdict that its segments amount to; `is_whole` if all of them were looked at."""
    run = findings.run
    verdict, reason = findings.verdicts.judged(run.segments)
    if verdict == PENDING and findings.kinds[REPLACED]:
        verdict, reason = SUPERSEDED, "by a newer run"
    elif verdict == PENDING:
        verdict = run.verdict  # `unknown` where neither record nor result is there
    if is_whole and findings.recorded < run.verdicts:
        verdict, reason = PENDING, foreign_verdicts(result_key)
    return replace(run, verdicts=findings.verdicts.numbers.total(), verdict=verdict, reason=reason)


def superseded(run: RunStatus, first_run: str) -> RunStatus:
    """Return an older run as superseded where a newer one was published before it had all its verdicts."""
    if run.verdict != PENDING or first_run <= run.run_id:
        return run
    return replace(run, verdict=SUPERSEDED, reason=run.reason or f"by run {first_run}")
