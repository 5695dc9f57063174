"""The options of `server-b run`, as settings."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PRINT_VALUES = 1_000
JSON_VALUES = 10


@dataclass(frozen=True)
class ConsumerSettings:
    """The options of `server-b run`."""

    consumer: str
    name_token: str = ""  # of this process alone, for a name that others may have too; empty for one that is unique
    is_once: bool = False
    run_id: str = ""  # the run to end at; empty for any
    wait_s: float | None = None  # seconds without progress after which waiting ends; None for ever
    claim_idle_ms: int = 30_000  # idle time after which another consumer's pending entry is claimed
    max_deliveries: int = 5  # deliveries of an entry after which it becomes a dead letter
    settle_s: float = 60  # seconds to wait for the list that a signal announced
    print_values: int = 10
    heartbeat_file: str | None = None  # touched about once a second while the consumer is alive; None for no file
    state_directory: str = "."  # where a follower keeps its checkpoint

    @property
    def kept_values(self) -> int:
        """How many of a run's first values are kept with its verdicts."""
        return max(JSON_VALUES, self.print_values)
