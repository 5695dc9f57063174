"""The shop commands as users run them: what they print, their exit codes, and one sentence for whatever is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from tests.stage.programs import Finished, run_program

if TYPE_CHECKING:
    import redis

ServerA = Callable[..., Finished]


@pytest.fixture(params=["valkey9"])
def server_kind(request: pytest.FixtureRequest) -> str:
    """Valkey alone: tests/server_a/shop has the shop on both servers, and each process costs a third of a second."""
    return str(request.param)


@pytest.fixture
def server_a(server: Server, namespace: str) -> ServerA:
    """Run server-a in the test's namespace of the shared server."""
    return lambda *arguments: run_program("server-a", *arguments, server=server, namespace=namespace)


@pytest.fixture
def sample(server_a: ServerA) -> ServerA:
    """The same, with the exercise's shop in the namespace, made by hand."""
    for command in (
        ("user", "add", "1", "--first-name", "Parker", "--last-name", "Perry"),
        ("sku", "add", "sku123", "--name", "AirPods", "--price", "199.99"),
        ("sku", "add", "sku456", "--name", "Mechanical Keyboard", "--price", "89.99"),
        ("cart", "add", "1", "sku123"),
        ("cart", "add", "1", "sku456"),
    ):
        assert server_a(*command).exit_code == 0
    return server_a


def assert_refused(finished: Finished, exit_code: int, *parts: str) -> None:
    """Check that a program said what is wrong in one sentence on stderr, and nothing else."""
    lines = finished.stderr.splitlines()
    assert finished.exit_code == exit_code, finished.stderr
    assert finished.stdout == ""
    assert len(lines) == 1
    assert lines[0].startswith("server-a: ")
    assert lines[0].isprintable()
    assert all(part in lines[0] for part in parts), lines[0]


def test_the_exercise_by_hand(sample: ServerA, client: redis.Redis, namespace: str) -> None:
    assert sample("cart", "show", "1").stdout.splitlines()[-1].split() == ["total", "289.98"]
    added = sample("cart", "add", "1", "sku123").stdout.splitlines()
    assert added[0] == "Added 1 \N{MULTIPLICATION SIGN} AirPods to cart 1."
    assert added[-1].split() == ["total", "489.97"]
    removed = sample("cart", "remove", "1", "sku123", "--quantity", "5").stdout.splitlines()
    assert removed[0] == "Removed 2 \N{MULTIPLICATION SIGN} AirPods from cart 1."
    assert removed[-1].split() == ["total", "89.99"]
    assert client.hgetall(f"{namespace}:cart:1") == {b"sku456": b"1"}


def test_records_are_shown_and_listed(sample: ServerA) -> None:
    assert sample("user", "show", "1").stdout == "User 1:\n  first_name  Parker\n  last_name   Perry\n"
    assert sample("user", "list").stdout.split() == ["1", "Parker", "Perry"]
    assert sample("sku", "show", "sku123").stdout == "SKU sku123:\n  name   AirPods\n  price  199.99\n"
    assert [line.split()[:2] for line in sample("sku", "list").stdout.splitlines()] == [
        ["sku123", "199.99"],
        ["sku456", "89.99"],
    ]


def test_removed_skus_and_users(sample: ServerA) -> None:
    assert sample("sku", "remove", "sku123").stdout == "Removed SKU sku123.\n"
    shown = sample("cart", "show", "1").stdout.splitlines()
    assert "no longer sold" in shown[1]
    assert shown[-1].split() == ["total", "89.99", "(without", "1", "line)"]
    assert sample("user", "remove", "1").exit_code == 0
    assert_refused(sample("cart", "show", "1"), 2, "user 1")


def test_an_empty_shop_lists_nothing(server_a: ServerA) -> None:
    assert server_a("user", "list") == server_a("sku", "list") == Finished(0, b"", b"")


USER = ("user", "add", "1", "--first-name", "F", "--last-name", "L")
SKU = ("sku", "add", "s", "--name", "n", "--price", "1")
CART = ("cart", "add", "1", "sku123", "--quantity", "1")


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        *[((*SKU[:-1], price), "--price") for price in ("NaN", "1e999999", "-1", "٣", "9223372036854775808", "1.234")],
        *[((*CART[:-1], quantity), "--quantity") for quantity in ("NaN", "0", "-1", "٣", "9223372036854775808", "")],
        *[
            ((*USER[:4], name, *USER[5:]), "--first-name")
            for name in ("", " ", "a\nb", "\x1b[31m", "\u202eb", "\udcff")
        ],
        *[(("user", "show", user_id), "user ID") for user_id in ("", "a b", "*", "é", "x" * 65, "a\n")],
        (("cart", "remove", "1", "a:b"), "SKU ID"),
        (("sku", "remove", "../1"), "SKU ID"),
    ],
)
def test_hostile_input_is_refused_before_anything_is_sent(arguments: tuple[str, ...], where: str) -> None:
    nobody_listens = "redis://127.0.0.1:1/0"
    assert_refused(run_program("server-a", *arguments, server=nobody_listens), 2, where)


def test_unknown_users_and_skus_are_errors(sample: ServerA) -> None:
    assert_refused(sample("cart", "add", "9", "sku123"), 2, "user 9")
    assert_refused(sample("cart", "add", "1", "none"), 2, "SKU none")
    assert_refused(sample("cart", "remove", "1", "none"), 2, "cart 1", "none")
    assert_refused(sample("user", "show", "9"), 2, "user 9")
    assert_refused(sample("sku", "remove", "none"), 2, "SKU none")


def test_a_key_of_another_type_is_one_sentence(sample: ServerA, client: redis.Redis, namespace: str) -> None:
    client.set(f"{namespace}:cart:1", "a string")
    for arguments in (("show", "1"), ("add", "1", "sku123"), ("remove", "1", "sku123")):
        assert_refused(sample("cart", *arguments), 78, f"{namespace}:cart:1")


def test_fields_of_others_are_shown_as_they_are(sample: ServerA, client: redis.Redis, namespace: str) -> None:
    client.hset(f"{namespace}:user:1", mapping={b"nick": b"PP", b"\xff": b"\x1b[31m"})
    assert sample("user", "show", "1").stdout.splitlines()[3:] == ["  \\xff        \\x1b[31m", "  nick        PP"]


def test_ten_removals_at_once(sample: ServerA, client: redis.Redis, namespace: str) -> None:
    sample("cart", "add", "1", "sku123", "--quantity", "4")
    start = threading.Barrier(10)

    def remove(_: int) -> Finished:
        start.wait(timeout=60)
        return sample("cart", "remove", "1", "sku123")

    with ThreadPoolExecutor(10) as pool:
        codes = sorted(finished.exit_code for finished in pool.map(remove, range(10)))
    assert codes == [0] * 5 + [2] * 5
    assert client.hgetall(f"{namespace}:cart:1") == {b"sku456": b"1"}


def test_no_server_is_one_sentence() -> None:
    finished = run_program("server-a", "user", "list", server="redis://127.0.0.1:1/0")
    assert_refused(finished, 69, "redis://127.0.0.1:1/0")


@pytest.mark.parametrize("group", ["user", "sku", "cart"])
def test_each_command_has_an_example(group: str) -> None:
    for verb in ("add", "remove", "show") if group == "cart" else ("add", "remove", "show", "list"):
        assert f"server-a {group} {verb}" in run_program("server-a", group, verb, "--help").stdout.split("Example:")[1]
