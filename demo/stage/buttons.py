"""The buttons: their names, what stands on them, and what the README promises of what they do."""

from __future__ import annotations

from dataclasses import dataclass

CUT_S = 5.0
FROZEN_S = 8.0
DELAY_MS = 80
DELAYED_S = 15.0
CLAIM_IDLE_MS = 3_000


@dataclass(frozen=True)
class Button:
    """One button.

    Attributes:
        name: What a press sends.
        label: What stands on it, and on the time line.
        promise: What to expect.
    """

    name: str
    label: str
    promise: str


BUTTONS = {
    button.name: button
    for button in (
        Button(
            "kill-a",
            "kill -9 server-a",
            "It is started again as server-a run --resume, which writes what is missing; the run ends verified.",
        ),
        Button(
            "kill-b",
            "kill -9 a server-b",
            f"After {CLAIM_IDLE_MS // 1_000} s another server-b claims the segment it held (▼); the run ends verified.",
        ),
        Button(
            "freeze-b",
            "freeze a server-b",
            f"Stopped for {FROZEN_S:g} s. Another one claims its segment (▼); when it goes on, it leaves that alone.",
        ),
        Button(
            "cut-link",
            "cut server-a's link",
            f"For {CUT_S:g} s. server-a has an outage (hatched), goes on by itself, and the run ends verified.",
        ),
        Button(
            "delay-link",
            f"add {DELAY_MS} ms to its link",
            f"For {DELAYED_S:g} s every round trip of server-a takes longer; the run takes longer and ends verified.",
        ),
        Button(
            "change-value",
            "change a value",
            "One value of a list, before server-b reads it: the run fails, its witness says which; the next is fine.",
        ),
        Button(
            "promote",
            "promote the replica",
            "The primary is killed, the replica takes over. Both have an outage; the audit writes again what was lost.",
        ),
    )
}
