"""A server with a run on it that lies, and how a program may end then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import entries_of
from tests.stage.inside import run_inside
from tests.stage.lying_link import LyingLink
from tests.stage.programs import Finished, Name
from tests.stage.raw import call
from tests.stage.servers import NewServer, connect

if TYPE_CHECKING:
    import redis

LIES = {
    "number": b":7\r\n",
    "number below zero": b":-1\r\n",
    "largest number": b":9223372036854775807\r\n",
    "word": b"$3\r\nabc\r\n",
    "status": b"+OK\r\n",
    "nothing": b"$-1\r\n",
    "no list": b"*-1\r\n",
    "empty list": b"*0\r\n",
    "numbers": b"*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
    "page with half a pair": b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
    "texts": b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "nested": b"*2\r\n*2\r\n*1\r\n:1\r\n$1\r\nx\r\n*0\r\n",
    "entry": b"*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "map": b"%1\r\n$1\r\na\r\n:1\r\n",
    "set": b"~1\r\n:1\r\n",
    "push": b">2\r\n+a\r\n+b\r\n",
    "double": b",1.5\r\n",
    "truth": b"#t\r\n",
    "digits": b"$5000\r\n" + b"9" * 5000 + b"\r\n",
    "no number": b":1x\r\n",
    "error": b"-ERR strange \x1b]0;x\x07\r\n",
    "error in a list": b"*2\r\n-ERR x\r\n:1\r\n",
    "another type": b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    "another node": b"-MOVED 1 127.0.0.1:1\r\n",
    "no protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}
CODES = {0, 2, 65, 69, 75, 77, 78}  # documented; 70, a fault of ours, is none that a server may cause
WRITES = ("run", "--count", "30", "--segment-values", "20", "--patience-s", "0")
READS = ("run", "--once", "--wait-s", "0.1", "--settle-s", "0.1", "--claim-idle-ms", "100")


@dataclass
class Victim:
    """A server with a run on it, and the link that lies about it."""

    server: Server
    link: LyingLink
    client: redis.Redis
    keys: Keyspace = field(default_factory=lambda: Keyspace(""))
    run_id: str = ""

    def hand_over(self) -> None:
        """Hand a run over, and leave a signal that is none for the dead letters."""
        self.client.flushall()
        assert run_inside("server-a", *WRITES, "--url", self.server.url).exit_code == 0
        self.client.xadd(self.keys.signals(), {"x": "y"})
        assert run_inside("server-b", "run", "--once", "--wait-s", "9", "--url", self.server.url).exit_code == 0
        (key,) = self.client.scan_iter("run:*")
        self.run_id = key.decode().removeprefix("run:")

    def signal_again(self) -> None:
        """Take the verdicts away, and let the signals come once more."""
        self.client.delete(self.keys.result(self.run_id))
        for _, fields in entries_of(self.client, self.keys.signals())[:2]:
            call(self.server, "XADD", self.keys.signals(), "*", *chain.from_iterable(fields.items()))

    def nothing(self) -> None:
        """Prepare nothing."""


@pytest.fixture
def victim(new_server: NewServer) -> Iterator[Victim]:
    """A server with a run that is verified, and a dead letter."""
    server = new_server("valkey9")
    with LyingLink(server.port) as link, connect(server) as client:
        victim = Victim(server, link, client)
        victim.hand_over()
        yield victim


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wait for nothing that a liar may never say, and keep what is known of followed runs in the test's folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("server_a.run.story.FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("server_b.story.RETRY_S", 0.1)
    monkeypatch.setattr("shared.endpoint.optimistic.LIMIT_S", 0.1)
    monkeypatch.setattr("shared.endpoint.other_servers._TIMEOUT_S", 0.01)
    monkeypatch.setattr("shared.check.link.RATE_BYTES", 65_536)
    monkeypatch.setattr("shared.check.link.ENOUGH_ROUND_TRIPS", 10)


def require_an_end(ended: Finished, name: Name, case: str) -> None:
    """Check that a program ended with a documented code, and with one sentence or a result."""
    assert ended.exit_code in CODES, f"{case}: {ended.exit_code} {ended.stderr[-300:]}"
    assert "Traceback" not in ended.stderr, case
    assert "\x1b]" not in ended.stdout + ended.stderr, case
    sentences = [line for line in ended.stderr.splitlines() if line.startswith(f"{name}: ")]
    expected = 0 if ended.exit_code == 0 else 1
    assert len(sentences) == expected or (ended.stdout and not sentences), f"{case}: {ended.stderr}"
