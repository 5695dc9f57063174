"""Where changed copies of our programs are tried: a server, links to it, and what is wrong with what they leave."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import list_keys, numbers, stored_values
from tests.stage.mutants import TIMEOUT_S, Copy

if TYPE_CHECKING:
    import redis

COUNT = 25_000  # 25 batches: more than a link gets at once, so that the first one arrives by itself
RUN = ("run", "--count", str(COUNT), "--json")


@dataclass(frozen=True)
class Trial:
    """A copy of our programs on a server."""

    copy: Copy
    server: Server
    client: redis.Redis
    keys: Keyspace
    folder: Path

    @property
    def list_key(self) -> str:
        """The first segment's list."""
        return self.keys.segment(1)

    def lose_list(self) -> None:
        """Delete the list and its state, as a failover does."""
        self.client.delete(self.list_key, self.keys.state(self.list_key))

    def produce(self, *, url: str = "", count: int = COUNT) -> dict[str, Any]:
        """Carry out a run, which must end with 0; return its summary."""
        ended = self.copy.run("server-a", "run", "--count", str(count), "--json", url=url or self.server.url)
        assert ended.exit_code == 0, ended.stderr
        summary: dict[str, Any] = ended.json()
        return summary

    def kill(self, text: bytes, name: Any, *arguments: str, nth: int = 1) -> str:
        """Run a program that is killed as the nth request with a text comes from it; return what it logged."""
        with FaultyLink(self.server.port) as link:
            process = self.copy.start(name, *arguments, url=link.url)

            def kill() -> None:
                process.kill()
                process.wait(TIMEOUT_S)

            link.at(text, kill, nth=nth, is_forwarded=False)
            ended = self.copy.end_of(process)
        assert ended.exit_code == 128 + 9, ended.stderr
        return ended.stderr

    def verdict(self, *options: str, url: str = "", wait_s: int = 5) -> str:
        """Return what server-b says of the run; empty when it says nothing in time."""
        arguments = ("run", "--once", "--wait-s", str(wait_s), "--json", *options)
        ended = self.copy.run("server-b", *arguments, url=url or self.server.url)
        assert ended.exit_code in {0, 65, 75}, ended.stderr
        return str(ended.json()["verdict"]) if ended.exit_code != 75 else ""

    def wrong(self, *, count: int = COUNT) -> str:
        """Return what is wrong unless the list holds the numbers up to the count, and server-b verifies that."""
        if stored_values(self.client, self.keys) != numbers(count):
            return "another list than A was given"
        verdict = self.verdict()
        return "" if verdict == "verified" else f"the verdict is {verdict!r}"

    def left_for_ever(self) -> str:
        """Return what is wrong if a list other than the published one is left without a time to live."""
        lists = list_keys(self.client, self.keys) - {self.list_key}
        return "a list is left for ever" if any(self.client.ttl(key) < 0 for key in lists) else ""


def run_id_of(log: str) -> str:
    """Return the run id that server-a logged at its start."""
    started = next(line for line in log.splitlines() if '"run started"' in line)
    return str(json.loads(started)["run_id"])
