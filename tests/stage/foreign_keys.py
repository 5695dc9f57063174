"""Somebody else's data under our names: random keys that hold anything but what the programs write there.

Many come close to ours: a field is missing, malformed or too many.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN

if TYPE_CHECKING:
    import redis

Random = random.Random
SIGNAL = Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode()
STATE = SegmentState(OLDER, RUN, 10, DIGEST).encode()
LETTER = {"origin": "1-1", "reason": "r", "consumer": "c"}
VERDICT = '{"verdict":"verified","attempt":"' + RUN + '","segment":1}'


def word(rng: Random) -> str:
    """Return a word, a number or bytes as somebody may store them."""
    return rng.choice(
        ["", "1", "-1", "42", "theirs", "ä€", "{}", "null", RUN, OLDER, "9" * 40, "x" * rng.randint(1, 300)]
    )


def fields(rng: Random) -> dict[str, str]:
    """Return fields of others."""
    names = ["alarm", "colour", "email", "stock", "id", "1", "2", "item-1", "price", "name", "run_id", "sent", "origin"]
    return {name: word(rng) for name in rng.sample(names, rng.randint(1, 4))}


def spoilt(rng: Random, ours: dict[str, str], needed: Iterable[str]) -> dict[str, str]:
    """Return our fields without one that makes them ours, or with nonsense in it."""
    name = rng.choice(sorted(needed))
    found = {**ours, name: rng.choice(["", "theirs", "-1", "0x1", RUN[:-1], RUN.upper()])}
    return found if rng.random() < 0.5 else {key: value for key, value in found.items() if key != name}


def make_other_type(client: redis.Redis, key: str, rng: Random, *, but: str) -> None:
    """Put something of others under a name, of any type but one."""
    makers: dict[str, Callable[[], Any]] = {
        "string": lambda: client.set(key, word(rng)),
        "list": lambda: client.rpush(key, *(word(rng) for _ in range(rng.randint(1, 20)))),
        "set": lambda: client.sadd(key, word(rng), "theirs"),
        "zset": lambda: client.zadd(key, {word(rng): 1.5, "theirs": 2}),
        "hash": lambda: client.hset(key, mapping=fields(rng)),  # type: ignore[arg-type]
        "stream": lambda: client.xadd(key, fields(rng)),  # type: ignore[arg-type]
    }
    makers[rng.choice(sorted(makers.keys() - {but}))]()


def _stream(client: redis.Redis, key: str, rng: Random, near: Callable[[], dict[str, str]]) -> None:
    for _ in range(rng.choice([1, 2, 99, 101, 250])):
        client.xadd(key, near() if rng.random() < 0.3 else fields(rng))  # type: ignore[arg-type]
    for group in rng.sample(["server-b", "workers", "g"], rng.randint(0, 2)):
        client.xgroup_create(key, group, id="0")
        if rng.random() < 0.5:
            client.xreadgroup(group, "their consumer", {key: ">"}, count=1)


def _hash(client: redis.Redis, key: str, rng: Random, near: Callable[[], dict[str, str]]) -> None:
    client.hset(key, mapping=near() if rng.random() < 0.6 else fields(rng))  # type: ignore[arg-type]


def _user(rng: Random) -> dict[str, str]:
    return {"first_name": "A", "last_name": "B", rng.choice(["email", "id", "x"]): word(rng)}


def _sku(rng: Random) -> dict[str, str]:
    with_more = {"name": "Lamp", "price": "10.00", "stock": "9"}
    return rng.choice([with_more, {"name": "Lamp", "price": "ten"}, {"name": "Lamp"}, {"name": "L", "price": "1e3"}])


def make_foreign(client: redis.Redis, keys: Keyspace, kind: str, rng: Random) -> str:
    """Put somebody else's data under the name of a key of this kind, and return the name."""
    key = {
        "signals": keys.signals(),
        "dead_letters": keys.dead_letters(),
        "state": keys.state(keys.segment(1)),
        "segment": keys.segment(1),
        "run": keys.run(RUN),
        "result": keys.result(RUN),
        "reading": keys.reading(),
        "canary": keys.canary(RUN),
        "staging": keys.staging(keys.segment(1), RUN),
        "user": keys.user("42"),
        "sku": keys.sku("book"),
        "cart": keys.cart("42"),
    }[kind]
    ours = {"schema_version": "1", "run_id": RUN}
    near: dict[str, Callable[[], dict[str, str]]] = {
        "signals": lambda: spoilt(rng, SIGNAL, ("schema_version", "run_id", "segment")),
        "dead_letters": lambda: spoilt(rng, LETTER, ("origin",)),
        "state": lambda: spoilt(rng, STATE, STATE),
        "run": lambda: spoilt(rng, ours, ours),
        "result": lambda: {"1": VERDICT.replace("verified", word(rng).strip("\\") + "!"), "2": "{}"},
        "reading": lambda: {"b": f"{RUN} 1 5 1577836800000", "c": f"{RUN} 1 {word(rng)}"},
        "canary": lambda: {"sent": "theirs", "more": word(rng)},
        "user": lambda: _user(rng),
        "sku": lambda: _sku(rng),
        "cart": lambda: {f"item{number}": str(rng.randint(1, 9)) for number in range(rng.randint(1, 4))},
    }
    if kind in ("segment", "staging"):
        make_other_type(client, key, rng, but="")
    elif rng.random() < 0.2:
        make_other_type(client, key, rng, but="stream" if kind in ("signals", "dead_letters") else "hash")
    elif kind in ("signals", "dead_letters"):
        _stream(client, key, rng, near[kind])
    else:
        _hash(client, key, rng, near[kind])
    if rng.random() < 0.3:
        client.pexpire(key, 3_600_000)
    return key


def snapshot(client: redis.Redis, names: Iterable[str]) -> dict[str, object]:
    """Return all that can be seen of keys: type, contents with groups and pending entries, and whether they expire."""
    return {name: (client.type(name), client.dump(name), client.pttl(name) > 0) for name in names}
