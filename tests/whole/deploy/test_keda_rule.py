"""deploy/acl/keda.acl: enough for what KEDA's scaler sends, and for nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from tests.stage.keda_scaler import KedaScaler, ScalerRefusedError
from tests.stage.raw import call
from tests.stage.servers import Kind, NewServer, connect

RULE = (Path(__file__).parents[3] / "deploy" / "acl" / "keda.acl").read_text()
USER, PASSWORD = "keda", "pass-keda"
STREAM, GROUP = Keyspace().signals(), CONSUMER_GROUP
GRANTED = set(re.findall(r"\+([^\s)]+)", RULE))
OF_LAG, OF_PENDING = {"ping", "info", "xinfo|groups", "xlen"}, {"ping", "xpending"}
WITHOUT_RIGHTS = {"auth", "hello", "reset", "quit"}
"""Whoever connects may send these."""


def apply(server: Server, rule: str) -> None:
    """Make KEDA's user as deploy/acl/README.md does it on a running server."""
    call(server, "ACL", "SETUSER", *rule.replace("CHANGE-ME", PASSWORD).split()[1:])


@pytest.fixture
def guarded_stream(new_server: NewServer, server_kind: Kind) -> Server:
    """A server of each kind in turn, with the user of the rule, three signals, one of them being read by a consumer."""
    server = new_server(server_kind)
    with connect(server) as client:
        client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        for number in range(3):
            client.xadd(STREAM, {"number": number})
        client.xreadgroup(GROUP, "c", {STREAM: ">"}, count=1)
    apply(server, RULE)
    return server


def test_the_scaler_sees_lag_and_pending_entries(guarded_stream: Server) -> None:
    with KedaScaler(guarded_stream, USER, PASSWORD) as scaler:
        assert (scaler.lag(STREAM, GROUP), scaler.pending(STREAM, GROUP)) == (2, 1)
        assert len(scaler.ignored) == 3  # what introduces the client is refused, and go-redis goes on
        assert scaler.lag(STREAM, "nobody") == 3  # a stream without the group counts whole
        with connect(guarded_stream) as client:
            client.delete(STREAM)
        assert scaler.lag(STREAM, GROUP) == 0
        with pytest.raises(ScalerRefusedError, match="NOGROUP"):
            scaler.pending(STREAM, GROUP)


def test_each_right_is_needed(guarded_stream: Server) -> None:
    """Without a right the scaler gets no figure, or one that is not the lag: by one trigger at least."""
    assert GRANTED == OF_LAG | OF_PENDING
    for right in sorted(GRANTED):
        apply(guarded_stream, re.sub(rf"\+{re.escape(right)}(?=[\s)])", "", RULE))
        lag, pending = _figure(guarded_stream, "lag"), _figure(guarded_stream, "pending")
        # without XLEN only a group that nobody has made yet is missed
        assert (lag != 2 or right == "xlen") == (right in OF_LAG), right
        assert (pending == 1) == (right not in OF_PENDING), right
    apply(guarded_stream, RULE.replace("+xlen ", ""))
    assert _figure(guarded_stream, "lag", "nobody") is None


@pytest.mark.parametrize(("rights", "what", "figure"), [(OF_LAG, "lag", 2), (OF_PENDING, "pending", 1)])
def test_one_trigger_needs_its_own_rights_only(
    guarded_stream: Server, rights: set[str], what: str, figure: int
) -> None:
    def kept(found: re.Match[str]) -> str:
        return found[0] if found[1] in rights else ""

    apply(guarded_stream, re.sub(r"\+([^\s)]+)", kept, RULE))
    assert _figure(guarded_stream, what) == figure


def _figure(server: Server, what: str, group: str = GROUP) -> int | None:
    try:
        with KedaScaler(server, USER, PASSWORD) as scaler:
            return scaler.lag(STREAM, group) if what == "lag" else scaler.pending(STREAM, group)
    except ScalerRefusedError:
        return None


def test_every_other_command_of_the_server_is_refused(guarded_stream: Server) -> None:
    """Each command of the server is asked for with the stream as each of its arguments."""
    allowed = set()
    for name, words in _commands(guarded_stream):
        answer = call(guarded_stream, "ACL", "DRYRUN", USER, *words)
        assert answer == b"OK" or b" has no permissions to " in answer, (name, answer)
        if answer == b"OK":
            allowed.add(name)
    assert allowed - WITHOUT_RIGHTS == GRANTED


def _commands(server: Server) -> Iterator[tuple[str, list[str]]]:
    """Yield each command and subcommand of a server, with as many arguments as it needs at least."""
    waiting = list(call(server, "COMMAND"))
    while waiting:
        entry = waiting.pop()
        name, arity, subcommands = entry[0].decode().lower(), abs(entry[1]), entry[9] if len(entry) > 9 else []
        waiting += subcommands
        if not subcommands:
            words = name.split("|")
            numkeys = "1" if any(b"keynum" in _flat(spec) for spec in entry[8]) else STREAM
            yield name, words + [numkeys] * (arity - len(words))


def _flat(reply: object) -> list[object]:
    return [inner for part in reply for inner in _flat(part)] if isinstance(reply, list) else [reply]


@pytest.mark.parametrize("key", ["signals2", "{signals}:dead", "{signals}:result:x", "biglist", "shop1:signals"])
def test_other_keys_are_refused(guarded_stream: Server, key: str) -> None:
    for command in (("XLEN", key), ("XINFO", "GROUPS", key), ("XPENDING", key, GROUP)):
        assert call(guarded_stream, "ACL", "DRYRUN", USER, *command) != b"OK", command


def test_a_namespace_and_another_database(new_server: NewServer, server_kind: Kind) -> None:
    """The additions of deploy/acl/README.md."""
    server = new_server(server_kind)
    apply(server, re.sub(r"(%RW?~\{?)", r"\1shop1:", RULE.strip()) + " +select")
    with connect(server, database=3) as client:
        client.xadd("shop1:signals", {"a": "b"})
    with KedaScaler(server, USER, PASSWORD, database=3) as scaler:
        assert scaler.lag("shop1:signals", GROUP) == 1
        with pytest.raises(ScalerRefusedError, match="NOPERM"):
            scaler.lag("signals", GROUP)
