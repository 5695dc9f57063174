"""Examines an endpoint for one program: what is there, and whether the program can do its job.

Nothing is written, so it is safe at a production server at any time.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from shared.check.encryption import read_tls, tls_notes
from shared.check.findings import Findings, HandOverFindings, LinkFindings, Problem, Way, WrittenKeys
from shared.check.limits import limit_notes, read_limits
from shared.check.link import least_hand_over, measure_rate, measure_round_trips, percentile
from shared.check.memory import Need, memory_findings, memory_notes, memory_problems, read_memory
from shared.check.permission_findings import permission_notes, permission_problems
from shared.check.permissions import ask_permissions, permissions_of
from shared.check.requirements import Requirement
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command
from shared.endpoint.settings import EndpointSettings
from shared.errors import HandoverError, NotAllowedError, TransientError, WrongEndpointError
from shared.fields import decimal_number
from shared.keys import Keyspace

OLDEST_VERSION = (6, 2)


@dataclass(frozen=True)
class Plan:
    """What a program is to write."""

    count: int  # values
    values_bytes: int  # as they are sent
    written: list[WrittenKeys]
    needs: Callable[[], Mapping[str, Need]]  # of each server; asked after `try_reading`

    def hand_over(self, round_trip_s: float, link: LinkFindings | None) -> HandOverFindings:
        """Return what a hand-over takes at least."""
        return least_hand_over(self.count, self.values_bytes, round_trip_s=round_trip_s, link=link)


@dataclass(frozen=True)
class Job:
    """What a program wants to do at an endpoint."""

    program: str
    requirements: tuple[Requirement, ...]
    keys: tuple[str, ...]  # whose servers are asked for their memory
    refusal: str  # what is wrong with a replica for this program; empty when a replica is fine
    try_reading: Callable[[], list[str]]  # reads what is read first, and returns notes; its errors are problems
    payload: Callable[[bytes], Command]  # a command that touches no data, with an argument of any size
    payload_way: Way  # which way that argument goes
    plan: Plan | None = None  # what is to be written; None for nothing
    look_here: Callable[[], list[str] | None] = lambda: None  # looks at what the program needs on this host; likewise
    asked_bytes: int = 0  # most that the program asks for before it has read the replies


def examine(endpoint: Endpoint, settings: EndpointSettings, keys: Keyspace, job: Job) -> Findings:
    """Return what there is to know about an endpoint.

    Redis: at most 201 TIME and 4 MiB of arguments, ACL WHOAMI, INFO memory and CONFIG GET of each server concerned,
    what `ask_permissions` and `try_reading` send.
    """
    kind, url = endpoint.kind, settings.url
    problems = _kind_problems(endpoint, job)
    answers = ask_permissions(endpoint, keys, permissions_of(job.requirements, keys)) if not problems else []
    problems += permission_problems(answers, job.program)
    notes = permission_notes(answers)
    memory = read_memory(endpoint, job.keys)
    # the memory of all servers, or nothing: a sum without one of them would say something false
    nodes = [node for node in memory.values() if node is not None] if None not in memory.values() else []
    notes += [note for node in nodes for note in memory_notes(node)]
    limits = read_limits(endpoint, job.keys).items()
    notes += [note for node, found in limits for note in limit_notes(node, found, asked_bytes=job.asked_bytes)]
    try:
        tls = read_tls(settings)
        notes += tls_notes(tls)
    except TransientError as error:  # no problem, since the endpoint itself was reached
        tls = None
        notes.append(f"nothing is known of the encryption: {error}")
    for look in (job.look_here, *([] if problems else [job.try_reading])):
        try:
            notes += look() or []
        except HandoverError as error:
            problems.append(Problem(str(error), error.exit_code))
    times = measure_round_trips(lambda: endpoint.at(keys.signals()).time())
    round_trip_s = statistics.median(times)
    link = None
    if not problems:
        try:
            link = measure_rate(endpoint, keys.signals(), job.payload, way=job.payload_way, times=times)
        except HandoverError as error:
            notes.append(f"the rate of the link is not known: {error}")
    plan = job.plan
    needs = plan.needs() if plan is not None else {}
    if plan is not None:
        problems += [problem for node in nodes for problem in memory_problems(node, needs.get(node.name, Need()))]
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
        memory=memory_findings(nodes, plan.count if plan is not None else None, needs) if nodes else None,
        round_trip_ms=round(round_trip_s * 1_000, 3),
        round_trip_p99_ms=round(percentile(times, 0.99) * 1_000, 3),
        round_trips=len(times),
        link=link,
        hand_over=plan.hand_over(round_trip_s, link) if plan is not None else None,
        written=plan.written if plan is not None else None,
        notes=notes,
        problems=problems,
    )


def _kind_problems(endpoint: Endpoint, job: Job) -> list[Problem]:
    kind = endpoint.kind
    if kind.is_replica and job.refusal:
        return [Problem(f"{endpoint.name} is a read-only replica: {job.refusal}", WrongEndpointError.exit_code)]
    if is_too_old(kind.version):
        text = f"{endpoint.name} has version {kind.version}: 6.2 is the oldest that has every command; upgrade it"
        return [Problem(text, WrongEndpointError.exit_code)]
    return []


def is_too_old(version: str) -> bool:
    """Tell whether a server lacks commands that we need; one whose version is not made of numbers counts as new."""
    parts = [decimal_number(part) for part in version.split(".")[:2]]
    numbers = tuple(part for part in parts if part is not None)
    return len(numbers) == len(parts) and numbers < OLDEST_VERSION


def _user(endpoint: Endpoint, keys: Keyspace, settings: EndpointSettings) -> str | None:
    """Return our user name as the server tells it, else as we gave it."""
    with suppress(NotAllowedError, WrongEndpointError):
        return str(endpoint.at(keys.signals()).acl_whoami())
    return None if settings.auth == "entra" else settings.url.username or "default"
