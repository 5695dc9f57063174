"""What others stored and what is typed, on a terminal that would act on every escape sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN
from tests.stage.hostile_texts import HOSTILE_NAMES, HOSTILE_TEXTS, unsafe_characters
from tests.stage.programs import Finished, Name, run_program
from tests.stage.terminals import run_on_terminal

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _printed(ended: Finished) -> str:
    """Return what was printed on the terminal, which ends each line with CR LF itself."""
    return ended.stderr.replace("\r\n", "\n")


@pytest.fixture
def stored(server: Server, keys: Keyspace, client: redis.Redis) -> None:
    """Hostile texts wherever somebody else can store one."""
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]
    client.xgroup_create(keys.signals(), CONSUMER_GROUP, id="0")
    client.rpush(keys.segment(1), *map(_raw, HOSTILE_TEXTS))
    for number, text in enumerate(HOSTILE_TEXTS, 1):
        client.execute_command("XGROUP", "CREATECONSUMER", keys.signals(), CONSUMER_GROUP, _raw(text))
        client.hset(keys.user(str(number)), mapping={"first_name": _raw(text), _raw(text): _raw(text)})
        client.hset(keys.sku(f"s{number}"), mapping={"name": _raw(text), "price": "1.00"})
        client.hset(keys.cart("1"), f"s{number}", _raw(text) if number % 2 else b"1")
        letter = {"origin": f"{number}-0", "reason": _raw(text), "consumer": _raw(text), "field:x": _raw(text)}
        client.xadd(keys.dead_letters(), letter)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("program", "arguments", "code", "lines"),
    [
        ("server-b", ("status",), 65, len(HOSTILE_TEXTS)),
        ("server-b", ("dead", "list"), 0, len(HOSTILE_TEXTS)),
        ("server-a", ("user", "list"), 0, len(HOSTILE_TEXTS)),
        ("server-a", ("user", "show", "3"), 0, 3),
        ("server-a", ("sku", "list"), 0, len(HOSTILE_TEXTS)),
        ("server-a", ("cart", "show", "1"), 0, len(HOSTILE_TEXTS)),
        ("server-a", ("purge", "--dry-run"), 0, 3),
    ],
)
def test_what_others_stored_controls_no_terminal(
    *,
    stored: None,
    server: Server,
    namespace: str,
    program: Name,
    arguments: tuple[str, ...],
    code: int,
    lines: int,
) -> None:
    plain = {"NO_COLOR": "1"}  # so that no escape sequence is ours
    ended = run_on_terminal(program, *arguments, server=server, namespace=namespace, with_stdout=True, env=plain)
    assert ended.exit_code == code, ended
    printed = _printed(ended)
    assert not unsafe_characters(printed)
    assert "forged" not in [line.strip() for line in printed.splitlines()]
    assert not [line for line in printed.splitlines() if line.startswith("Wrong: forged")]
    assert len(printed.splitlines()) >= lines


def test_read_shows_values_escaped_on_a_terminal_and_gives_them_as_they_are_to_a_pipe(
    server: Server, namespace: str, keys: Keyspace, client: redis.Redis
) -> None:
    values = [_raw(text) for text in HOSTILE_TEXTS]
    client.rpush(keys.segment(1), *values)
    piped = run_program("server-b", "read", server=server, namespace=namespace)
    assert piped.stdout_bytes == b"\n".join(values) + b"\n"
    ended = run_on_terminal("server-b", "read", server=server, namespace=namespace, with_stdout=True)
    assert len(_printed(ended).splitlines()) == len(values)
    assert not unsafe_characters(_printed(ended))


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "show"),
        ("run", "--count"),
        ("run", "--resume"),
        ("run", "--namespace"),
        ("run", "--values"),
        ("run",),
        (),
    ],
    ids=" ".join,
)
def test_what_is_typed_controls_no_terminal(server: Server, namespace: str, arguments: tuple[str, ...]) -> None:
    """All texts at once: each is one of a long argument's parts."""
    for typed in ("".join(HOSTILE_NAMES), HOSTILE_NAMES[0] + "x", "\udcffx"):
        ended = run_on_terminal("server-a", *arguments, typed, server=server, namespace=namespace, with_stdout=True)
        assert ended.exit_code == 2, ended
        assert not unsafe_characters(_printed(ended))
        assert len(_printed(ended).splitlines()) == 1
