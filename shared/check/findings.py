"""What was found out about an endpoint, as data; `as_json` has the fields of `check --json`.

Each part is None where the server doesn't say: that is not known, and no trouble by itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from shared.errors import EndpointUnreachableError, NotAllowedError, NotFinishedError, WrongEndpointError

WEIGHTIEST_FIRST = tuple(
    error.exit_code for error in (WrongEndpointError, NotAllowedError, EndpointUnreachableError, NotFinishedError)
)


@dataclass(frozen=True)
class Trouble:
    """Something that keeps the program from its job: one sentence with what to do about it."""

    text: str
    exit_code: int


@dataclass(frozen=True)
class RightFindings:
    """One right: what people call the command, the first key (empty for none), and what it is for.

    Attributes:
        is_needed: Whether `run` can't do without.
    """

    command: str
    key: str
    purpose: str
    is_needed: bool
    is_allowed: bool


@dataclass(frozen=True)
class TlsFindings:
    """The encryption of a connection.

    Attributes:
        address: Whose certificate it is, `host:port`; behind Sentinels the first of these that answers.
        version: Such as `TLSv1.3`.
        certificate_ends: Moment in UTC; None when the certificate was not verified, and so not read.
        days_left: Whole days until then.
    """

    address: str
    version: str
    certificate_ends: str | None
    days_left: int | None


@dataclass(frozen=True)
class MemoryFindings:
    """Memory of the servers that hold the list, all together.

    Attributes:
        max_bytes: Their limit; 0 when one of them has none.
        policy: What they evict when full; several joined by commas.
        count: Values to make room for; None when that was not asked.
        needed_bytes: About what those values take; None likewise.
        free_bytes: Left below the limit; None without a limit.
    """

    used_bytes: int
    max_bytes: int
    policy: str
    count: int | None
    needed_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True)
class PeerFindings:
    """How the endpoint is connected to another.

    Attributes:
        relation: `same` (one database), `connected`, or `none`.
        canaries: Written here.
        seen: Of these, seen there in time.
        lag_median_ms: From the acknowledgement here to the reply there that first showed it, that reply's way
            included; None when none was seen.
        lag_max_ms: The longest of them.
    """

    endpoint: str
    relation: str
    canaries: int
    seen: int
    lag_median_ms: float | None
    lag_max_ms: float | None


@dataclass(frozen=True)
class Findings:
    """All of it.

    Attributes:
        mode: `standalone`, `cluster` or `sentinel` (a primary that Sentinels name).
        role: `primary` or `replica`.
        tls: None also for a URL without it.
        user: Our name there; None when the server doesn't tell.
        round_trip_ms: Median of 21.
        notes: Worth knowing, and no obstacle.
    """

    program: str
    endpoint: str
    namespace: str
    server: str
    version: str
    mode: str
    role: str
    tls: TlsFindings | None
    user: str | None
    rights: list[RightFindings]
    memory: MemoryFindings | None
    round_trip_ms: float
    peer: PeerFindings | None = None
    notes: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 without troubles, else the code of the weightiest: first what will never go like this."""
        codes = {trouble.exit_code for trouble in self.troubles}
        return next((code for code in WEIGHTIEST_FIRST if code in codes), max(codes, default=0))

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return asdict(self) | {"troubles": [trouble.text for trouble in self.troubles], "exit_code": self.exit_code}
