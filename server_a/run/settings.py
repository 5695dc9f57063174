"""What one run of the producer is to do, as the command line said it."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_COUNT = 10_000
DEFAULT_SEGMENT_VALUES = 1_000_000
DEFAULT_USERS = 1
DEFAULT_SKUS = 2
DEFAULT_CARTS = 1
DEFAULT_SEED = 1
DEFAULT_RETAIN_DAYS = 7
DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class RunSettings:
    """The options of `server-a run`; None where an option was not given, which a resumed run must know.

    Attributes:
        count: How many numbers.
        values: File of lines, or `-`, instead of numbers.
        segment_values: Values a segment at most.
        resume: Run id to go on with.
        overwrite: Replace a list that is not ours.
        min_replicas: Replicas that must have each segment before it is signalled; 0 for none.
        patience_s: Seconds without one successful reply that are waited out.
        await_verdict_s: Seconds to wait for the consumer's verdict; 0 not to wait.
        retain_days: Days that run, results and signals are kept.
    """

    count: int | None = None
    values: str | None = None
    segment_values: int | None = None
    resume: str | None = None
    users: int | None = None
    skus: int | None = None
    carts: int | None = None
    seed: int | None = None
    retain_days: int | None = None
    overwrite: bool = False
    min_replicas: int = 0
    patience_s: float = 60.0
    await_verdict_s: float = 0.0

    def shop_size(self) -> dict[str, int]:
        """Return the numbers of users, SKUs and carts of a new run."""
        wanted = {"users": self.users, "skus": self.skus, "carts": self.carts}
        defaults = {"users": DEFAULT_USERS, "skus": DEFAULT_SKUS, "carts": DEFAULT_CARTS}
        return {name: defaults[name] if number is None else number for name, number in wanted.items()}


@dataclass(frozen=True)
class RunOutcome:
    """A finished run, as people are told of it.

    Attributes:
        inserted: What was inserted, such as `1 to 10,000`.
        first_list: Key of the first segment.
        last_list: Key of the last one.
        signal_s: Seconds spent on signalling.
    """

    summary: RunSummary
    inserted: str
    first_list: str
    last_list: str
    signal_s: float


@dataclass(frozen=True)
class RunSummary:
    """What a run did; its fields are those of `server-a run --json`.

    Attributes:
        attempts: Attempts at segments, one a segment when nothing went wrong.
        lost_acknowledged: Values of published segments that the audit found missing and wrote again.
        outage_s: Seconds without an answer, all outages together.
        write_s: First LPUSH sent to last publication.
    """

    run_id: str
    count: int
    segments: int
    digest: str
    users: int
    skus: int
    carts: int
    attempts: int
    lost_acknowledged: int
    outage_s: float
    write_s: float
    values_per_s: int
    endpoint: str
