"""What the tests of transactions share: preparing Redis, injecting a fault, and checking the final state.

Only the command lines are run, and Redis is read by a client of the tests' own: these tests depend on the keys and
their contents, not on the code.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_in_process import entries_of, list_keys
from tests.stage.programs import Finished, Name, run_program

if TYPE_CHECKING:
    import redis

RETAIN_MS = 7 * 24 * 60 * 60 * 1000
SEGMENTS = 3
FOREIGN = {b"origin": b"1-1", b"reason": b"another server-b's", b"consumer": b"c"}
# What happens to a transaction: carried out but the reply is lost; never arrives; arrives after the program has ended.
Fault = Literal["lost", "never", "late"]
faults = pytest.mark.parametrize("fault", ["lost", "never", "late"])


@dataclass
class Stage:
    """The programs in one namespace of a server, and a link for the program that is to meet a fault."""

    server: Server
    namespace: str
    client: redis.Redis
    keys: Keyspace
    link: FaultyLink
    _kept: dict[str, str] = field(default_factory=dict)

    def run(self, name: Name, *arguments: str, url: str = "") -> Finished:
        """Run a program to its end, at the server or at the URL given, such as the link's."""
        return run_program(name, *arguments, server=url or self.server, namespace=self.namespace)

    def produce(self, *, segments: int = SEGMENTS, url: str = "") -> dict[str, Any]:
        """Run `server-a` for so many segments of 10 values, and return what it printed."""
        sizes = ("--count", str(10 * segments), "--segment-values", "10")
        ended = self.run("server-a", "run", *sizes, "--json", url=url)
        assert ended.exit_code == 0, ended.stderr
        summary: dict[str, Any] = ended.json()
        return summary

    def consume(self, *options: str, exit_code: int = 0, url: str = "") -> dict[str, Any]:
        """Run `server-b` until it has reported a run, exactly once, and return that report."""
        ended = self.run("server-b", "run", "--once", "--wait-s", "15", "--json", *options, url=url)
        assert ended.exit_code == exit_code, ended.stderr
        report: dict[str, Any] = ended.json()
        return report

    def give_up(self, *, url: str = "") -> dict[str, Any]:
        """Run `server-b` on a run whose list never arrives: the verdict is failed, and there is a dead letter."""
        return self.consume("--settle-s", "0.1", "--max-deliveries", "1", exit_code=65, url=url)

    def take_list_away(self) -> None:
        """Rename the only list and its state, so that to server-b they never arrived."""
        (name,) = list_keys(self.client, self.keys)
        for number, key in enumerate((name, self.keys.state(name))):
            self._kept[key] = f"{self.keys.prefix}kept-{number}"
            self.client.rename(key, self._kept[key])

    def bring_list_back(self) -> None:
        """Undo `take_list_away`."""
        for key, kept in self._kept.items():
            self.client.rename(kept, key)

    def produce_around_a_bad_entry(self) -> dict[str, Any]:
        """Run `server-a` for two segments, with an entry that is no signal right before the last signal."""
        with FaultyLink(self.server.port) as link_a:
            bad: dict[Any, Any] = {"run_id": "nonsense"}
            link_a.at(resp("XADD", self.keys.signals()), lambda: self.client.xadd(self.keys.signals(), bad), nth=2)
            return self.produce(segments=2, url=link_a.url)

    def inject(self, fault: Fault, text: bytes, *, nth: int = 1) -> None:
        """Have the link inject a fault at the nth transaction with this text, which clients send in one piece."""
        if fault == "lost":
            self.link.lose_reply(text, nth=nth)
        elif fault == "never":
            self.link.at(text, lambda: None, nth=nth, is_forwarded=False)
        else:
            self.link.hold(text, nth=nth)

    def check_injected(self, fault: Fault, *, commands: int) -> None:
        """Deliver a late transaction; check that a lost reply is that of a whole transaction, carried out.

        Args:
            fault: What was injected.
            commands: How many commands it has at least between MULTI and EXEC.
        """
        if fault == "late":
            self.link.deliver_held()
        if fault == "lost":
            (reply,) = self.link.lost
            executed = re.search(rb"\+QUEUED\r\n\*([0-9]+)", reply)
            assert executed, reply
            assert int(executed[1]) >= commands

    def fail_element(self, anchor: bytes, text: bytes, replacement: bytes, *, nth: int = 1) -> None:
        """Replace a text in the nth transaction with the anchor; other requests may hold the text too."""
        self.link.at(anchor, lambda: self.link.rewrite(text, replacement), nth=nth)

    def make_strings_beside(self, *names: str) -> None:
        """Make a string under the name `beside` each key, where commands of other types fail."""
        for name in names:
            self.client.set(beside(name), "of another type")

    def require_verdicts(self, run_id: str, segments: int, verdict: str) -> None:
        """Check that each segment has this verdict, that all of them expire, and that nothing is pending."""
        key = self.keys.result(run_id)
        found = {int(number): json.loads(text)["verdict"] for number, text in self.client.hgetall(key).items()}
        assert found == dict.fromkeys(range(1, segments + 1), verdict)
        assert 0 < self.client.pttl(key) <= RETAIN_MS
        self.require_acknowledged()

    def require_acknowledged(self) -> None:
        """Check that the group was given every entry and that none is pending."""
        (group,) = self.client.xinfo_groups(self.keys.signals())
        last_id, _ = entries_of(self.client, self.keys.signals())[-1]
        assert (group["name"], group["pending"], group["last-delivered-id"]) == (b"server-b", 0, last_id.encode())

    def require_letter(self, origin: str, fields: dict[bytes, bytes]) -> None:
        """Check that there is one dead letter of server-b, of this entry."""
        letters = [letter for _, letter in entries_of(self.client, self.keys.dead_letters()) if letter != FOREIGN]
        (letter,) = letters
        assert letter[b"origin"] == origin.encode()
        assert letter[b"reason"]
        assert letter[b"consumer"]
        assert {name: value for name, value in letter.items() if name.startswith(b"field:")} == {
            b"field:" + name: value for name, value in fields.items()
        }

    def entries(self) -> list[tuple[str, dict[bytes, bytes]]]:
        """Return the entries of the signals stream."""
        return entries_of(self.client, self.keys.signals())


def beside(name: str) -> str:
    """Return another text of the same length, such as the name of a key that no program uses."""
    return name[:-1] + "~"


@pytest.fixture
def stage(server: Server, namespace: str, client: redis.Redis, keys: Keyspace, link: FaultyLink) -> Stage:
    """A stage in the test's namespace on each shared server in turn."""
    return Stage(server, namespace, client, keys, link)
