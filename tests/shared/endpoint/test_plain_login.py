"""A login that others on the way can read is said; where nobody is on the way nothing is."""

from __future__ import annotations

import pytest

from shared.endpoint.plain_login import is_this_host, plain_login
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url

HERE = ["localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.8.9.1", "::1"]
ELSEWHERE = ["redis", "redis.example", "192.0.2.1", "10.0.0.1", "2001:db8::1", "localhost.example", "0.0.0.0"]  # noqa: S104


def _url(host: str, *, login: str = "", scheme: str = "redis") -> str:
    return f"{scheme}://{login}{f'[{host}]' if ':' in host else host}:6379"


@pytest.mark.parametrize("host", HERE)
def test_a_password_that_stays_on_this_host_is_no_matter(host: str) -> None:
    assert is_this_host(host)
    assert plain_login(EndpointSettings(url=parse_url(_url(host, login=":s3cr7t9@")))) == ""


@pytest.mark.parametrize("host", ELSEWHERE)
@pytest.mark.parametrize("way", ["url", "variable", "file", "token"])
def test_a_login_that_goes_elsewhere_unencrypted_is_said(host: str, way: str) -> None:
    settings = EndpointSettings(
        url=parse_url(_url(host, login=":s3cr7t9@" if way == "url" else "")),
        password="s3cr7t9" if way == "variable" else None,
        password_file="s3cr7t9" if way == "file" else None,
        auth="entra" if way == "token" else "key",
    )
    said = plain_login(settings)
    assert said.startswith(f"the {'token' if way == 'token' else 'password'} goes to {host} unencrypted")
    assert "s3cr" not in said


@pytest.mark.parametrize("host", ELSEWHERE)
def test_without_a_login_or_with_tls_nothing_is_said(host: str) -> None:
    for url in (_url(host), _url(host, login="u:s3cr7t9@", scheme="rediss"), "unix://:s3cr7t9@/run/redis.sock"):
        assert plain_login(EndpointSettings(url=parse_url(url))) == ""
