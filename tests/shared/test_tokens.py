"""Run ids and attempt tokens: they sort by time, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import WrongKeyError
from shared.state import SegmentState
from shared.tokens import MOST_AHEAD_OF_ATTEMPT_MS, is_token, make_token, token_ms

# 1970 to the end of 9998, so that there is room for what comes after
moments_ms = st.integers(0, 253_370_764_799_999)


def test_a_token_is_the_time_and_a_random_part() -> None:
    token = make_token(1_795_381_081_123)
    assert token.startswith("20261122T205801123Z-")
    assert len(token) == 26
    assert is_token(token)


@given(moments_ms)
def test_a_token_keeps_its_time(server_ms: int) -> None:
    token = make_token(server_ms)
    assert is_token(token)
    assert token_ms(token) == server_ms


@given(moments_ms, moments_ms)
def test_tokens_sort_by_time(first_ms: int, second_ms: int) -> None:
    first, second = make_token(first_ms), make_token(second_ms)
    assert first_ms == second_ms or (first < second) == (first_ms < second_ms)


@given(moments_ms, moments_ms)
def test_a_token_sorts_after_the_one_it_follows_whatever_the_clock_says(first_ms: int, second_ms: int) -> None:
    first = make_token(first_ms)
    second = make_token(second_ms, after=first, most_ahead_ms=2**60)
    assert second > first
    assert token_ms(second) == max(second_ms, first_ms + 1)


def test_a_chain_of_tokens_at_one_moment_is_ascending() -> None:
    chain = [make_token(1_000)]
    for _ in range(2_000):
        chain.append(make_token(1_000, after=chain[-1]))
    assert chain == sorted(set(chain))


def test_tokens_of_one_moment_differ() -> None:
    assert len({make_token(1_000) for _ in range(50)}) > 40


@pytest.mark.parametrize("after", ["", "nonsense", "99999999T999999999Z-ffffff", "99991231T235959999Z-ffffff"])
def test_what_is_no_token_is_followed_by_nothing_in_particular(after: str) -> None:
    assert token_ms(make_token(5_000, after=after)) == 5_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261122T205801123Z",
        "20261122T205801123Z-",
        "20261122T205801123Z-3f9a1",
        "20261122T205801123Z-3f9a1c0",
        "20261122T205801123Z-3F9A1C",
        "20261122T205801123Z-3f9a1g",
        "20261122T205801123z-3f9a1c",
        "20261122 205801123Z-3f9a1c",
        "20261122T205801123Z_3f9a1c",
        " 20261122T205801123Z-3f9a1c",
        "20261122T205801123Z-3f9a1c\n",
        "20261322T205801123Z-3f9a1c",
        "20261100T205801123Z-3f9a1c",
        "20260230T205801123Z-3f9a1c",
        "20261122T245801123Z-3f9a1c",
        "20261122T206001123Z-3f9a1c",
        "20261122T205860123Z-3f9a1c",
        "20261122T205861123Z-3f9a1c",
        "00000101T000000000Z-3f9a1c",
        "99991231T235959999Z-ffffff",
        "99990101T000000000Z-000000",
        "\u0662\u0660\u0662\u06661122T205801123Z-3f9a1c",
    ],
)
def test_malformed_tokens_are_refused(text: str) -> None:
    assert not is_token(text)


def test_the_29th_of_february_is_a_day_in_leap_years_alone() -> None:
    assert is_token("20280229T000000000Z-000000")
    assert not is_token("20270229T000000000Z-000000")


@pytest.mark.parametrize(
    ("options", "expected", "got"),
    [
        ({}, "a run id of the server's time", "one more than a day ahead of it"),
        (
            {"most_ahead_ms": MOST_AHEAD_OF_ATTEMPT_MS},
            "an attempt of the server's time",
            "one more than a thousand years ahead of it",
        ),
    ],
)
def test_what_is_too_far_ahead_is_told_with_its_limit(options: dict[str, int], expected: str, got: str) -> None:
    with pytest.raises(WrongKeyError) as caught:
        make_token(0, after="99980101T000000000Z-3f9a1c", **options)
    assert (caught.value.expected, caught.value.got) == (expected, got)


def test_of_a_state_it_is_told_whether_its_run_or_its_attempt_is_too_far_ahead() -> None:
    far, near = b"99980101T000000000Z-3f9a1c", b"19700101T000000000Z-3f9a1c"
    for tokens, what in (((far, near), "a run id"), ((near, far), "an attempt")):
        with pytest.raises(WrongKeyError) as caught:
            SegmentState.decode("state", [*tokens, b"0", b""], server_ms=0)
        assert caught.value.expected == f"{what} of the server's time"
