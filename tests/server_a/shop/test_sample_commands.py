"""What is packed for the sample is what packing each command by itself gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server_a.shop.sample import Sample, sample_cart, sample_name, sample_sku
from server_a.shop.sample_commands import SampleCommands, text_of
from shared.endpoint.batch_connection import pack
from shared.keys import Keyspace
from shared.shop.records import User


def expected(keys: Keyspace, sample: Sample, record: int) -> tuple[str, dict[str, str] | dict[str, int]]:
    """Return key and fields of a record, made one at a time."""
    if record < sample.skus:
        sku = sample_sku(sample.seed, record + 1)
        return keys.sku(sku.sku_id), sku.encode()
    number = record - sample.skus + 1
    if number <= sample.users:
        return keys.user(str(number)), User("", *sample_name(sample.seed, number)).encode()
    number -= sample.users
    return keys.cart(str(number)), sample_cart(sample.seed, number, skus=sample.skus)


@given(
    st.sampled_from(["", "shop1", "a_b-c"]),
    st.tuples(st.integers(1, 1_200), st.integers(0, 1_200), st.integers(0, 1_200), st.integers(0, 2**31 - 1)),
    st.data(),
)
def test_commands_are_those_of_each_record(namespace: str, size: tuple[int, ...], data: st.DataObject) -> None:
    keys, sample = Keyspace(namespace), Sample(skus=size[0], users=size[1], carts=size[2], seed=size[3])
    first = data.draw(st.integers(0, sample.records - 1))
    batch = range(first, min(first + 1_000, sample.records))
    chosen = sorted(data.draw(st.sets(st.sampled_from(batch), min_size=1, max_size=30)))
    commands = SampleCommands(keys, sample)
    for records in (batch, chosen):
        found = commands.keys(records)
        wanted = [expected(keys, sample, record) for record in records]
        assert [text_of(key) for key in found] == [key for key, _ in wanted]
        assert commands.how_many_exist(found) == pack("EXISTS", *(key for key, _ in wanted))
        assert commands.exist(found) == b"".join(pack("EXISTS", key) for key, _ in wanted)
        flat = [(key, [part for pair in fields.items() for part in pair]) for key, fields in wanted]
        assert commands.hset(records) == b"".join(pack("HSET", key, *parts) for key, parts in flat)
