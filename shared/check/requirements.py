"""What each program requires: every command it sends, on a key of every kind it sends it to.

`check` asks the server for each command, and the tests compare deploy/acl with this file, so a new command can't be
forgotten in either. The commands are written as they are sent, with `{kind}` for a key that `Keyspace` builds.

AUTH and HELLO are not listed, because every connection may send them; nor are SELECT and, on a cluster, CLUSTER SLOTS,
because a connection that needs them fails at once without them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """Commands that a program sends for one purpose."""

    purpose: str
    commands: str  # as they are sent, separated by `; `
    is_needed: bool = True  # by `run`; False for what only other commands of the program, or options, send


def _each(names: str, kinds: str) -> str:
    """Return every command of these names on a key of every one of these kinds."""
    return "; ".join(f"{name} {{{kind}}}" for kind in kinds.split() for name in names.split())


SERVER_A = (
    Requirement("name the run and its attempts", "TIME"),
    Requirement("decide and write in one transaction", "MULTI; EXEC; UNWATCH"),
    Requirement(
        "write the shop", f"{_each('EXISTS', 'user sku cart')}; HSET {{user}} f v; HSET {{sku}} f v; HSET {{cart}} f v"
    ),
    Requirement("write a segment", "LPUSH {staging} v; LPUSHX {staging} v; EXPIRE {staging} 1; UNLINK {staging}"),
    Requirement("look what is published", "HMGET {state} f; EXISTS {state}; LLEN {segment}; TYPE {segment}"),
    Requirement(
        "publish a segment",
        "WATCH {staging} {state} {segment}; LLEN {staging}; UNLINK {segment}; RENAME {staging} {segment}; "
        "PERSIST {segment}; UNLINK {state}; HSET {state} f v",
    ),
    Requirement("remove what an older run left", "WATCH {state} {segment}; PEXPIRE {state} 1"),
    Requirement(
        "record the run",
        "HSET {run} f v; HSETNX {run} f v; HDEL {run} f; PEXPIRE {run} 1; HMGET {run} f",
    ),
    Requirement(
        "signal to server-b",
        "XINFO GROUPS {signals}; XREVRANGE {signals} + - COUNT 1; XADD {signals} MINID = 0 * f v; XRANGE {signals} 0 0",
    ),
    Requirement("recognise a list whose state was evicted", "LRANGE {segment} 0 0", is_needed=False),
    Requirement("run's comparison of memory before it writes", "INFO memory", is_needed=False),
    Requirement("run --resume and --await-verdict-s", "HMGET {result} f", is_needed=False),
    Requirement("run --min-replicas", "WAIT 0 1", is_needed=False),
    Requirement(
        "user, sku and cart",
        "HLEN {user}; HMGET {user} f; HSCAN {user} 0; HLEN {sku}; HMGET {sku} f; HSCAN {sku} 0; "
        f"{_each('UNLINK WATCH', 'user sku cart')}; "
        "HLEN {cart}; HSCAN {cart} 0; HINCRBY {cart} f 1; HDEL {cart} f",
        is_needed=False,
    ),
    Requirement("user list, sku list and status", "SCAN 0", is_needed=False),
    Requirement(
        "status",
        "XINFO CONSUMERS {signals} g; XLEN {signals}; XLEN {dead_letters}; XREVRANGE {dead_letters} + - COUNT 1; "
        "XRANGE {dead_letters} - + COUNT 1; HLEN {result}",
        is_needed=False,
    ),
    Requirement("check --peer-url", "HSET {canary} f v; PEXPIRE {canary} 1; UNLINK {canary}", is_needed=False),
)

SERVER_A_PURGE = (
    Requirement("look at the server's clock", "TIME"),
    Requirement("find what both programs wrote", "SCAN 0; DBSIZE"),
    Requirement("look and remove in one transaction", "MULTI; EXEC; UNWATCH"),
    Requirement(
        "remove records, states and probes", f"{_each('WATCH HMGET UNLINK', 'run state canary')}; HLEN {{canary}}"
    ),
    Requirement("remove results, and how far readings are", _each("WATCH HSCAN UNLINK", "result reading")),
    Requirement("remove lists", f"{_each('WATCH TYPE LLEN LRANGE UNLINK', 'segment')}; EXISTS {{state}}"),
    Requirement("remove signals and dead letters", _each("WATCH TYPE XRANGE XREVRANGE UNLINK", "signals dead_letters")),
    Requirement("tell whose an empty stream is", "XINFO GROUPS {signals}; XINFO GROUPS {dead_letters}"),
    Requirement(
        "empty a stream that others have groups in",
        "XTRIM {signals} MAXLEN 0; XTRIM {dead_letters} MAXLEN 0; XGROUP DESTROY {signals} g; "
        "XGROUP CREATE {signals} g $",
    ),
    Requirement(
        "remove the shop",
        f"{_each('WATCH HLEN HMGET UNLINK', 'user sku')}; {_each('WATCH HLEN HSCAN UNLINK', 'cart')}",
        is_needed=False,
    ),
)

_READING = (
    Requirement("look at the server's clock", "TIME"),
    Requirement("keep a connection alive", "PING"),
    Requirement("find the newest signal", "XREVRANGE {signals} + - COUNT 1"),
    Requirement("wait for the list", "HMGET {state} f"),
    Requirement(
        "read the list and notice any change to it",
        "MULTI; EXEC; WATCH {segment} {state}; LLEN {segment}; LRANGE {segment} 0 0",
    ),
    Requirement("read what the run was to write", "HMGET {run} f"),
    Requirement("show the carts", "HLEN {cart}; HSCAN {cart} 0; HMGET {sku} f"),
    Requirement("read", "EXISTS {segment}", is_needed=False),
    Requirement(
        "status",
        "XINFO GROUPS {signals}; XINFO CONSUMERS {signals} g; XRANGE {signals} - + COUNT 1; XLEN {signals}; "
        "XLEN {dead_letters}; XREVRANGE {dead_letters} + - COUNT 1; XRANGE {dead_letters} - + COUNT 1; "
        "HLEN {result}; HMGET {result} f",
        is_needed=False,
    ),
    Requirement(
        "report",
        "XRANGE {signals} - + COUNT 1; XREVRANGE {dead_letters} + - COUNT 1; HMGET {reading} f",
        is_needed=False,
    ),
    Requirement("server-a check --peer-url", "HGET {canary} f", is_needed=False),
)

# The user `page` may do no more than this: it reads, and changes nothing. No `check` asks for it, nor for what
# `dead retry` needs; page.acl and retry.acl of deploy/acl are held against these two.
SERVER_B_PAGE = (
    Requirement("look at the server's clock", "TIME"),
    Requirement(
        "find the runs and look at the group",
        "XLEN {signals}; XRANGE {signals} - + COUNT 1; XREVRANGE {signals} + - COUNT 1; XINFO GROUPS {signals}; "
        "XINFO CONSUMERS {signals} g",
    ),
    Requirement("show records, states and lengths", "HMGET {run} f; HMGET {state} f; LLEN {segment}"),
    Requirement("show how far readings are", "HMGET {reading} f"),
    Requirement("show verdicts", "HLEN {result}; HMGET {result} f"),
    Requirement("show dead letters", "XLEN {dead_letters}; XREVRANGE {dead_letters} + - COUNT 1"),
    Requirement("show the carts", "HLEN {cart}; HSCAN {cart} 0; HMGET {sku} f"),
)

_FOLLOWING = "XREAD COUNT 1 STREAMS {signals} 0"

SERVER_B_FOLLOW = (Requirement("follow the signals", _FOLLOWING), *_READING)

SERVER_B_GROUP = (
    Requirement(
        "share the signals in a consumer group",
        "XRANGE {signals} - + COUNT 1; XINFO GROUPS {signals}; XINFO CONSUMERS {signals} g; XLEN {signals}; "
        "XGROUP CREATE {signals} g 0 MKSTREAM; XGROUP DELCONSUMER {signals} g c; "
        "XREADGROUP GROUP g c COUNT 1 STREAMS {signals} >; XAUTOCLAIM {signals} g c 1 0 COUNT 1; "
        "XPENDING {signals} g - + 1; EVAL x 1 {signals}; XCLAIM {signals} g c 0 0-0 JUSTID; XACK {signals} g 0-0",
    ),
    Requirement(
        "keep a name of --consumer to one process",
        "EVAL x 2 {signals} {consumer}; GET {consumer}; SET {consumer} v PX 1",
        is_needed=False,
    ),
    Requirement(
        "record a verdict",
        "WATCH {result}; UNWATCH; HGET {result} f; HSCAN {result} 0; HSET {result} f v; HLEN {result}; "
        "PEXPIRE {result} 1; HMGET {result} f",
    ),
    Requirement(
        "tell the page how far a reading is",
        "EVAL x 1 {reading}; HRANDFIELD {reading} 100 WITHVALUES; HDEL {reading} f; HSET {reading} f v; "
        "PEXPIRE {reading} 1",
        is_needed=False,
    ),
    Requirement(
        "set aside what can't be processed, until it is repaired",
        "WATCH {dead_letters}; XRANGE {dead_letters} - + COUNT 1; XREVRANGE {dead_letters} + - COUNT 1; "
        "XADD {dead_letters} MAXLEN ~ 1 * f v; XDEL {dead_letters} 0-0",
    ),
    Requirement("follow when the server becomes a replica", _FOLLOWING, is_needed=False),
    *_READING,
    Requirement("dead list and drop", "XDEL {dead_letters} 0-0", is_needed=False),
)

SERVER_B_RETRY = (
    Requirement("signal again in one transaction", "MULTI; EXEC; UNWATCH; WATCH {dead_letters} {result}"),
    Requirement(
        "tell whose the streams are", "XINFO GROUPS {signals}; XRANGE {signals} - + COUNT 1; XREVRANGE {signals} + -"
    ),
    Requirement("recognise signals that were changed on the way", "HMGET {state} f; HMGET {run} f"),
    Requirement(
        "take a dead letter", "XRANGE {dead_letters} - +; XREVRANGE {dead_letters} + -; XDEL {dead_letters} 0-0"
    ),
    Requirement("forget its verdict", "HGET {result} f; HDEL {result} f"),
    Requirement("signal it again", "XADD {signals} * f v"),
)
