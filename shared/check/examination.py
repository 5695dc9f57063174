"""Examines an endpoint for one program: what is there, and whether the program can do its job.

Nothing is written, so it is safe at a production server at any time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from shared.check.encryption import read_tls, tls_notes
from shared.check.findings import Findings, Problem, permission_notes, permission_problems
from shared.check.memory import memory_findings, memory_notes, memory_problems, read_memory
from shared.check.permissions import ask_permissions, permissions_of
from shared.check.requirements import Requirement
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.settings import EndpointSettings
from shared.errors import HandoverError, NotAllowedError, TransientError, WrongEndpointError
from shared.keys import Keyspace

ROUND_TRIPS = 21
OLDEST_VERSION = (6, 2)


@dataclass(frozen=True)
class Job:
    """What a program wants to do at an endpoint."""

    program: str
    requirements: tuple[Requirement, ...]
    values_of: Mapping[str, int]  # values that will be written to each key of a list; 0 where lists are only read
    count: int | None  # the values are 1..count, so this is also the largest; None when nothing is to be written
    refusal: str  # what is wrong with a replica for this program; empty when a replica is fine
    try_reading: Callable[[], object]  # reads what the program reads first; its errors are problems


def examine(endpoint: Endpoint, settings: EndpointSettings, keys: Keyspace, job: Job) -> Findings:
    """Return what there is to know about an endpoint.

    Redis: 21 TIME, ACL WHOAMI, INFO memory of each server concerned, what `ask_permissions` and `try_reading` send.
    """
    kind, url = endpoint.kind, settings.url
    problems = _kind_problems(endpoint, job)
    answers = ask_permissions(endpoint, keys, permissions_of(job.requirements, keys)) if not problems else []
    problems += permission_problems(answers, job.program)
    notes = permission_notes(answers)
    nodes = read_memory(endpoint, job.values_of, largest=job.count or 0)
    notes += [note for node in nodes for note in memory_notes(node)]
    try:
        tls = read_tls(settings)
        notes += tls_notes(tls)
    except TransientError as error:  # no problem, since the endpoint itself was reached
        tls = None
        notes.append(f"nothing is known of the encryption: {error}")
    if not problems:
        try:
            job.try_reading()
        except HandoverError as error:
            problems.append(Problem(str(error), error.exit_code))
    if job.count is not None:
        problems += [problem for node in nodes for problem in memory_problems(node)]
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
        permissions=answers,
        memory=memory_findings(nodes, job.count) if nodes else None,
        round_trip_ms=_round_trip_ms(endpoint, keys),
        notes=notes,
        problems=problems,
    )


def _kind_problems(endpoint: Endpoint, job: Job) -> list[Problem]:
    kind = endpoint.kind
    if kind.is_replica and job.refusal:
        return [Problem(f"{endpoint.name} is a read-only replica: {job.refusal}", WrongEndpointError.exit_code)]
    parts = kind.version.split(".")[:2]
    # a version that is not made of numbers counts as a new one
    if all(part.isdigit() for part in parts) and tuple(map(int, parts)) < OLDEST_VERSION:
        text = f"{endpoint.name} has version {kind.version}: 6.2 is the oldest that has every command; upgrade it"
        return [Problem(text, WrongEndpointError.exit_code)]
    return []


def _user(endpoint: Endpoint, keys: Keyspace, settings: EndpointSettings) -> str | None:
    """Return our user name as the server tells it, else as we gave it."""
    with suppress(NotAllowedError, WrongEndpointError):
        return str(endpoint.at(keys.signals()).acl_whoami())
    return None if settings.auth == "entra" else settings.url.username or "default"


def _round_trip_ms(endpoint: Endpoint, keys: Keyspace) -> float:
    """Return the median of some round trips of TIME, which both programs may send."""
    times = []
    for _ in range(ROUND_TRIPS):
        started = time.perf_counter()
        endpoint.at(keys.signals()).time()
        times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1_000, 3)
