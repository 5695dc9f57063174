"""Random inputs for every decoder, counted: what `make soak` gives them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from shared.errors import HandoverError
from tests.stage.decoders import DECODERS


def give_bad_inputs(seed_number: int, each: int) -> tuple[int, int]:
    """Give each decoder so many random inputs, which it must return from or refuse with an error of ours.

    Returns:
        How many inputs were refused, and how many decoders there are.
    """
    refused = 0
    for decode, inputs in DECODERS.values() if each else ():

        @seed(seed_number)
        @settings(max_examples=each, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(inputs)
        def try_it(found: Any) -> None:
            nonlocal refused
            with suppress(HandoverError):
                decode(found)  # noqa: B023 - called before the next one is bound
                return
            refused += 1

        try_it()
    return refused, len(DECODERS)
