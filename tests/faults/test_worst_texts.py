"""A mebibyte of the worst text costs linear time wherever a text of others is matched, else these time out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis.exceptions

from shared.endpoint.translation import translate
from shared.endpoint.url import parse_url
from shared.errors import HandoverError, InvalidInputError, NotAllowedError
from shared.keys import Keyspace
from shared.program.secrets import without_logins
from shared.text import cut_text, natural_order, quoted_text, shown_text
from shared.tokens import is_token
from tests.stage.answers_alike import AnswersAlike
from tests.stage.programs import Name, run_program

MIB = 1024 * 1024
PIECES = [
    "://x:",
    "://",
    "://x: ",
    "certificate verify failed: ",
    "certificate verify failed:  (_ss",
    "Transaction discarded because of: ",
    "Error running script (call to f): ",
    "@user_script: 1: ",
    ", with args beginning with ",
    "DB index",
    "SELECT is not allowed",
    "unknown command 'AUTH",
    "MOVED 1 ",
    "biglist:",
    "{biglist:",
    "user:",
    "1",
    "1a",
    "\x1b",
    "\u202e",
    "'",
    "\\",
]
WORST = {piece: piece * (MIB // len(piece)) for piece in PIECES}


def _translated(text: str) -> None:
    for kind in (redis.exceptions.ResponseError, redis.exceptions.ConnectionError, redis.exceptions.InvalidResponse):
        for begun in ("", "WRONGPASS ", "Transaction discarded because of: ", "Error running script (call to f): "):
            sentence = str(translate(kind(begun + text), "redis://h:6379/0"))
            without_logins(sentence, (), is_of_click=False)


def _as_url(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_url(f"redis://{text}:x@")


PLACES: dict[str, Callable[[str], object]] = {
    "an error": _translated,
    "a key": Keyspace("").kind_of,
    "a token": is_token,
    "an order": natural_order,
    "a URL": _as_url,
    "a cut": lambda text: cut_text(text.encode()),
    "a quotation": quoted_text,
    "a line": shown_text,
    "an error of ours": lambda text: str(HandoverError(where=text, expected="", got=text)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", PIECES, ids=ascii)
@pytest.mark.parametrize("place", PLACES)
def test_a_mebibyte_of_the_worst_is_matched_in_linear_time(place: str, piece: str) -> None:
    PLACES[place](WORST[piece])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("program", ["server-a", "server-b"])
@pytest.mark.parametrize("piece", ["://x:", "certificate verify failed: ", "\x1b]52;"])
def test_an_error_reply_of_a_server_ends_with_one_sentence(program: Name, piece: str) -> None:
    with AnswersAlike(f"-WRONGPASS {piece * 1_000}\r\n".encode()) as server:
        ended = run_program(program, "status", server=f"redis://:x@127.0.0.1:{server.port}", timeout_s=40)
    assert ended.exit_code == NotAllowedError.exit_code
    assert len(ended.stderr.splitlines()) == 1
    assert "\x1b" not in ended.stderr
