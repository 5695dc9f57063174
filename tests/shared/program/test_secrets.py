"""No message shows a login that was typed, whatever the password holds and whoever quotes it, in linear time."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.program.secrets import typed_logins, without_logins
from shared.text import quoted_text, shown_text

MIB = 1024 * 1024
PASSWORDS = [
    "s3cr7t9 s3cr7t9",
    "s3cr7t9's3cr7t9",
    's3cr7t9"s3cr7t9',
    "s3cr7t9'\" s3cr7t9",
    "s3cr7t9)s3cr7t9",
    "s3cr7t9@s3cr7t9",
    "s3cr7t9\\s3cr7t9",
    "s3cr7t9\ts3cr7t9\n",
    "s3cr7t9\u202es3cr7t9",
    "s3cr7t9é's3cr7t9",
    "s3cr7t9=s3cr7t9",
    "s3cr7t9#?/s3cr7t9",
    "s3cr7t9" * 20 + "' s3cr7t9",
]
SHAPES = [
    "redis://u:{}@h:6379/0",
    "redis://:{}@h",
    "rediss://u:{}@h?db=1",
    "--url=redis://u:{}@h",
    "u:{}@h:6379",
    "redis://u:{}",
    "http://u:{}@h",
]
SPELLINGS: list[Callable[[str], str]] = [str, repr, ascii, quoted_text, shown_text]
QUOTING = [
    "Got unexpected extra argument ({})",
    "--values: expected a file, got {}: No such file",
    "No such command '{}'.",
]


@pytest.mark.parametrize("password", PASSWORDS, ids=ascii)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_of_click", [True, False])
def test_a_url_typed_in_a_wrong_place_shows_no_password(password: str, shape: str, *, is_of_click: bool) -> None:
    if "@" in password and "@" not in shape:
        return  # what stands behind the last @ is a host
    word = shape.format(password)
    for quoting, spell in itertools.product(QUOTING, SPELLINGS):
        message = quoting.format(spell(word))
        for typed in (typed_logins([word], {}), typed_logins([], {"SERVER_A_REDIS_URL": word})):
            shown = without_logins(message, typed, is_of_click=is_of_click)
            assert "s3cr" not in shown
            assert shown.startswith(quoting.partition("{")[0])


@pytest.mark.parametrize(
    "text",
    [
        "redis://localhost:6379/0: expected an answer, got a reset",
        "go on with: server-a run --resume 20261122T205801123Z-3f9a1c --url redis://keeper@h:6379/0",
        "redis+sentinel://h1:26379,h2:26379/shop/0: expected a group",
        "unix:///run/redis.sock?db=1: expected an answer",
    ],
)
def test_what_holds_no_password_stays(text: str) -> None:
    words = ["run", "--url", "redis://localhost:6379/0", "redis://keeper@h:6379/0", "unix:///run/redis.sock?db=1"]
    assert without_logins(text, typed_logins(words, {}), is_of_click=False) == text


def test_a_login_that_was_not_typed_is_hidden_too() -> None:
    found = without_logins("ERR see redis://u:s3cr7t9@h and redis://:s3@cr@h", (), is_of_click=False)
    assert found == "ERR see redis://...@h and redis://...@h"


# Each took minutes or more where a pattern had two unbounded runs around a look-ahead.
WORST = [
    "://x:" * (MIB // 5),
    "://" * (MIB // 3),
    ":// " * (MIB // 4),
    "://x: " * (MIB // 6),
    "://:::" * (MIB // 6),
    "://" + ":" * MIB,
    "://x:y@" * (MIB // 7),
    "x://y " * (MIB // 6) + "@",
    "@://:" * (MIB // 5),
    "'…://:" * (MIB // 6),
    "'" * MIB,
    "@" * MIB,
    "/" * MIB,
    ":" * MIB,
    " " * MIB,
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", WORST, ids=lambda text: text[:8])
@pytest.mark.parametrize("is_of_click", [True, False])
def test_a_mebibyte_of_the_worst_takes_no_time(text: str, *, is_of_click: bool) -> None:
    """The old patterns needed minutes for 10 kB of the first; with the time-out this fails on anything quadratic."""
    typed = typed_logins(["redis://u:s3cr7t9' x@h"] * 10, {})
    assert len(without_logins(f"WRONGPASS {text}", typed, is_of_click=is_of_click)) <= 2 * len(text) + 20


@given(st.text(st.sampled_from("://@' \"x…?)"), max_size=40), st.booleans())
def test_any_message_can_be_shown(text: str, is_of_click: bool) -> None:  # noqa: FBT001 - hypothesis fills it in
    shown = without_logins(text, typed_logins([text], {}), is_of_click=is_of_click)
    assert len(shown) <= 6 * len(text) + 6
