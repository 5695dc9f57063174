"""`check` looks at the encryption of an endpoint; where it can't, that is no obstacle."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from demo.servers import Server
from shared.check.examination import Job, examine
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from tests.stage.certificates import Authority
from tests.stage.check_runs import PROGRAMS, check
from tests.stage.programs import Name
from tests.stage.raw import call
from tests.stage.servers import NewServer


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody answers at, and nobody else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.redis_server
@pytest.mark.parametrize("program", PROGRAMS)
def test_sentinels_of_which_the_first_is_down(
    program: Name, new_server: NewServer, closed_port: int, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    directives = (*authority.directives(authority.issue("server", "127.0.0.1")), "--tls-replication", "yes")
    primary = new_server("redis7", *directives, tls=True)
    sentinel = new_server("redis7", "--sentinel", *directives, tls=True)
    call(sentinel, "SENTINEL", "MONITOR", "shop", "127.0.0.1", primary.port, 1)
    url = f"rediss+sentinel://127.0.0.1:{closed_port},127.0.0.1:{sentinel.port}/shop"
    code, found = check(program, url, "--tls-ca", str(authority.file))
    assert (code, found["mode"], found["troubles"]) == (0, "sentinel", [])
    assert (found["tls"]["address"], found["tls"]["days_left"]) == (f"127.0.0.1:{sentinel.port}", 0)


def test_encryption_that_nobody_shows_is_only_noted(server: Server, namespace: str, closed_port: int) -> None:
    job = Job(
        "server-b",
        requirements=(),
        keys=(),
        refusal="",
        try_reading=list,
        payload=lambda payload: ("PING", payload),
        payload_way="there and back",
    )
    with closing(open_endpoint(EndpointSettings(parse_url(server.url)))) as endpoint:
        settings = EndpointSettings(
            parse_url(f"rediss+sentinel://127.0.0.1:{closed_port},127.0.0.1:{closed_port}/shop")
        )
        found = examine(endpoint, settings, Keyspace(namespace), job)
    assert (found.exit_code, found.tls) == (0, None)
    assert found.notes[0].startswith(f"nothing is known of the encryption: 127.0.0.1:{closed_port}: expected ")
