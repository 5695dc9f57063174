"""How each key is spelled, which keys are ours, and which of them share a slot of a cluster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from shared.keys import RESERVED_NAMESPACES, Keyspace

PLAIN = Keyspace()
SHOP = Keyspace("shop1")
RUN_ID = "20261122T205801123Z-3f9a1c"

ids = st.text("ABCXYZabcxyz0189_-", min_size=1, max_size=64)
namespaces = st.just("") | ids
segment_numbers = st.integers(1, 100_000)
tokens = st.from_regex(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}", fullmatch=True, alphabet="0123456789TZ-abcdef")


def test_user() -> None:
    assert (PLAIN.user("1"), SHOP.user("1")) == ("user:1", "shop1:user:1")


def test_sku() -> None:
    assert (PLAIN.sku("sku123"), SHOP.sku("sku123")) == ("sku:sku123", "shop1:sku:sku123")


def test_cart() -> None:
    assert (PLAIN.cart("1"), SHOP.cart("1")) == ("cart:1", "shop1:cart:1")


def test_first_segment() -> None:
    assert (PLAIN.segment(1), SHOP.segment(1)) == ("biglist", "shop1:biglist")


def test_segment_behind_the_first() -> None:
    assert (PLAIN.segment(2), SHOP.segment(3)) == ("biglist:2", "shop1:biglist:3")


def test_state_of_the_first_segment() -> None:
    assert PLAIN.state(PLAIN.segment(1)) == "{biglist}:state"
    assert SHOP.state(SHOP.segment(1)) == "{shop1:biglist}:state"


def test_state_of_a_segment_behind_the_first() -> None:
    assert PLAIN.state(PLAIN.segment(3)) == "{biglist:3}:state"
    assert SHOP.state(SHOP.segment(3)) == "{shop1:biglist:3}:state"


def test_staging_of_the_first_segment() -> None:
    assert PLAIN.staging(PLAIN.segment(1), RUN_ID) == "{biglist}:staging:20261122T205801123Z-3f9a1c"
    assert SHOP.staging(SHOP.segment(1), RUN_ID) == "{shop1:biglist}:staging:20261122T205801123Z-3f9a1c"


def test_staging_of_a_segment_behind_the_first() -> None:
    assert PLAIN.staging(PLAIN.segment(3), RUN_ID) == "{biglist:3}:staging:20261122T205801123Z-3f9a1c"
    assert SHOP.staging(SHOP.segment(3), RUN_ID) == "{shop1:biglist:3}:staging:20261122T205801123Z-3f9a1c"


def test_run() -> None:
    assert PLAIN.run(RUN_ID) == "run:20261122T205801123Z-3f9a1c"
    assert SHOP.run(RUN_ID) == "shop1:run:20261122T205801123Z-3f9a1c"


def test_signals() -> None:
    assert (PLAIN.signals(), SHOP.signals()) == ("signals", "shop1:signals")


def test_result() -> None:
    assert PLAIN.result(RUN_ID) == "{signals}:result:20261122T205801123Z-3f9a1c"
    assert SHOP.result(RUN_ID) == "{shop1:signals}:result:20261122T205801123Z-3f9a1c"


def test_dead_letters() -> None:
    assert (PLAIN.dead_letters(), SHOP.dead_letters()) == ("{signals}:dead", "{shop1:signals}:dead")


def test_consumer() -> None:
    assert (PLAIN.consumer("b 1"), SHOP.consumer("b")) == ("{signals}:consumer:b 1", "{shop1:signals}:consumer:b")


def test_reading() -> None:
    assert (PLAIN.reading(), SHOP.reading()) == ("{signals}:reading", "{shop1:signals}:reading")


def _all_keys(keys: Keyspace, an_id: str, token: str, segment: int) -> dict[str, str]:
    """Return one key of each kind."""
    segment_key = keys.segment(segment)
    return {
        "user": keys.user(an_id),
        "sku": keys.sku(an_id),
        "cart": keys.cart(an_id),
        "segment": segment_key,
        "state": keys.state(segment_key),
        "staging": keys.staging(segment_key, token),
        "run": keys.run(token),
        "signals": keys.signals(),
        "result": keys.result(token),
        "dead_letters": keys.dead_letters(),
        "consumer": keys.consumer("b"),
        "reading": keys.reading(),
        "canary": keys.canary(token),
    }


def test_what_begins_a_key_of_ours_is_no_namespace() -> None:
    begin = {key.strip("{").partition(":")[0].strip("}") for key in _all_keys(PLAIN, "1", RUN_ID, 1).values()}
    assert begin == set(RESERVED_NAMESPACES)


@given(namespaces, ids, tokens, segment_numbers)
def test_every_key_is_known_by_its_kind(namespace: str, an_id: str, token: str, segment: int) -> None:
    keys = Keyspace(namespace)
    for kind, key in _all_keys(keys, an_id, token, segment).items():
        assert keys.kind_of(key) == kind


@given(ids, ids, tokens, segment_numbers)
def test_a_namespace_owns_no_keys_of_others(namespace: str, an_id: str, token: str, segment: int) -> None:
    for key in _all_keys(Keyspace(namespace + "_"), an_id, token, segment).values():
        assert Keyspace(namespace).kind_of(key) is None
    for key in _all_keys(PLAIN, an_id, token, segment).values():
        assert Keyspace(namespace).kind_of(key) is None


FOREIGN_KEYS = [
    "",
    "user",
    "user:",
    "user:1:profile",
    "user:1 ",
    " user:1",
    "user:1\n",
    "USER:1",
    "user:é",
    "user:٣",
    "user:*",
    "user:{1}",
    "user:" + "x" * 65,
    "users:1",
    "shop1:user:1",
    "sku:",
    "sku:a:b",
    "cart:1:lines",
    "biglist:",
    "biglist:0",
    "biglist:1",
    "biglist:01",
    "biglist:-1",
    "biglist:+1",
    "biglist:1:2",
    "biglist:٣",
    "biglist:x",
    "biglists",
    "mybiglist",
    "{biglist}",
    "{biglist}:",
    "{biglist}:state:x",
    "{biglist}:states",
    "{biglist:0}:state",
    "{biglist:1}:state",
    "biglist:state",
    "{biglist:1:state",
    "{mybiglist}:state",
    f"{{biglist}}:staging:{RUN_ID}:x",
    "{biglist}:staging",
    "{biglist}:staging:",
    "{biglist}:staging:1",
    f"{{biglist}}:staging:{RUN_ID.upper()}",
    f"{{other}}:staging:{RUN_ID}",
    "run:1",
    "run:",
    f"run:{RUN_ID}:x",
    f"run:{RUN_ID}\n",
    f"result:{RUN_ID}",
    f"{{signals}}:result:{RUN_ID[:-1]}",
    f"{{signals}}:result:{RUN_ID}0",
    f"{{other}}:result:{RUN_ID}",
    "{signals}:dead:1",
    "{signals}:reading:b",
    "signals:reading",
    "signals:dead",
    "signals:",
    "signals:1",
    "signals:deadly",
    "signals\n",
    "signal",
]


@pytest.mark.parametrize("key", FOREIGN_KEYS)
def test_other_keys_are_nobodys(key: str) -> None:
    assert PLAIN.kind_of(key) is None
    assert SHOP.kind_of(f"shop1:{key}") is None
    assert SHOP.kind_of(key) is None or key == "shop1:user:1"


_PIECES = ["user", "sku", "cart", "biglist", "run", "result", "signals", "dead", "state", "staging", RUN_ID, "shop1"]
_PIECES += [":", "{", "}", "{signals}", "0", "1", "42", "-", "_", "é", "\n", " ", "x" * 64]


@given(st.lists(st.sampled_from(_PIECES), max_size=8).map("".join), st.sampled_from(["", "shop1"]))
def test_whatever_is_taken_for_ours_is_spelled_by_a_function(key: str, namespace: str) -> None:
    keys = Keyspace(namespace)
    kind = keys.kind_of(key)
    if kind is not None:
        last = key.rpartition(":")[2]
        inner = key.removeprefix("{").partition("}")[0].removeprefix(keys.prefix)
        number = int(inner.partition(":")[2]) if inner.startswith("biglist:") else 1
        assert _all_keys(keys, last, last, number)[kind] == key


@given(namespaces, tokens, segment_numbers)
def test_segment_state_and_staging_share_a_slot(namespace: str, token: str, segment: int) -> None:
    keys = Keyspace(namespace)
    name = keys.segment(segment)
    slots = {key_slot(key.encode()) for key in (name, keys.state(name), keys.staging(name, token))}
    assert len(slots) == 1


@pytest.mark.parametrize("keys", [PLAIN, SHOP])
def test_segments_spread_over_a_cluster(keys: Keyspace) -> None:
    thirds = [key_slot(keys.segment(number).encode()) * 3 // 16_384 for number in range(1, 31)]
    assert all(thirds.count(third) >= 3 for third in range(3))
