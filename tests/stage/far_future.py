"""Run ids that are far ahead of any server's clock, and signals of such runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.keys import Keyspace
from shared.signal import Signal
from tests.stage.hand_over_in_process import DIGEST

if TYPE_CHECKING:
    import redis

DAY_MS = 24 * 60 * 60 * 1000
FAR = [
    "99981231T235959999Z-ffffff",
    "99980101T000000000Z-000000",
    "30000101T000000000Z-abcdef",
    "21000101T000000000Z-0a0a0a",
]


def inject(client: redis.Redis, keys: Keyspace, run_id: str, **changes: Any) -> None:
    """Add the signal of a run to the stream."""
    fields: dict[Any, Any] = {**_signal(run_id, **changes).encode()}
    client.xadd(keys.signals(), fields)


def _signal(run_id: str, **changes: Any) -> Signal:
    return Signal(
        **{"run_id": run_id, "attempt": run_id, "segment": 1, "segments": 1, "count": 5, "digest": DIGEST, **changes}
    )
