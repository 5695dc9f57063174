"""The objects that `--json` prints, exactly: names, types, one line, and nothing else on stdout."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from demo.servers import Server
from tests.stage.programs import Finished, run_program
from tests.stage.servers import connect

TOKEN = r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}"

PRODUCER_FIELDS: dict[str, type] = {
    "run_id": str,
    "count": int,
    "segments": int,
    "digest": str,
    "users": int,
    "skus": int,
    "carts": int,
    "shop_kept": int,
    "attempts": int,
    "writers": int,
    "lost_acknowledged": int,
    "segments_rewritten": int,
    "outages": int,
    "outage_s": float,
    "write_s": float,
    "values_per_s": int,
    "reply_ms": dict,
    "endpoint": str,
}
CONSUMER_FIELDS: dict[str, type] = {
    "run_id": str,
    "verdict": str,
    "reason": str,
    "witness": type(None),
    "count": int,
    "segments": int,
    "digest": str,
    "first": list,
    "last": str,
    "carts": list,
    "lag_ms": int,
    "read_s": float,
    "values_per_s": int,
    "reply_ms": dict,
    "outages": int,
    "outage_s": float,
    "consumer": str,
    "mode": str,
    "endpoint": str,
}
CART_FIELDS = {"user", "lines", "total"}
EVERY_FIELDS = (
    "runs", "verified", "failed", "superseded", "none", "outages", "outage_s", "lag_ms", "hand_over_s",
)  # fmt: skip
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "json.md"


def only_object(ended: Finished) -> dict[str, Any]:
    """Return the one object on the one line that a program printed."""
    assert re.fullmatch(r"\{[^\n]*\}\n", ended.stdout), ended
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def events(ended: Finished) -> list[dict[str, Any]]:
    """Return the events on stderr, each a line of JSON."""
    found: list[dict[str, Any]] = [json.loads(line) for line in ended.stderr.splitlines()]
    for event in found:
        assert event.keys() >= {"event", "level", "timestamp", "program"}
    return found


def produce(server: Server, namespace: str, *options: str, stdin: bytes | None = None) -> Finished:
    """Run server-a."""
    return run_program("server-a", "run", "--json", *options, server=server, namespace=namespace, stdin=stdin)


def consume(server: Server, namespace: str, *options: str) -> Finished:
    """Run server-b until it has a verdict."""
    arguments = ("run", "--once", "--json", "--wait-s", "30", *options)
    return run_program("server-b", *arguments, server=server, namespace=namespace)


def _assert_fields(found: dict[str, Any], fields: dict[str, type]) -> None:
    assert list(found) == list(fields)
    assert {name: type(value) for name, value in found.items()} == fields


@pytest.mark.parametrize(
    ("title", "fields"), [("`server-a run`", [*PRODUCER_FIELDS, *EVERY_FIELDS]), ("`server-b run`", [*CONSUMER_FIELDS])]
)
def test_the_document_names_each_field_once_a_table(title: str, fields: list[str]) -> None:
    _, _, section = DOCUMENT.read_text().partition(f"\n## {title}\n")
    rows = [row for row in section.partition("\n## ")[0].splitlines() if row.startswith("| `")]
    named = [name for row in rows for name in re.findall("`([a-z_]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(fields)


def test_server_a(server: Server, namespace: str) -> None:
    ended = produce(server, namespace, "--count", "2500", "--segment-values", "1000")
    found = only_object(ended)
    _assert_fields(found, PRODUCER_FIELDS)
    assert re.fullmatch(TOKEN, found["run_id"])
    assert re.fullmatch("[0-9a-f]{32}", found["digest"])
    assert [found[name] for name in ("count", "segments", "attempts")] == [2_500, 3, 3]
    assert [found[name] for name in ("users", "skus", "carts")] == [1, 2, 1]
    assert (found["shop_kept"], found["lost_acknowledged"], found["outage_s"]) == (0, 0, 0.0)
    assert 0 < found["write_s"] < 30
    assert found["values_per_s"] == pytest.approx(2_500 / found["write_s"], rel=0.01)
    assert found["endpoint"] == server.url
    assert ended.exit_code == 0


def test_server_b(server: Server, namespace: str) -> None:
    run = only_object(produce(server, namespace, "--count", "2500", "--segment-values", "1000"))
    began_s = time.monotonic()
    ended = consume(server, namespace, "--consumer", "b1")
    took_s = time.monotonic() - began_s
    found = only_object(ended)
    _assert_fields(found, CONSUMER_FIELDS)
    assert (found["verdict"], found["reason"]) == ("verified", "")
    for name in ("run_id", "count", "segments", "digest", "endpoint"):
        assert found[name] == run[name], name
    assert found["first"] == [str(number) for number in range(2_500, 2_490, -1)]
    assert (found["last"], found["consumer"], found["mode"]) == ("1", "b1", "group")
    (cart,) = found["carts"]
    assert set(cart) == CART_FIELDS
    assert (cart["user"], cart["total"]) == ("1", "289.98")
    assert [(line["sku"], line["quantity"], line["total"]) for line in cart["lines"]] == [
        ("sku123", 1, "199.99"),
        ("sku456", 1, "89.99"),
    ]
    assert 0 <= found["lag_ms"] < 30_000
    assert 0 < found["read_s"] < 30
    assert found["values_per_s"] == pytest.approx(2_500 / found["read_s"], rel=0.01)
    assert list(found["reply_ms"]) == ["p50", "p95", "p99", "max"]
    # B may have been held up once before it sent or read, which the server, whose clock read_s is of, can't know
    assert found["reply_ms"]["p50"] < found["read_s"] * 1_000
    assert 0 < found["reply_ms"]["p50"] <= found["reply_ms"]["max"] < took_s * 1_000
    assert ended.exit_code == 0


def test_at_most_ten_carts(valkey9: Server, namespace: str) -> None:
    produce(valkey9, namespace, "--count", "1", "--users", "12", "--carts", "12")
    found = only_object(consume(valkey9, namespace))["carts"]
    assert [cart["user"] for cart in found] == [str(number) for number in range(1, 11)]
    assert all(set(cart) == CART_FIELDS for cart in found)


def test_ten_first_values_whatever_is_printed(valkey9: Server, namespace: str) -> None:
    produce(valkey9, namespace, "--count", "50", "--segment-values", "4")
    found = only_object(consume(valkey9, namespace, "--print-values", "0"))
    assert found["first"] == [str(number) for number in range(50, 40, -1)]
    assert found["last"] == "1"


def test_few_values_of_any_bytes_and_no_carts_and_no_logs(valkey9: Server, namespace: str) -> None:
    """Fewer than ten values are all shown; bytes that are not UTF-8 are escaped, which is not to be undone."""
    lines = b"\xff\xfe\nA\\B\n\n\xc3\xa9\r\n"
    options = ("--log-level", "warning")
    produced = produce(valkey9, namespace, "--values", "-", "--carts", "0", *options, stdin=lines)
    consumed = consume(valkey9, namespace, *options)
    found = only_object(consumed)
    assert (found["first"], found["last"]) == (["é\r", "", "A\\B", "\\xff\\xfe"], "\\xff\\xfe")
    assert found["carts"] == []
    assert (produced.stderr, consumed.stderr) == ("", "")


def test_a_failed_run_has_the_same_fields(valkey9: Server, namespace: str) -> None:
    produce(valkey9, namespace, "--count", "2500")
    with connect(valkey9) as client:
        client.lset(f"{namespace}:biglist", 1_700, "x")
    ended = consume(valkey9, namespace)
    found = only_object(ended)
    _assert_fields(found, CONSUMER_FIELDS | {"witness": dict})
    assert found["verdict"] == "failed"
    assert found["reason"]
    wrong = {"position": 800, "expected": "800", "found": "x", "missing": 1, "doubled": 0, "foreign": 1}
    where = {"out_of_order": 0, "block": 1, "blocks": 1}
    assert found["witness"] == {"kind": "changed", "segment": 1, **wrong, **where}
    assert list(found["witness"]) == ["kind", "segment", *wrong, *where]
    assert ended.exit_code == 65


def test_a_superseded_run_is_passed_over_and_shown_on_demand(valkey9: Server, namespace: str) -> None:
    first = only_object(produce(valkey9, namespace, "--count", "5"))
    second = only_object(produce(valkey9, namespace, "--count", "6"))
    found = only_object(consume(valkey9, namespace))
    assert (found["run_id"], found["verdict"]) == (second["run_id"], "verified")
    ended = consume(valkey9, namespace, "--run", first["run_id"])
    found = only_object(ended)
    _assert_fields(found, CONSUMER_FIELDS | {"reply_ms": type(None)})  # nothing of it was read
    assert (found["run_id"], found["verdict"], found["count"]) == (first["run_id"], "superseded", 5)
    assert found["reason"]
    assert ended.exit_code == 75


def test_logs_are_lines_of_json_with_one_summary_a_run(valkey9: Server, namespace: str) -> None:
    produced = produce(valkey9, namespace, "--count", "2500", "--segment-values", "1000", "--log-level", "debug")
    consumed = consume(valkey9, namespace, "--log-level", "debug")
    for ended, summary in ((produced, "run finished"), (consumed, "run complete")):
        found = only_object(ended)
        (event,) = [event for event in events(ended) if event["event"] == summary]
        assert "reply_ms" not in event  # an object, for which a log line has no room
        shared = event.keys() & found.keys()
        assert shared >= {"run_id", "count", "segments", "digest", "values_per_s"}
        assert {name: event[name] for name in shared} == {name: found[name] for name in shared}
