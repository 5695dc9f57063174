"""A server that answers a login with an error which quotes it, in its own way: the password is not shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from shared.endpoint.passwords import remember_sent, without_sent
from tests.stage.answers_alike import AnswersAlike
from tests.stage.inside import run_inside
from tests.stage.lied_to import CODES, short_waits
from tests.stage.programs import Name
from tests.stage.sentences import SECRET

__all__ = ["short_waits"]

MIB = 1024 * 1024
PASSWORDS = [
    SECRET,
    f"{SECRET} {SECRET}",
    f"{SECRET}'{SECRET}",
    f'{SECRET}"{SECRET}',
    f"{SECRET}%40{SECRET}",
    f"{SECRET}é\u2603{SECRET}",
    f"{SECRET}\\{SECRET}",
    SECRET * 20,
]
COMMANDS: list[tuple[Name, tuple[str, ...]]] = [
    ("server-a", ("run", "--patience-s", "0")),
    ("server-a", ("check",)),
    ("server-b", ("status", "--log-level", "debug")),
    ("server-b", ("run", "--once", "--wait-s", "0")),
]


def _words(came: bytes) -> list[bytes]:
    return came.split(b"\r\n")[2::2]


ECHOES: dict[str, Callable[[bytes], bytes]] = {
    "words": lambda came: b"-ERR do not know " + b" ".join(_words(came)) + b"\r\n",
    "a part": lambda came: b"-ERR syntax near '" + _words(came)[-1][:100] + b"'\r\n",
    "one line": lambda came: b"-" + came.replace(b"\r\n", b" ") + b"\r\n",
    "as bytes": lambda came: b"-ERR got " + repr(came).encode() + b"\r\n",
    "as text": lambda came: b"-ERR got " + ascii(came.decode()).encode() + b"\r\n",
    "percent": lambda came: b"-ERR got " + quote(_words(came)[-1]).encode() + b"\r\n",
    "an address": lambda came: b"-MOVED 1 " + _words(came)[-1] + b":1\r\n",
    "a refusal": lambda came: b"-WRONGPASS not " + _words(came)[-1] + b"\r\n",
}


@pytest.mark.parametrize("password", PASSWORDS, ids=ascii)
@pytest.mark.parametrize("echo", ECHOES)
def test_an_error_that_quotes_the_login_is_shown_without_it(
    echo: str, password: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From a file, a variable and the URL; also where the Sentinels' is sent back."""
    file = tmp_path / "password"
    file.write_text(password, "utf-8")
    for name in ("SERVER_A", "SERVER_B"):
        monkeypatch.setenv(f"{name}_PASSWORD", password)
        monkeypatch.setenv(f"{name}_SENTINEL_PASSWORD", password)
    with AnswersAlike(ECHOES[echo]) as server:
        place = f"127.0.0.1:{server.port}"
        ways = (
            ("--url", f"redis://{place}"),
            ("--url", f"redis://u@{place}", "--password-file", str(file)),
            ("--url", f"redis://u:{quote(password, safe='')}@{place}"),
            ("--url", f"redis+sentinel://{place}/shop"),
        )
        for way, (name, command) in zip(ways, COMMANDS, strict=True):
            ended = run_inside(name, *command, *way)
            assert ended.exit_code in CODES - {0}, ended
            assert SECRET not in ended.stdout + ended.stderr, ended


@pytest.mark.timeout(60)
def test_it_takes_linear_time() -> None:
    for number in range(100):  # more than are remembered
        remember_sent(f"{number}:{SECRET}")
    assert SECRET not in without_sent(f"99:{SECRET} " * (MIB // 10))
    assert len(without_sent("9" * MIB)) == MIB


def test_what_is_too_short_to_tell_anything_hides_nothing() -> None:
    remember_sent("e")
    assert without_sent("ERR value") == "ERR value"
