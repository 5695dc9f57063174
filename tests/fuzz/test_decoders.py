"""Every decoder of what Redis may hold, with anything in its fields: it returns, or raises an error of ours."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from shared.errors import HandoverError
from tests.stage.decoders import DECODERS


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_returns_or_raises_an_error_of_ours(name: str) -> None:
    decode, inputs = DECODERS[name]

    @given(inputs)
    def try_it(found: Any) -> None:
        with suppress(HandoverError):
            decode(found)

    try_it()
