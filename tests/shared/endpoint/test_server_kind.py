"""What HELLO's reply is read as, whatever stands behind the endpoint."""

from __future__ import annotations

import pytest

from shared.endpoint.server_kind import hello_fields


def test_the_fields_of_hello() -> None:
    assert hello_fields([b"server", b"valkey", b"proto", 2]) == {"server": "valkey", "proto": "2"}


@pytest.mark.parametrize(
    ("reply", "fields"),
    [(b"OK", {}), (None, {}), (1, {}), ([b"mode"], {}), ([b"mode", b"\xff", b"x"], {"mode": "\\xff"})],
)
def test_what_proxies_answer_to_it_fails_nothing(reply: object, fields: dict[str, str]) -> None:
    assert hello_fields(reply) == fields
