"""Unix sockets: reached by path, with a login and a database where there are any."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from demo.servers import Server
from tests.stage.programs import Name, run_program
from tests.stage.runs import consume, produce, require_exact
from tests.stage.sentences import SECRET, require_no_secret, require_sentence
from tests.stage.servers import Kind, NewServer


def test_a_run_over_a_socket(own_server: Server) -> None:
    url = f"unix://{own_server.socket_path}"
    summary = produce(url, "--count", "20000", "--segment-values", "5000")
    assert summary["endpoint"] == url
    require_exact(summary, consume(url))


def test_one_end_over_a_socket_and_the_other_over_tcp(own_server: Server) -> None:
    summary = produce(f"unix://{own_server.socket_path}?db=3", "--count", "1000")
    assert summary["endpoint"].endswith("?db=3")
    require_exact(summary, consume(own_server.url.removesuffix("/0") + "/3"))


def test_a_socket_with_a_password(new_server: NewServer, server_kind: Kind) -> None:
    server = new_server(server_kind, "--requirepass", SECRET)
    url = f"unix://:{SECRET}@{server.socket_path}"
    for ended in (
        run_program("server-a", "run", "--count", "1000", "--log-level", "debug", server=url),
        run_program("server-b", "run", "--once", "--wait-s", "30", "--log-level", "debug", server=url),
    ):
        assert ended.exit_code == 0, ended
        require_no_secret(ended)


def test_a_path_with_odd_characters(own_server: Server) -> None:
    odd = own_server.directory / "a b@c?d.sock"
    odd.symlink_to(own_server.socket_path)
    assert produce(f"unix://{quote(str(odd))}", "--count", "10")["count"] == 10


@pytest.mark.parametrize("program", ["server-a", "server-b"])
def test_paths_that_lead_nowhere(own_server: Server, program: Name) -> None:
    for path, reason in (
        (own_server.directory / "missing.sock", "No such file or directory"),
        (own_server.directory / "server.conf", "Connection refused"),
    ):
        ended = run_program(program, "status", server=f"unix://:{SECRET}@{path}")
        require_sentence(ended, 69, reason, "check that the server runs there and the URL is right")
        require_no_secret(ended)
