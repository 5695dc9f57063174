"""What people run into first: each mistake is answered with what was given, where it came from, and what to write."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from demo.servers import Server
from shared.endpoint.other_servers import kind_of_other
from shared.endpoint.url import EXAMPLE, parse_url
from shared.errors import InvalidInputError
from tests.stage.programs import Name, run_program
from tests.stage.sentences import SECRET, require_no_secret, require_sentence
from tests.stage.servers import NewServer

SHOWN = [
    *("localhost", "localhost:6379", "localhost:6379/0", "redis:6379", "127.0.0.1", "127.0.0.1:6379", "[::1]:6379"),
    *("redis.example", "redis.example:6380/1", "my-host.example:1", "a.b.c.d.example:6379"),
]
QUOTED = [f"{quote}{url}{quote}" for quote in "'\"`" for url in ("redis://localhost:6379/0", "localhost:6379")]
HIDDEN = [
    *(
        SECRET,
        f"{SECRET}@localhost",
        f":{SECRET}@localhost:6379",
        f"u:{SECRET}@h",
        f"localhost:{SECRET}",
        f"{SECRET}/0",
    ),
    *(f"'{SECRET}'", f'"redis://u:{SECRET}@h"', f"'redis://:{SECRET}@h:6379/0", f"redis:/{SECRET}", f"redis:{SECRET}"),
    *(f"{SECRET} x", f"{SECRET}\n", f"x.{SECRET}@h", f"{SECRET}:x", f"{SECRET}://", f"{SECRET}!"),
]
GREETINGS = [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server"),
    (b"220 mail.example ESMTP\r\n", "a mail or FTP server"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "an SSH server"),
    (b"* OK IMAP4rev1\r\n", "a mail server (IMAP)"),
    (b"+OK POP3\r\n", "a mail server (POP3)"),
    (b"ERROR\r\n", "a memcached server"),
    (b"\x00\x01", ""),
    (b"", ""),
]


def _error(text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        parse_url(text)
    return str(caught.value)


@pytest.mark.parametrize("text", SHOWN + QUOTED)
def test_what_is_no_url_is_quoted_with_an_example(text: str) -> None:
    assert text.strip("'\"`") in _error(text)
    assert EXAMPLE in _error(text)


@pytest.mark.parametrize("text", HIDDEN, ids=ascii)
def test_what_may_be_a_password_is_not_quoted(text: str) -> None:
    assert SECRET not in _error(text)


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_url_is_called_empty(text: str) -> None:
    assert "got an empty text" in _error(text)


@pytest.mark.parametrize("program", ["server-a", "server-b"])
@pytest.mark.parametrize("source", ["--url", "REDIS_URL", "OWN"])
def test_the_source_of_a_url_is_named(program: Name, source: str) -> None:
    own = f"{program.replace('-', '_').upper()}_REDIS_URL"
    name = own if source == "OWN" else source
    url = "localhost:6379"
    if source == "--url":
        ended = run_program(program, "status", "--url", url, env={"REDIS_URL": EXAMPLE})
    else:
        ended = run_program(program, "status", env={"REDIS_URL": EXAMPLE, name: url})
    require_sentence(ended, 2, "URL: ", f"got '{url}'", EXAMPLE, f"it comes from {name}\n")


@pytest.fixture(params=["valkey9", "redis7"])
def guarded(request: pytest.FixtureRequest, new_server: NewServer) -> Server:
    """A server that wants a password."""
    return new_server(request.param, "--requirepass", SECRET)


@pytest.mark.redis_server
@pytest.mark.parametrize("program", ["server-a", "server-b"])
def test_a_forgotten_password_is_told_from_a_wrong_one(guarded: Server, program: Name) -> None:
    ways = ("--password-file", "SERVER_A_PASSWORD", "in the URL")
    require_sentence(run_program(program, "status", server=guarded.url), 77, "the server wants a password", *ways)
    wrong = run_program(program, "status", server=guarded.url.replace("://", "://:s3x@"))
    require_sentence(wrong, 77, "expected a user and password it accepts")
    assert "wants a password" not in wrong.stderr
    require_no_secret(wrong)
    told = run_program(program, "status", "--help").stdout
    assert all(way in " ".join(told.split()) for way in (f"{program.replace('-', '_').upper()}_PASSWORD", "in the URL"))


@contextmanager
def _saying(said: bytes) -> Iterator[int]:
    """A server that says so much to each connection, whatever it is asked, and closes it when the client does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.sendall(said)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(1024):
                            pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(("said", "kind"), GREETINGS)
def test_another_kind_of_server_is_known_by_what_it_says(said: bytes, kind: str) -> None:
    with _saying(said) as port:
        assert kind_of_other(("127.0.0.1", port)) == kind


@pytest.mark.parametrize("program", ["server-a", "server-b"])
@pytest.mark.parametrize("scheme", ["redis", "rediss"])
@pytest.mark.parametrize(("said", "kind"), GREETINGS[:6])
def test_a_web_mail_or_ssh_server_is_named(program: Name, said: bytes, kind: str, scheme: str) -> None:
    with _saying(said) as port:
        ended = run_program(program, "status", server=f"{scheme}://:{SECRET}@127.0.0.1:{port}")
    require_sentence(ended, 78, f"expected a Redis server, got {kind}; check host and port")
    require_no_secret(ended)
