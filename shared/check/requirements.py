"""What each program needs: every command it sends, on a key of every kind it sends it to, as data in one place.

`check` asks the server for each of them and the tests compare the files of deploy/acl with them, so neither can be
forgotten when a program learns a new command. The commands stand as they are sent, with `{kind}` for a key that
`Keyspace` builds, so that a reader can compare them with the code by eye.

What every connection is allowed anyway (AUTH, HELLO) is missing here, and so is what only some connections send before
they can be used, which fail at once without it: SELECT, and on a cluster CLUSTER SLOTS.
"""

from __future__ import annotations

from dataclasses import dataclass


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


SERVER_A = (
    Need("name the run and its attempts", ("TIME",)),
    Need("decide and write in one transaction", ("MULTI", "EXEC", "UNWATCH")),
    Need("write the shop", ("HSET {user} f v", "HSET {sku} f v", "HSET {cart} f v")),
    Need(
        "write a segment",
        ("LPUSH {staging} v", "LPUSHX {staging} v", "EXPIRE {staging} 1", "UNLINK {staging}"),
    ),
    Need("look what is published", ("HMGET {state} f", "LLEN {segment}", "EXISTS {segment}")),
    Need(
        "publish a segment",
        (
            "WATCH {staging} {state} {segment}",
            "LLEN {staging}",
            "UNLINK {segment}",
            "RENAME {staging} {segment}",
            "PERSIST {segment}",
            "UNLINK {state}",
            "HSET {state} f v",
        ),
    ),
    Need("remove what an older run left", ("WATCH {state} {segment}", "PEXPIRE {state} 1")),
    Need(
        "record the run",
        ("HSET {run} f v", "HSETNX {run} f v", "HDEL {run} f", "PEXPIRE {run} 1", "HGETALL {run}", "HMGET {run} f"),
    ),
    Need("signal to server-b", ("TYPE {signals}", "XADD {signals} MINID = 0 * f v", "XRANGE {signals} 0 0")),
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
    Need("user list, sku list, status and purge", ("SCAN 0",), is_needed=False),
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
            *(f"{name} {{{kind}}}" for kind in ("user", "sku", "cart", "run", "result", "canary")
              for name in ("TYPE", "HGETALL", "UNLINK")),
            *(f"{name} {{{kind}}}" for kind in ("state", "staging", "signals", "dead_letters")
              for name in ("TYPE", "UNLINK")),
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
    Need("follow the signals", ("XREAD COUNT 1 STREAMS {signals} 0",)),
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
        ),
    ),
    Need(
        "set aside what can't be processed",
        ("WATCH {dead_letters}", "XREVRANGE {dead_letters} + - COUNT 1", "XADD {dead_letters} MAXLEN ~ 1 * f v"),
    ),
    Need("follow when the server becomes a replica", ("XREAD COUNT 1 STREAMS {signals} 0",), is_needed=False),
    *_READING,
    Need(
        "dead list, retry and drop",
        ("XRANGE {dead_letters} - + COUNT 1", "XDEL {dead_letters} 0-0", "HDEL {result} f", "XADD {signals} * f v"),
        is_needed=False,
    ),
)
