"""What the consumer is to do, as the command line said it."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_CLAIM_IDLE_MS = 30_000
DEFAULT_MAX_DELIVERIES = 5
DEFAULT_SETTLE_S = 60
DEFAULT_PRINT_VALUES = 10
MAX_PRINT_VALUES = 1_000
JSON_VALUES = 10


@dataclass(frozen=True)
class ConsumerSettings:
    """The options of `server-b run`.

    Attributes:
        consumer: Our name in the consumer group.
        is_once: End at the first complete run instead of serving until stopped.
        run_id: End at this run; empty for any.
        wait_s: Seconds without progress after which waiting ends; None for ever.
        claim_idle_ms: Silence after which another consumer's pending entry is claimed.
        max_deliveries: Deliveries of an entry after which it is given up.
        settle_s: Seconds to wait for the list that a signal announced.
        print_values: Values to show, in reverse.
        heartbeat_file: Touched about once a second while the consumer is alive; None for no file.
        state_directory: Where a follower keeps its checkpoint.
    """

    consumer: str
    is_once: bool = False
    run_id: str = ""
    wait_s: float | None = None
    claim_idle_ms: int = DEFAULT_CLAIM_IDLE_MS
    max_deliveries: int = DEFAULT_MAX_DELIVERIES
    settle_s: float = DEFAULT_SETTLE_S
    print_values: int = DEFAULT_PRINT_VALUES
    heartbeat_file: str | None = None
    state_directory: str = "."

    @property
    def kept_values(self) -> int:
        """How many of a run's first values are kept with its verdicts."""
        return max(JSON_VALUES, self.print_values)
