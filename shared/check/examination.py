"""Looks an endpoint over for one program: what is there, and whether the program can do its job.

Nothing is written here, so it may be done to a production server at any time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from shared.check.encryption import read_tls, tls_notes
from shared.check.findings import Findings, MemoryFindings, RightFindings, TlsFindings, Trouble
from shared.check.memory import memory_findings, memory_notes, memory_troubles, read_memory
from shared.check.permission_problems import right_notes, right_troubles
from shared.check.permissions import Answer, ask_rights, rights_of
from shared.check.requirements import Need
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.server_kind import ServerKind
from shared.endpoint.settings import EndpointSettings
from shared.errors import HandoverError, NotAllowedError, TransientError, WrongEndpointError
from shared.keys import Keyspace

ROUND_TRIPS = 21
OLDEST_VERSION = (6, 2)


@dataclass(frozen=True)
class Job:
    """What a program wants to do at an endpoint.

    Attributes:
        needs: The rights it takes.
        values_of: Values that will be written to each key of a list; 0 where lists are only read.
        count: All of them together, which is also the largest; None when nothing is to be written.
        refusal: What is wrong with a replica for this program; empty when it is fine.
        try_reading: Reads what the program reads first; its errors are troubles.
    """

    program: str
    needs: tuple[Need, ...]
    values_of: Mapping[str, int]
    count: int | None
    refusal: str
    try_reading: Callable[[], object]


def examine(endpoint: Endpoint, settings: EndpointSettings, keys: Keyspace, job: Job) -> Findings:
    """Return what there is to know of an endpoint.

    Raises:
        TransientError: The connection is lost.

    Redis:
        21 TIME, ACL WHOAMI, INFO memory of each server concerned, what `ask_rights` and `try_reading` send.
    """
    kind, url = endpoint.kind, settings.url
    notes: list[str] = []
    troubles = _kind_troubles(endpoint, job)
    answers = ask_rights(endpoint, keys, rights_of(job.needs, keys)) if not troubles else []
    troubles += right_troubles(answers, job.program)
    notes += right_notes(answers)
    memory, memory_says, memory_lacks = _memory(endpoint, job)
    tls, tls_says = _tls(settings)
    if not troubles:
        troubles += _reading_troubles(job)
    return Findings(
        program=job.program,
        endpoint=endpoint.name,
        namespace=keys.namespace,
        server=kind.server,
        version=kind.version,
        mode="sentinel" if url.is_sentinel else kind.mode,
        role="replica" if kind.is_replica else "primary",
        tls=tls,
        user=_user(endpoint, keys, settings),
        rights=[_right_findings(answer) for answer in answers],
        memory=memory,
        round_trip_ms=_round_trip_ms(endpoint, keys),
        notes=notes + memory_says + tls_says,
        troubles=troubles + memory_lacks,
    )


def _kind_troubles(endpoint: Endpoint, job: Job) -> list[Trouble]:
    kind = endpoint.kind
    if kind.is_replica and job.refusal:
        return [Trouble(f"{endpoint.name} is a read-only replica: {job.refusal}", WrongEndpointError.exit_code)]
    if _version(kind) < OLDEST_VERSION:
        text = f"{endpoint.name} has version {kind.version}: 6.2 is the oldest that has every command; upgrade it"
        return [Trouble(text, WrongEndpointError.exit_code)]
    return []


def _version(kind: ServerKind) -> tuple[int, ...]:
    """Return the version's numbers; a text without any passes for a new one."""
    parts = kind.version.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else OLDEST_VERSION


def _user(endpoint: Endpoint, keys: Keyspace, settings: EndpointSettings) -> str | None:
    """Return who we are there: as the server says, else as we told it."""
    with suppress(NotAllowedError, WrongEndpointError):
        return str(endpoint.at(keys.signals()).acl_whoami())
    return None if settings.auth == "entra" else settings.url.username or "default"


def _memory(endpoint: Endpoint, job: Job) -> tuple[MemoryFindings | None, list[str], list[Trouble]]:
    nodes = read_memory(endpoint, job.values_of, largest=job.count or 0)
    if nodes is None:
        return None, [], []
    notes = [note for node in nodes for note in memory_notes(node)]
    troubles = [trouble for node in nodes for trouble in memory_troubles(node)] if job.count is not None else []
    return memory_findings(nodes, job.count), notes, troubles


def _tls(settings: EndpointSettings) -> tuple[TlsFindings | None, list[str]]:
    try:
        tls = read_tls(settings)
    except TransientError as error:  # the endpoint itself has been reached, so that is no obstacle
        return None, [f"nothing is known of the encryption: {error}"]
    return tls, tls_notes(tls)


def _reading_troubles(job: Job) -> list[Trouble]:
    try:
        job.try_reading()
    except HandoverError as error:
        return [Trouble(str(error), error.exit_code)]
    return []


def _right_findings(answer: Answer) -> RightFindings:
    right = answer.right
    return RightFindings(right.name, right.key, right.purpose, right.is_needed, answer.is_allowed)


def _round_trip_ms(endpoint: Endpoint, keys: Keyspace) -> float:
    """Return the median of some round trips; TIME, since both programs have the right to it."""
    times = []
    for _ in range(ROUND_TRIPS):
        started = time.perf_counter()
        endpoint.at(keys.signals()).time()
        times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1_000, 3)
