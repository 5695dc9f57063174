"""Which faults there are, and at which random moment of a hand-over one comes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from tests.stage.programs import Name
from tests.stage.relay import Direction

Kind = Literal["kill", "freeze", "cut", "lose", "late", "flip"]
KINDS: dict[tuple[Name, Kind], str] = {
    ("server-a", "kill"): "A killed (SIGKILL), then resumed",
    ("server-a", "freeze"): "A frozen, resumed by another A, then woken",
    ("server-a", "cut"): "A's connection cut",
    ("server-a", "lose"): "replies to A lost",
    ("server-a", "late"): "requests of A delivered after its end",
    ("server-a", "flip"): "a bit flipped on A's link",
    ("server-b", "kill"): "B killed (SIGKILL), then another B",
    ("server-b", "freeze"): "B frozen, another B takes over, then woken",
    ("server-b", "cut"): "B's connection cut",
    ("server-b", "lose"): "replies to B lost",
    ("server-b", "flip"): "a bit flipped on B's link",
}
VALUE_BYTES = 11  # of a value on the wire, at least


@dataclass(frozen=True)
class Fault:
    """One fault of one hand-over.

    Attributes:
        program: Whom it meets.
        count: Values of the run.
        after_bytes: How many bytes pass before, in the direction given.
    """

    program: Name
    kind: Kind
    count: int
    segment_values: int
    direction: Direction
    after_bytes: int
    bit: int

    @classmethod
    def draw(cls, seed: str, program: Name, kind: Kind) -> Fault:
        """Return the fault that a seed stands for."""
        drawn = random.Random(seed)
        count = drawn.randrange(5_000, 200_000)
        segment_values = drawn.choice([count, count // 2 + 1, count // 7 + 1])
        heavy: Direction = "to_server" if program == "server-a" else "to_client"
        other: Direction = "to_client" if program == "server-a" else "to_server"
        # one in four among what is not values: commands and their replies, from the first one on
        is_light = kind != "late" and drawn.random() < 0.25
        most = 3_000 if is_light else count * VALUE_BYTES * 9 // 10
        direction = "to_server" if kind in {"lose", "late"} else other if is_light else heavy
        if kind == "lose" and program == "server-b":
            most = 2_000  # all that it sends
        return cls(program, kind, count, segment_values, direction, drawn.randrange(1, most), drawn.randrange(8))
