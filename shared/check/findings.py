"""What `check` found out about an endpoint. Pure.

A part is None where the server does not say; that alone is no problem.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from shared.check.permissions import Answer
from shared.errors import (
    EndpointUnreachableError,
    NotAllowedError,
    NotFinishedError,
    WrongEndpointError,
)

_WORST_FIRST = [
    error.exit_code for error in (WrongEndpointError, NotAllowedError, EndpointUnreachableError, NotFinishedError)
]
Way = Literal["to the server", "there and back"]
"""Which way a rate was measured; there and back, it is the slower of both directions."""

_JSON_NAMES = {"permissions": "rights", "problems": "troubles"}


@dataclass(frozen=True)
class Problem:
    """Something that keeps the program from its job: one sentence that says what to do about it."""

    text: str
    exit_code: int


@dataclass(frozen=True)
class TlsFindings:
    """The encryption of a connection."""

    address: str  # whose certificate it is, `host:port`; behind Sentinels the first of them that answers
    version: str  # such as `TLSv1.3`
    certificate_ends: str | None  # moment in UTC; None when the certificate was not verified, and so not read
    days_left: int | None  # whole days until then


@dataclass(frozen=True)
class MemoryFindings:
    """Memory of the servers that hold the list, added up."""

    used_bytes: int
    max_bytes: int  # 0 when one of them has no limit
    policy: str  # their eviction policies, joined by commas
    count: int | None  # values to make room for; None when nothing is to be written
    needed_bytes: int | None  # about what a run of those values takes; None likewise
    free_bytes: int | None  # left below the limit; None without a limit
    peak_bytes: int | None = None  # most that it needs beside what is used now; None likewise


@dataclass(frozen=True)
class WrittenKeys:
    """The keys of one kind that a run writes."""

    kind: str  # as shared/keys.py calls it
    keys: int
    bytes: int  # about


@dataclass(frozen=True)
class LinkFindings:
    """The rate of the link; a long transfer may be faster than the short one that was measured."""

    bytes_per_s: int
    way: Way
    measured_bytes: int  # in each direction concerned


@dataclass(frozen=True)
class HandOverFindings:
    """The least time that a hand-over takes each program over such a link: servers and programs do more than that."""

    count: int
    values_bytes: int  # as they are sent
    values_s: float | None  # they take at the rate of the link; None where that is not known
    server_a_turns: int  # round trips that the program waits for one after the other
    server_a_s: float  # of these round trips and of the values
    server_b_turns: int
    server_b_s: float


@dataclass(frozen=True)
class PeerFindings:
    """How the endpoint is connected to another.

    A lag is the time from the acknowledgement of a probe key here to the first reply there that shows it.
    """

    endpoint: str
    relation: str  # `same` (one database), `connected`, or `none`
    canaries: int  # probe keys written here
    seen: int  # how many of them were seen there in time
    lag_median_ms: float | None  # None when none was seen
    lag_max_ms: float | None


@dataclass(frozen=True)
class Findings:
    """Everything that was found out."""

    program: str
    endpoint: str
    namespace: str
    server: str
    version: str
    mode: str  # `standalone`, `cluster` or `sentinel` (a primary that Sentinels name)
    role: str  # `primary` or `replica`
    tls: TlsFindings | None  # None also for a URL without TLS
    user: str | None  # our name there; None when the server doesn't tell
    permissions: list[Answer]  # empty when they were not asked for
    memory: MemoryFindings | None
    round_trip_ms: float  # median
    round_trip_p99_ms: float = 0.0  # 99th percentile
    round_trips: int = 0  # how many were measured
    link: LinkFindings | None = None  # None when it could not be measured
    hand_over: HandOverFindings | None = None  # None when nothing is to be written
    written: list[WrittenKeys] | None = None  # by kind; None likewise
    peer: PeerFindings | None = None
    notes: list[str] = field(default_factory=list)  # worth knowing, but no problem
    problems: list[Problem] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 without problems, else the worst: first what trying again never helps."""
        codes = {problem.exit_code for problem in self.problems}
        return next((code for code in _WORST_FIRST if code in codes), max(codes, default=0))

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        # asdict() copies what it finds, which errors don't allow
        fields = asdict(replace(self, permissions=[], problems=[])) | {
            "permissions": [
                {
                    "command": answer.permission.name,
                    "key": answer.permission.key,
                    "purpose": answer.permission.purpose,
                    "is_needed": answer.permission.is_needed,
                    "is_allowed": answer.is_allowed,
                }
                for answer in self.permissions
            ],
            "problems": [problem.text for problem in self.problems],
            "exit_code": self.exit_code,
        }
        return {_JSON_NAMES.get(name, name): value for name, value in fields.items()}
