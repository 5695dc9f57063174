"""Values in verdicts and reports: as text, and no more of each than a person reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text import SHOWN_BYTES, cut_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"", ""),
        (b"10000", "10000"),
        ("é€".encode(), "é€"),
        (b"\xff\xfeA", "\\xff\\xfeA"),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200 + "… (201 bytes)"),
        (b"x" * 1_234_567, "x" * 200 + "… (1,234,567 bytes)"),
        ("é".encode() * 100, "é" * 100),
        ("é".encode() * 101, "é" * 100 + "… (202 bytes)"),
        (b"x" + "é".encode() * 100, "x" + "é" * 99 + "… (201 bytes)"),
        (b"xx" + "😀".encode() * 50, "xx" + "😀" * 49 + "… (202 bytes)"),
        (b"\xff" * 201, "\\xff" * 200 + "… (201 bytes)"),
    ],
)
def test_values_cut_text(value: bytes, text: str) -> None:
    assert cut_text(value) == text


@given(st.binary(max_size=400))
def test_any_bytes_are_text_that_json_and_utf_8_can_spell(value: bytes) -> None:
    assert len(cut_text(value).encode()) <= 4 * SHOWN_BYTES + 30


@given(st.text(max_size=300))
def test_a_text_is_cut_between_two_characters(value: str) -> None:
    shown, _, _ = cut_text(value.encode()).partition("… (") if len(value.encode()) > SHOWN_BYTES else (value, "", "")
    assert value.startswith(shown)
