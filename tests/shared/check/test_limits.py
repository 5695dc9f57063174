"""What `check` says of settings that cut connections."""

from __future__ import annotations

from contextlib import closing

import pytest

from demo.servers import Server
from shared.check.limits import limit_notes, read_limits
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import FullServerError
from tests.stage.check_runs import PROGRAMS, check, user_url
from tests.stage.lying_link import LyingLink
from tests.stage.programs import Name
from tests.stage.servers import connect

MIB = 1024 * 1024


def _limit(normal: str) -> dict[str, str]:
    return {"client-output-buffer-limit": f"normal {normal} slave 268435456 67108864 60 pubsub 33554432 8388608 60"}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, ""),
        (_limit("0 0 0"), ""),
        (_limit(f"{64 * MIB} 0 0"), ""),
        (_limit(f"{8 * MIB} 0 0"), "8.0 MiB"),
        (_limit(f"0 {MIB} 10"), "1.0 MiB"),
        (_limit(f"{64 * MIB} {2 * MIB} 10"), "2.0 MiB"),
        ({"client-output-buffer-limit": "nonsense"}, ""),
        ({"maxmemory-clients": "0"}, ""),
        ({"maxmemory-clients": "5%"}, "5% of maxmemory"),
        ({"maxmemory-clients": str(8 * MIB)}, "8.0 MiB"),
        ({"timeout": "0"}, ""),
        ({"timeout": "300"}, ""),
        ({"timeout": "3"}, "silent for 3 s"),
    ],
)
def test_limits_that_cut_connections_are_noted(settings: dict[str, str], named: str) -> None:
    notes = limit_notes("node", settings, asked_bytes=8 * MIB)
    assert len(notes) == (1 if named else 0)
    assert all(named in note for note in notes)


def test_who_asks_for_little_is_not_warned_of_large_replies() -> None:
    assert limit_notes("node", _limit(f"{MIB} 0 0"), asked_bytes=0) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_check_warns_of_them_and_ends_with_0(program: Name, own_server: Server) -> None:
    with connect(own_server) as client:
        client.config_set("timeout", "3")
        client.config_set("client-output-buffer-limit", "normal 8mb 0 0")
        client.config_set("maxmemory-clients", "5%")
    code, found = check(program, own_server)
    assert code == 0
    expected = ["maxmemory-clients", "timeout"] + (["client-output-buffer-limit"] if program == "server-b" else [])
    assert len(found["notes"]) == len(expected)
    assert all(any(name in note for note in found["notes"]) for name in expected)
    # who may not ask is told nothing
    assert check(program, user_url(own_server, "-config"))[1]["notes"] == []


def test_a_server_too_full_for_a_question_is_full(own_server: Server) -> None:
    with (
        LyingLink(own_server.port) as link,
        closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as endpoint,
    ):
        link.lie(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", about="CONFIG GET")
        with pytest.raises(FullServerError):
            read_limits(endpoint, ["biglist"])
        link.lie(b"-NOPERM this user has no permissions\r\n", about="CONFIG GET")
        assert read_limits(endpoint, ["biglist"]) == {endpoint.node_of("biglist"): {}}
