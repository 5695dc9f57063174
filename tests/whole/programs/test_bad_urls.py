"""URLs and passwords that are wrong, through both programs as users meet them: one sentence, and never a secret."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import pytest

from demo.servers import Server
from tests.stage.answers_alike import AnswersAlike
from tests.stage.programs import Finished, Name, run_program
from tests.stage.sentences import SECRET, require_no_secret, require_sentence
from tests.stage.servers import NewServer
from tests.stage.speaks_http import SpeaksHttp

PASSWORD = f"{SECRET}-right"
LIMIT_S = 45.0  # less than the minute for which lost servers are tried again

both_programs = pytest.mark.parametrize("program", ["server-a", "server-b"])


@dataclass(frozen=True)
class Bad:
    """A URL, and how a program is to end with it; {port} stands for a server's that wants PASSWORD."""

    url: str
    code: int
    part: str


USAGE = [
    Bad("", 2, "a URL that starts with redis://"),
    Bad("localhost:{port}", 2, "a URL that starts with redis://"),
    Bad("http://:s3cr7t9@localhost:{port}", 2, "got the scheme http://"),
    Bad("valkey://:s3cr7t9@localhost:{port}", 2, "got the scheme valkey://"),
    Bad("s3cr7t9@localhost:{port}", 2, "a URL that starts with redis://"),
    Bad("redis://:s3cr7t9@", 2, "expected a host, got none; for this machine write localhost"),
    Bad("redis://:s3cr7t9@:{port}/0", 2, "expected a host, got none"),
    Bad("redis://u:s3@cr7t9@localhost:{port}", 2, "write %40 for an @ in a password"),
    Bad("redis://u:s3/cr7t9@localhost:{port}", 2, "write %2F for a / "),
    Bad("redis://u:s3:cr7t9@localhost:{port}", 2, "write %3A for a : in a password"),
    Bad("redis://u:s3#cr7t9@localhost:{port}", 2, "write %23 for a # in a password"),
    Bad("redis://u:s3?cr7t9@localhost:{port}", 2, "write %40 for @"),
    Bad("redis://u:s3cr7t9@localhost:{port}?nope=1", 2, "expected no parameter but db"),
    Bad("redis://u:s3cr7t9@localhost:{port}?password=s3cr7t9", 2, "expected no parameter but db"),
    Bad("rediss://u:s3cr7t9@localhost:{port}?ssl_cert_reqs=none", 2, "no parameter that changes TLS"),
    Bad("redis://u:s3cr7t9@localhost:{port}/abc", 2, "expected a database number"),
    Bad("redis://u:s3cr7t9@localhost:99999", 2, "a port from 1 to 65535"),
    Bad("redis://u:s3cr7t9@local host", 2, "expected a host name or address"),
    Bad("redis://u:s3cr7t9@a..b:{port}", 2, "parts have 1 to 63 characters"),
    Bad(f"redis://u:s3cr7t9@{'a' * 64}:{{port}}", 2, "parts have 1 to 63 characters"),
    Bad("redis://u:s3cr7t9\udcff@localhost:{port}", 2, "expected text of UTF-8"),
    Bad("unix:///run/%00.sock", 2, "a path without zero bytes"),
    Bad("unix://:s3cr7t9@", 2, "a path like unix:///run/redis/redis.sock"),
    Bad("redis+sentinel://u:s3cr7t9@localhost:{port}", 2, "the name of the group"),
]
REFUSED = [
    Bad("redis://:s3cr7t9@localhost:{port}", 77, "expected a user and password it accepts"),
    Bad("redis://nobody:s3cr7t9@localhost:{port}", 77, "expected a user and password it accepts"),
    Bad("redis://localhost:{port}", 77, "expected a user and password it accepts"),
    Bad(f"redis://:{PASSWORD}@localhost:{{port}}/99", 78, "expected a database it has"),
    Bad(f"rediss://:{PASSWORD}@localhost:{{port}}", 78, "a server that speaks TLS, got one that does not"),
    Bad(f"redis+sentinel://:{PASSWORD}@localhost:{{port}}/shop", 78, "expected Sentinels, got another kind of server"),
    Bad(f"redis://:{PASSWORD}@localhost:9", 69, "Connection refused"),
    Bad(f"redis://:{PASSWORD}@no-such-host.invalid", 69, "check that the server runs there and the URL is right"),
    Bad(f"unix://:{PASSWORD}@/no/such/redis.sock", 69, "/no/such/redis.sock"),
]


@pytest.fixture
def guarded(new_server: NewServer) -> Server:
    """A server that wants PASSWORD."""
    return new_server("redis7", "--requirepass", PASSWORD)


def run(program: Name, *options: str, url: str = "", env: dict[str, str] | None = None) -> Finished:
    """Run a program that logs everything; the URL goes by variable, as one with a password should."""
    once = ("--once", "--wait-s", "0") if program == "server-b" else ("--count", "10")
    return run_program(program, "run", *once, "--log-level", "debug", *options, server=url, env=env)


@both_programs
@pytest.mark.parametrize("bad", USAGE, ids=lambda bad: re.sub("[^a-z0-9]+", "-", bad.url))
def test_urls_that_no_server_would_take(program: Name, bad: Bad) -> None:
    began = time.monotonic()
    ended = run(program, "--url", bad.url.format(port=6379))
    require_sentence(ended, bad.code, "URL: ", bad.part)
    require_no_secret(ended)
    assert time.monotonic() - began < LIMIT_S


@pytest.mark.redis_server
@both_programs
@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: re.sub("[^a-z0-9]+", "-", bad.url))
def test_urls_that_lead_nowhere(guarded: Server, program: Name, bad: Bad) -> None:
    began = time.monotonic()
    ended = run(program, url=bad.url.format(port=guarded.port))
    require_sentence(ended, bad.code, bad.part)
    require_no_secret(ended)
    assert time.monotonic() - began < LIMIT_S


@both_programs
@pytest.mark.parametrize("option", ["--auth", "--password-file"])
def test_a_password_in_a_wrong_place_is_not_shown(program: Name, option: str) -> None:
    ended = run(program, option, SECRET)
    assert ended.exit_code == 2, ended
    assert len(ended.stderr.splitlines()) == 1
    require_no_secret(ended)


@both_programs
def test_a_server_of_another_kind(program: Name) -> None:
    with SpeaksHttp() as server:
        ended = run(program, url=f"redis://:{SECRET}@127.0.0.1:{server.port}")
    require_sentence(ended, 78, "expected a Redis server", "check host and port")
    require_no_secret(ended)


@both_programs
@pytest.mark.parametrize("reply", [b":1\r\n", b"+OK\r\n", b"$-1\r\n", b"*0\r\n", b"*1\r\n*0\r\n"])
def test_a_server_whose_replies_have_another_shape(program: Name, reply: bytes) -> None:
    """A proxy that knows few commands may give any answer to the others."""
    with AnswersAlike(reply) as server:
        ended = run(program, "--log-level", "error", url=f"redis://127.0.0.1:{server.port}")
    require_sentence(ended, 78)
