"""The endpoint's options as they may be logged."""

from __future__ import annotations

import pytest

from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from tests.stage.sentences import SECRET


@pytest.mark.parametrize("option", ["password", "password_file", "sentinel_password", "sentinel_password_file"])
def test_no_secret_is_shown_even_one_typed_where_a_file_is_named(option: str) -> None:
    assert SECRET not in repr(EndpointSettings(**{option: SECRET}))  # type: ignore[arg-type]


def test_no_secret_of_the_url_is_shown() -> None:
    assert SECRET not in repr(EndpointSettings(parse_url(f"redis://app:{SECRET}@127.0.0.1:6379/0")))
