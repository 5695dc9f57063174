"""Who may press a button of the stage: the browser that loaded the page, and nobody else."""

from __future__ import annotations

import sys

import pytest

from tests.stage.stage_page import StagePage, token_of

pytestmark = [
    pytest.mark.kept_together("stage"),
    pytest.mark.skipif(sys.platform != "linux", reason="what is left running is found through /proc"),
]


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ("", {}, 403),
        ("0" * 64, {}, 403),
        ("\udce9", {}, 403),
        (None, {"Cookie": ""}, 403),
        (None, {"Cookie": "handover-stage=" + "x" * 32}, 403),
        (None, {"Origin": "http://evil.example"}, 403),
        (None, {"Origin": "http://127.0.0.1:1"}, 403),
        (None, {"Sec-Fetch-Site": "cross-site"}, 403),
        (None, {"Sec-Fetch-Site": "same-site"}, 403),
        (None, {"Host": "evil.example"}, 421),
        (None, {"Host": "127.0.0.1.evil.example"}, 421),
        (None, {"Host": "8.8.8.8"}, 421),
    ],
)
def test_a_press_from_elsewhere_does_nothing(
    played: StagePage, token: str | None, headers: dict[str, str], status: int
) -> None:
    if token is not None:
        token = token.encode(errors="surrogateescape").decode("latin-1")
    assert played.press("kill-a", token=token, **headers).status == status
    assert played.rows() == []


def test_the_token_of_one_session_is_worth_nothing_in_another(played: StagePage) -> None:
    other = played.ask("/")
    assert token_of(other) != played.token
    assert played.press("kill-a", token=token_of(other)).status == 403
    assert token_of(played.ask("/", Cookie=played.session)) == played.token
    assert "set-cookie" not in played.ask("/", Cookie=played.session).headers
    cookie = other.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert played.rows() == []


def test_only_a_button_can_be_pressed(played: StagePage) -> None:
    assert played.press("no-such").status == 400
    assert played.press("kill-a", token="x" * 2_000).status == 413
    assert played.ask("/press").status == 405
    for path in ("/", "/events", "/press/", "/stage.css", "/runs/x"):
        assert played.ask(path, method="POST", body="", Cookie=played.session).status == 405
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert played.ask("/press", method=method, Cookie=played.session).status == 405
    assert played.rows() == []


def test_every_answer_has_the_headers_of_the_page(played: StagePage) -> None:
    for answer in (played.ask("/"), played.ask("/stage.css"), played.press("kill-a", token="")):
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert not [name for name in answer.headers if name.startswith("access-control-")]
