"""The rights each program needs: every command it sends, on a key of every kind it sends it to, as data in one place.

`check` asks the server for each of them and the tests compare the files of deploy/acl with them, so neither can be
forgotten when a program learns a new command. The commands stand as they are sent, with `{kind}` for a key that
`Keyspace` builds. Asking ACL DRYRUN was rejected: it needs a right of its own.

What every connection is allowed anyway (AUTH, HELLO) is missing here, and so is what only some connections send before
they can be used, which fail at once without it: SELECT, and on a cluster CLUSTER SLOTS, COMMAND and READONLY.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.keys import Keyspace

_TOKEN = "20261122T205801123Z-3f9a1c"  # noqa: S105 - stands for any run id or attempt, no secret
_SUBCOMMANDS = ("XGROUP", "XINFO")


@dataclass(frozen=True)
class Need:
    """Commands that a program sends for one purpose.

    Attributes:
        forms: Each as it is sent, its parts separated by spaces.
        is_needed: Whether `run` can't do without; False for the other commands and for options.
    """

    purpose: str
    forms: tuple[str, ...]
    is_needed: bool = True


@dataclass(frozen=True)
class Right:
    """One command on one key.

    Attributes:
        command: As it is sent, key included.
        key: The first key; empty for a command without.
    """

    command: tuple[str, ...]
    key: str
    purpose: str
    is_needed: bool

    @property
    def name(self) -> str:
        """What people call the command, such as `LPUSH` or `XGROUP CREATE`."""
        return " ".join(self.command[: 2 if self.command[0] in _SUBCOMMANDS else 1])


SERVER_A = (
    Need("name the run and its attempts", ("TIME",)),
    Need("decide and write in one transaction", ("MULTI", "EXEC", "UNWATCH")),
    Need("write the shop", ("HSET {user} f v", "HSET {sku} f v", "HSET {cart} f v")),
    Need(
        "write a segment",
        ("LPUSH {staging} v", "LPUSHX {staging} v", "EXPIRE {staging} 1", "LLEN {staging}", "UNLINK {staging}"),
    ),
    Need("look what is published", ("HMGET {state} f", "LLEN {segment}", "EXISTS {segment}")),
    Need(
        "publish a segment",
        (
            "WATCH {staging} {state} {segment}",
            "UNLINK {segment}",
            "RENAME {staging} {segment}",
            "PERSIST {segment}",
            "UNLINK {state}",
            "HSET {state} f v",
        ),
    ),
    Need("remove what an older run left", ("PEXPIRE {state} 1",)),
    Need(
        "record the run",
        ("HSET {run} f v", "HSETNX {run} f v", "PEXPIRE {run} 1", "HGETALL {run}", "EXISTS {run}"),
    ),
    Need("signal to server-b", ("TYPE {signals}", "XADD {signals} MINID ~ 0 * f v", "XRANGE {signals} 0 0")),
    Need("run --await-verdict-s", ("HGETALL {result}",), is_needed=False),
    Need("run --min-replicas", ("WAIT 0 1",), is_needed=False),
    Need(
        "user, sku and cart",
        (
            *(f"{name} {{{kind}}}" for kind in ("user", "sku") for name in ("EXISTS", "HGETALL", "HLEN", "UNLINK")),
            *(f"{name} {{cart}}" for name in ("HGETALL", "HLEN", "UNLINK", "WATCH")),
            "HGET {cart} f",
            "HINCRBY {cart} f 1",
            "HDEL {cart} f",
        ),
        is_needed=False,
    ),
    Need("user list, sku list and purge", ("SCAN 0",), is_needed=False),
    Need(
        "status",
        (
            "EXISTS {signals}",
            "XREVRANGE {signals} + - COUNT 1",
            "XINFO GROUPS {signals}",
            "XINFO CONSUMERS {signals} g",
            "XLEN {signals}",
            "XLEN {dead_letters}",
        ),
        is_needed=False,
    ),
    Need("check --peer-url", ("HSET {canary} f v", "PEXPIRE {canary} 1", "UNLINK {canary}"), is_needed=False),
    Need(
        "purge",
        (
            *(f"{name} {{{kind}}}" for kind in ("user", "sku", "cart", "state", "run", "result", "canary")
              for name in ("TYPE", "HGETALL", "UNLINK")),
            *(f"{name} {{{kind}}}" for kind in ("staging", "signals", "dead_letters") for name in ("TYPE", "UNLINK")),
        ),
        is_needed=False,
    ),
)  # fmt: skip

_READING = (
    Need("look at the server's clock", ("TIME",)),
    Need("keep a connection alive", ("PING",)),
    Need("find the newest signal", ("XREVRANGE {signals} + - COUNT 1",)),
    Need("wait for the list", ("HMGET {state} f",)),
    Need(
        "read the list and notice any change to it",
        ("MULTI", "EXEC", "WATCH {segment} {state}", "LLEN {segment}", "LRANGE {segment} 0 0"),
    ),
    Need("read what the run was to write", ("HMGET {run} f",)),
    Need("show the carts", ("HGETALL {cart}", "HGETALL {sku}")),
    Need("read", ("EXISTS {segment}",), is_needed=False),
    Need(
        "status",
        (
            "EXISTS {signals}",
            "XINFO GROUPS {signals}",
            "XINFO CONSUMERS {signals} g",
            "XLEN {signals}",
            "XLEN {dead_letters}",
            "HGETALL {run}",
            "HGETALL {result}",
        ),
        is_needed=False,
    ),
    Need("server-a check --peer-url", ("HGET {canary} f",), is_needed=False),
)

SERVER_B_FOLLOW = (
    Need(
        "follow the signals",
        ("XREAD COUNT 1 STREAMS {signals} 0", "XRANGE {signals} - + COUNT 1", "XINFO STREAM {signals}"),
    ),
    *_READING,
)

SERVER_B_GROUP = (
    Need(
        "share the signals in a consumer group",
        (
            "XGROUP CREATE {signals} g 0 MKSTREAM",
            "XGROUP DELCONSUMER {signals} g c",
            "XINFO CONSUMERS {signals} g",
            "XREADGROUP GROUP g c COUNT 1 STREAMS {signals} >",
            "XAUTOCLAIM {signals} g c 1 0 COUNT 1",
            "XPENDING {signals} g - + 1",
            "EVAL x 1 {signals}",
            "XCLAIM {signals} g c 0 0-0 JUSTID",
            "XACK {signals} g 0-0",
        ),
    ),
    Need(
        "record a verdict",
        (
            "WATCH {result}",
            "UNWATCH",
            "HGET {result} f",
            "HSET {result} f v",
            "HLEN {result}",
            "PEXPIRE {result} 1",
            "HGETALL {result}",
            "HGET {run} f",
        ),
    ),
    Need("set aside what can't be processed", ("XADD {dead_letters} MAXLEN ~ 1 * f v",)),
    *_READING,
    Need(
        "dead list, retry and drop",
        ("XRANGE {dead_letters} - + COUNT 1", "XDEL {dead_letters} 0-0", "HDEL {result} f", "XADD {signals} * f v"),
        is_needed=False,
    ),
)


def rights_of(needs: Iterable[Need], keys: Keyspace) -> list[Right]:
    """Return the rights under a namespace, each once, with the first purpose that is named for it.

    Segments count twice: as the only one of a run (`biglist`) and as one of several (`biglist:1`).
    """
    found: dict[tuple[str, ...], Right] = {}
    for need in needs:
        for form in need.forms:
            for command, key in _commands(form, keys):
                found.setdefault(command, Right(command, key, need.purpose, need.is_needed))
    return list(found.values())


def _commands(form: str, keys: Keyspace) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a form with its keys filled in, and the first of them."""
    for segments in (1, 2):
        names = _names(keys, segments)
        parts = [part.format_map(names) for part in form.split(" ")]
        key = next((filled for filled, part in zip(parts, form.split(" "), strict=True) if part[0] == "{"), "")
        yield tuple(parts), key


def _names(keys: Keyspace, segments: int) -> dict[str, str]:
    """Return a key of each kind, in a run of so many segments."""
    segment = keys.segment(1, segments)
    return {
        "user": keys.user("1"),
        "sku": keys.sku("sku123"),
        "cart": keys.cart("1"),
        "segment": segment,
        "state": keys.state(segment),
        "staging": keys.staging(segment, _TOKEN),
        "run": keys.run(_TOKEN),
        "result": keys.result(_TOKEN),
        "signals": keys.signals(),
        "dead_letters": keys.dead_letters(),
        "canary": keys.canary(_TOKEN),
    }
