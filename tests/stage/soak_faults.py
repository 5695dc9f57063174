"""Which faults there are, and at which random moment of a hand-over one comes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tests.stage.programs import Name
from tests.stage.relay import Direction

Place = Literal["near", "far", "sentinel", "cluster"]
Kind = Literal[
    "kill", "kill2", "freeze", "cut", "lose", "stall", "late", "late-before", "late-after", "flip",
    "dies", "behind", "moved",
]  # fmt: skip
FAR_S = 0.08
VALUE_BYTES = 11  # of a value on the wire, at least
SEGMENTS = 40  # of a hand-over whose servers fail
_HOLDERS = ("signals", "biglist", "biglist:2", "biglist:20", "biglist:40")


class Round(NamedTuple):
    """One kind of fault, at one place.

    Attributes:
        program: Whom it meets.
        number: How often a full run brings it.
        text: What it is, in docs/soak.md.
    """

    program: Name
    place: Place
    kind: Kind
    number: int
    text: str


ROUNDS = (
    Round("server-a", "near", "kill", 25, "A killed (SIGKILL), then resumed"),
    Round("server-a", "near", "kill2", 10, "A killed, then two resumes at once"),
    Round("server-a", "near", "freeze", 10, "A frozen, resumed by another A, then woken"),
    Round("server-a", "near", "cut", 25, "A's connection cut"),
    Round("server-a", "near", "lose", 25, "replies to A lost"),
    Round("server-a", "near", "stall", 25, "A's connection slower than the time-out"),
    Round("server-a", "near", "late", 10, "requests of A delivered after its end"),
    Round("server-a", "near", "late-before", 25, "A killed, its requests delivered before the resume"),
    Round("server-a", "near", "late-after", 25, "A killed, its requests delivered after the resume"),
    Round("server-a", "near", "flip", 25, "a bit flipped on A's link"),
    Round("server-b", "near", "kill", 20, "B killed (SIGKILL), then another B"),
    Round("server-b", "near", "kill2", 10, "B killed, then two others at once"),
    Round("server-b", "near", "freeze", 10, "B frozen, another B takes over, then woken"),
    Round("server-b", "near", "cut", 25, "B's connection cut"),
    Round("server-b", "near", "lose", 25, "replies to B lost"),
    Round("server-b", "near", "stall", 10, "B's connection slower than the time-out"),
    Round("server-b", "near", "flip", 25, "a bit flipped on B's link"),
    Round("server-a", "far", "cut", 25, "80 ms: A's connection cut"),
    Round("server-a", "far", "lose", 25, "80 ms: replies to A lost"),
    Round("server-a", "far", "stall", 25, "80 ms: A's connection slower than the time-out"),
    Round("server-a", "far", "late-before", 25, "80 ms: A killed, its requests delivered before the resume"),
    Round("server-a", "far", "late-after", 25, "80 ms: A killed, its requests delivered after the resume"),
    Round("server-a", "far", "flip", 25, "80 ms: a bit flipped on A's link"),
    Round("server-b", "far", "cut", 10, "80 ms: B's connection cut"),
    Round("server-b", "far", "lose", 10, "80 ms: replies to B lost"),
    Round("server-b", "far", "flip", 10, "80 ms: a bit flipped on B's link"),
    Round("server-a", "sentinel", "dies", 5, "Sentinels: primary killed while A writes"),
    Round("server-a", "sentinel", "behind", 5, "Sentinels: the same, its replica lacks acknowledged writes"),
    Round("server-b", "sentinel", "dies", 5, "Sentinels: primary killed while B reads"),
    Round("server-b", "sentinel", "behind", 5, "Sentinels: the same, its replica lacks acknowledged verdicts"),
    Round("server-a", "cluster", "dies", 5, "cluster: a primary killed while A's writers write"),
    Round("server-a", "cluster", "behind", 5, "cluster: the same, its replica lacks acknowledged writes"),
    Round("server-a", "cluster", "moved", 5, "cluster: slots moved while A's writers write"),
    Round("server-b", "cluster", "dies", 5, "cluster: a primary killed while B reads"),
    Round("server-b", "cluster", "behind", 5, "cluster: the same, its replica lacks acknowledged verdicts"),
    Round("server-b", "cluster", "moved", 5, "cluster: slots moved while B reads"),
)


@dataclass(frozen=True)
class Fault:
    """One fault of one hand-over.

    Attributes:
        count: Values of the run.
        after_bytes: On a link, how many bytes pass before, in the direction given.
        stall_s: For `stall`, how long the connection carries nothing; A and B give a reply five seconds.
        after_segments: Where servers fail, how many segments are signalled, or have their verdict, before.
        holder: Where servers fail, the key whose primary it is; a slot that moves is that of this key, too.
    """

    program: Name
    kind: Kind
    count: int
    segment_values: int
    direction: Direction = "to_server"
    after_bytes: int = 0
    bit: int = 0
    place: Place = "near"
    stall_s: float = 6.0
    after_segments: int = 0
    holder: str = "signals"

    @property
    def segments(self) -> int:
        """How many segments the run has."""
        return -(-self.count // self.segment_values)

    @classmethod
    def draw(cls, seed: str, wanted: Round) -> Fault:
        """Return the fault that a seed stands for."""
        drawn = random.Random(seed)
        if wanted.place in {"sentinel", "cluster"}:
            return cls._draw_failing(drawn, wanted)
        program, kind = wanted.program, wanted.kind
        count = drawn.randrange(600_000, 1_500_000) if wanted.place == "far" else drawn.randrange(5_000, 200_000)
        segment_values = drawn.choice([count, count // 2 + 1, count // 7 + 1])
        heavy: Direction = "to_server" if program == "server-a" else "to_client"
        other: Direction = "to_client" if program == "server-a" else "to_server"
        is_late = kind.startswith("late")
        # one in four among what is not values: commands and their replies, from the first one on
        is_light = wanted.place == "near" and not is_late and drawn.random() < 0.25
        most = 3_000 if is_light else count * VALUE_BYTES * 9 // 10
        direction = "to_server" if kind == "lose" or is_late else other if is_light else heavy
        if kind == "lose" and program == "server-b":
            most = 2_000  # all that it sends
        return cls(
            program, kind, count, segment_values, direction, drawn.randrange(1, most), drawn.randrange(8), wanted.place,
            stall_s=drawn.uniform(5.5, 7.0),
        )  # fmt: skip

    @classmethod
    def _draw_failing(cls, drawn: random.Random, wanted: Round) -> Fault:
        """Return a fault of servers: they fail once so many of the segments are done."""
        count = drawn.randrange(1_000_000, 2_000_000)
        return cls(
            wanted.program, wanted.kind, count, -(-count // SEGMENTS), place=wanted.place,
            after_segments=drawn.randrange(SEGMENTS - 10), holder=drawn.choice(_HOLDERS),
        )  # fmt: skip
