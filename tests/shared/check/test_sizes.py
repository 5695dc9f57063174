"""How many bytes the servers need for lists, hashes and streams, against what they say themselves."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.servers import Server
from server_a.run.line_sample import element_ratio
from shared.check.sizes import Sizes, element_bytes, numbers_bytes, sent_bytes
from tests.stage.servers import connect

if TYPE_CHECKING:
    from pathlib import Path

    import redis


def usage(client: redis.Redis, key: str) -> int:
    """Return what the server says a whole key takes."""
    found: Any = client.memory_usage(key, samples=0)
    return int(found)


def server_name(server: Server) -> str:
    """Return the kind of server as HELLO says it."""
    with connect(server) as client:
        return "valkey" if "valkey_version" in client.info("server") else "redis"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b"", 2), (b"0", 2), (b"127", 2), (b"128", 3), (b"-1", 3), (b"-4096", 3), (b"-4097", 4), (b"4095", 3),
        (b"4096", 4), (b"32767", 4), (b"32768", 5), (b"8388607", 5), (b"8388608", 6), (b"2147483647", 6),
        (b"2147483648", 10), (b"9223372036854775807", 10), (b"9223372036854775808", 21), (b"007", 5), (b"-0", 4),
        (b"x" * 63, 65), (b"x" * 64, 67), (b"x" * 125, 128), (b"x" * 126, 130), (b"x" * 4095, 4099),
        (b"x" * 4096, 4103),
    ],
)  # fmt: skip
def test_an_element_takes_what_its_encoding_takes(text: bytes, size: int) -> None:
    assert element_bytes(text) == size


@given(st.integers(1, 10**12), st.integers(0, 2_000))
def test_numbers_take_what_each_of_them_takes(first: int, more: int) -> None:
    numbers = [b"%d" % number for number in range(first, first + more + 1)]
    assert numbers_bytes(first, first + more) == sum(map(element_bytes, numbers))
    assert sent_bytes(first, first + more) == sum(len(b"$%d\r\n%b\r\n" % (len(text), text)) for text in numbers)


@pytest.mark.parametrize(
    ("lengths", "count", "margin"), [((1, 12), 100_000, 0.02), ((50, 400), 10_000, 0.02), ((4_500, 9_000), 500, 0.13)]
)
def test_a_list(server: Server, namespace: str, lengths: tuple[int, int], count: int, margin: float) -> None:
    choice = random.Random(1)
    texts = [b"x" * choice.randint(*lengths) for _ in range(count)]
    key = f"{namespace}:list"
    with connect(server) as client:
        client.lpush(key, *texts)
        expected = Sizes(server_name(server)).list_bytes(key, sum(map(element_bytes, texts)), count=count)
        assert expected == pytest.approx(usage(client, key), rel=margin)


@pytest.mark.parametrize("digits", [3, 12])
def test_lines_that_are_numbers_are_known_by_a_sample(tmp_path: Path, digits: int) -> None:
    choice = random.Random(1)
    lines = [b"%d" % choice.randrange(10**digits) for _ in range(50_000)]
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(lines) + b"\n")
    with file.open("rb") as opened:
        ratio = element_ratio(lambda size, start: os.pread(opened.fileno(), size, start), file.stat().st_size)
    assert ratio * file.stat().st_size == pytest.approx(sum(map(element_bytes, lines)), rel=0.02)


@pytest.mark.parametrize("content", [b"1", b"1\n", b"\n", b"x" * 20_000, b"x\n" * 3 + b"y" * 1_000_000])
def test_a_sample_of_any_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "values"
    file.write_bytes(content)
    with file.open("rb") as opened:
        ratio = element_ratio(lambda size, start: os.pread(opened.fileno(), size, start), len(content))
    whole = sum(map(element_bytes, content.removesuffix(b"\n").split(b"\n")))
    assert ratio * len(content) == pytest.approx(whole, rel=0.1, abs=3)
