"""What `check` found out about an endpoint, and what the answers about permissions mean for the program. Pure.

A part is None where the server does not say; that alone is no problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from shared.check.permissions import Answer
from shared.errors import (
    EndpointUnreachableError,
    NotAllowedError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    WrongEndpointError,
)

_WORST_FIRST = [
    error.exit_code for error in (WrongEndpointError, NotAllowedError, EndpointUnreachableError, NotFinishedError)
]
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
    needed_bytes: int | None  # about what those values take; None likewise
    free_bytes: int | None  # left below the limit; None without a limit


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
    round_trip_ms: float  # median of 21
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


def permission_problems(answers: list[Answer], program: str) -> list[Problem]:
    """Return what keeps `run` from its job: a sentence for each key, and why writes are refused."""
    needed = [answer for answer in answers if answer.permission.is_needed]
    denied = [answer for answer in needed if isinstance(answer.error, NotAllowedError)]
    unknown = [answer for answer in needed if answer.is_unknown]
    return [
        *_lacking(denied, "is not allowed", f"grant it as deploy/acl/{program}.acl does", NotAllowedError.exit_code),
        *_lacking(
            unknown, "is not known to the server", "enable it, or use another server", WrongEndpointError.exit_code
        ),
        *_refused_writes(answers),
    ]


def _lacking(answers: list[Answer], what: str, cure: str, exit_code: int) -> Iterator[Problem]:
    """Yield a problem for each key and purpose."""
    commands: dict[tuple[str, str], list[str]] = defaultdict(list)
    for answer in answers:
        commands[answer.permission.key, answer.permission.purpose].append(answer.permission.name)
    for (key, purpose), names in commands.items():
        subject = ", ".join(dict.fromkeys(names)) + (f" on {key}" if key else "")
        yield Problem(f"{subject} {what}, needed to {purpose}; {cure}", exit_code)


def permission_notes(answers: list[Answer]) -> list[str]:
    """Return which other commands of the program can't be used here, though `run` can."""
    lacking: dict[str, list[str]] = defaultdict(list)
    for answer in answers:
        permission = answer.permission
        if not permission.is_needed and not answer.is_allowed:
            where = f" on {permission.key}" if permission.key else ""
            lacking[permission.purpose].append(f"{permission.name}{where}")
    return [f"not allowed: {', '.join(names)}; only {purpose} needs it" for purpose, names in lacking.items()]


def _refused_writes(answers: list[Answer]) -> list[Problem]:
    """Return why the server takes no writes now, each reason once."""
    found: dict[str, Problem] = {}
    for answer in answers:
        error = answer.error
        if isinstance(error, (NotFinishedError, TransientError)):
            kind = WrongEndpointError if isinstance(error, ReadOnlyEndpointError) else NotFinishedError
            found.setdefault(str(error), Problem(str(error), kind.exit_code))
    return list(found.values())
