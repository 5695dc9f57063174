"""Changes that are drawn, several to one list: witness and explanation say what two lists held side by side say."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from server_b.explain.explanation import Explanation
from shared.endpoint.endpoint import Endpoint
from shared.errors import VerificationFailedError
from shared.keys import Keyspace
from shared.verdict import decode_result
from shared.witness import Witness
from tests.stage.explaining import explain
from tests.stage.hand_over_in_process import HandOver
from tests.stage.list_changes import change_list

if TYPE_CHECKING:
    import redis

COUNT, SEGMENTS = 2_500, 3
SEED = 20261127
SEEDS = range(SEED, SEED + 8)  # with three lists each, on both servers
MAX_CHOICES = 256  # of which place of a value is the one where it belongs
Values = list[bytes]


def _strange(rng: random.Random, values: Values) -> bytes:
    """Return a value that may be no number, or one of elsewhere, or of the same list."""
    near = rng.choice(values)
    return rng.choice([
        b"", b" ", near + b" ", b"0" + near, b"+" + near, b"-1", b"0", b"9" * 30, near + b"\xff\x00", near[:-1],
        b"x" * rng.choice([1, 255, 256, 100_000]), b"%d" % (COUNT * SEGMENTS + 7), "١٢".encode(), near,
    ])  # fmt: skip


def _part(rng: random.Random, values: Values) -> tuple[int, int]:
    """Return where a part begins and ends, often at an end of the list or of a block."""
    size = rng.choice([1, 2, 3, 17, 400, 1_000])
    begin = rng.choice([0, 999, 1_000, 1_001, 2_000, max(0, len(values) - size), rng.randrange(len(values))])
    begin = min(begin, len(values) - 1)
    return begin, min(len(values), begin + size)


def _changed(rng: random.Random, values: Values) -> Values:
    begin, end = _part(rng, values)
    to = rng.choice([0, len(values), rng.randrange(len(values))])
    part, rest = values[begin:end], values[:begin] + values[end:]
    ways: list[Callable[[], Values]] = [
        lambda: [*values[:begin], _strange(rng, values), *values[begin + 1 :]],
        lambda: values[:begin] + [_strange(rng, values) for _ in range(rng.choice([1, 2, 30]))] + values[begin:],
        lambda: rest,
        lambda: values[:begin] + part[::-1] + values[end:],
        lambda: values[:to] + part + values[to:],
        lambda: rest[:to] + part + rest[to:],
        lambda: values[:begin] + rng.sample(part, len(part)) + values[end:] if len(part) < 20 else rest,
    ]
    return rng.choice(ways)() or values[:1]


def drawn(seed: int, number: int, values: Values) -> Values:
    """Return a list with one to three changes."""
    rng = random.Random(f"{seed} {number}")
    found = values
    while found == values:
        for _ in range(rng.choice([1, 1, 2, 3])):
            found = _changed(rng, found)
    return found


def _apart(found: Values, given: Values) -> int | None:
    """Return how many values are out of order among those that are there, the fewest; None where that is too many."""
    place = {value: rank for rank, value in enumerate(given)}
    places: dict[bytes, list[int]] = {}
    for position, value in enumerate(found):
        if value in place:
            places.setdefault(value, []).append(position)
    choices = 1
    for each in places.values():
        choices *= len(each)
        if choices > MAX_CHOICES:
            return None
    fewest = len(given)
    for kept in islice(product(*places.values()), MAX_CHOICES):
        order = [place[value] for _, value in sorted(zip(kept, places, strict=True))]
        fewest = min(fewest, sum(one != other for one, other in zip(order, sorted(order), strict=True)))
    return fewest


def _blocks(found: Values, given: Values) -> list[int]:
    """Return the numbers of the blocks of a list that differ."""
    starts = range(0, max(len(found), len(given)), 1_000)
    return [
        number for number, start in enumerate(starts, 1) if found[start : start + 1_000] != given[start : start + 1_000]
    ]


def _require_witness(witness: Witness, found: Values, given: Values, segment: int) -> None:
    wrong = next(i for i in range(len(given) + 1) if found[i : i + 1] != given[i : i + 1])
    before = COUNT * (segment - 1)
    said = witness.as_json()
    copies = Counter(found)
    assert said["missing"] == sum(value not in copies for value in given)
    assert said["doubled"] == sum(copies[value] - 1 for value in given if value in copies)
    assert said["foreign"] == sum(times for value, times in copies.items() if value not in set(given))
    assert said["position"] == before + wrong + 1
    assert said["expected"] == (given[wrong].decode() if wrong < len(given) else None)
    if wrong >= len(found):
        assert said["found"] is None
    elif found[wrong].isascii() and len(found[wrong]) < 200:
        assert said["found"] == found[wrong].decode()
    else:
        assert found[wrong][:100].decode("utf-8", "backslashreplace").startswith(said["found"][:50])
    assert said["kind"] in {
        "short" if len(found) < len(given) else "long" if len(found) > len(given) else "changed",
        "order" if len(found) == len(given) and said["missing"] == said["foreign"] == 0 else "",
    }
    assert said["block"] == _blocks(found, given)[0]
    if (apart := _apart(found, given)) is not None:
        assert said["out_of_order"] == apart


def _require_explained(said: Explanation, lists: dict[int, tuple[Values, Values]]) -> None:
    told: dict[str, Counter[int]] = {kind: Counter() for kind in ("missing", "doubled", "foreign", "moved")}
    for each in said.ranges.kept:
        told[each.kind].update(range(each.first, each.last + 1))
    missing, doubled, foreign = Counter[int](), Counter[int](), Counter[int]()
    for segment, (found, given) in lists.items():
        first, copies = COUNT * (segment - 1) + 1, Counter(found)
        place = {value: first + rank for rank, value in enumerate(given)}
        missing.update(place[value] for value in given if value not in copies)
        doubled.update({place[value]: copies[value] - 1 for value in given if copies[value] > 1})
        foreign.update(first + position for position, value in enumerate(found) if value not in place)
    assert (told["missing"], told["doubled"], told["foreign"]) == (missing, doubled, foreign)
    assert not said.ranges.left_out
    for segment, (found, given) in lists.items():  # without what is called moved, the others follow each other
        first = COUNT * (segment - 1) + 1
        moved = {given[number - first] for number in told["moved"] if first <= number < first + COUNT}
        if not doubled:  # else which of two copies is the moved one is not told by its value
            place, ours = {value: rank for rank, value in enumerate(given)}, set(given) - moved
            ranks = [place[value] for value in found if value in ours]
            is_in_order = ranks == sorted(ranks)
            assert is_in_order, moved


@pytest.mark.parametrize("source", ["numbers", "lines"])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_is_what_was_changed(
    *, seed: int, source: str, hand_over: HandOver, client: redis.Redis, endpoint: Endpoint, keys: Keyspace,
    tmp_path: Path,
) -> None:  # fmt: skip
    given = [b"%d" % number for number in range(1, COUNT * SEGMENTS + 1)]
    file = None
    if source == "lines":
        given = [b"line %d" % number for number in range(COUNT * SEGMENTS)]
        file = tmp_path / "lines"
        file.write_bytes(b"\n".join(given) + b"\n")
    sizes = {"values": str(file)} if file else {"count": COUNT * SEGMENTS}
    run_id = hand_over.produce(segment_values=COUNT, **sizes).run_id
    lists: dict[int, tuple[Values, Values]] = {}
    for segment in range(1, SEGMENTS + 1):
        part = given[COUNT * (segment - 1) : COUNT * segment]
        lists[segment] = (drawn(seed, segment, part), part)
        change_list(client, keys, segment, lambda _, found=lists[segment][0]: found)  # type: ignore[misc]
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    recorded = decode_result(cast("dict[bytes, bytes]", client.hgetall(keys.result(run_id))))
    for segment, (found, part) in lists.items():
        witness = recorded[segment].witness
        assert witness is not None
        if file:
            assert (witness.block, witness.missing) == (_blocks(found, part)[0], None)
        else:
            _require_witness(witness, found, part, segment)
    _require_explained(explain(endpoint, keys, run_id, file), lists)
