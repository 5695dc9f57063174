"""What `check` makes of memory, certificates and probe keys; its exit code and its text."""

from __future__ import annotations

import calendar
from dataclasses import replace
from typing import Any

import pytest
from redis._parsers.helpers import parse_info

from server_a.check.peer import peer_problems
from shared.check.encryption import tls_findings, tls_notes
from shared.check.findings import (
    Findings,
    HandOverFindings,
    LinkFindings,
    MemoryFindings,
    PeerFindings,
    Problem,
    WrittenKeys,
)
from shared.check.memory import (
    Need,
    NodeMemory,
    decode_memory,
    memory_findings,
    memory_notes,
    memory_problems,
    shown_bytes,
)
from shared.check.permissions import Answer, Permission
from shared.check.text import findings_text
from shared.keys import Keyspace

GIB = 2**30
NODE = NodeMemory("a:1", used_bytes=GIB, max_bytes=2 * GIB, host_bytes=8 * GIB, policy="noeviction")
FINDINGS = Findings(
    program="server-a",
    endpoint="redis://a:1/0",
    namespace="",
    server="redis",
    version="7.0.15",
    mode="standalone",
    role="primary",
    tls=None,
    user="default",
    permissions=[Answer(Permission(("LPUSH", "key", "v"), "key", "write a segment", is_needed=True), None)],
    memory=MemoryFindings(GIB, 2 * GIB, "noeviction", 10_000, 75_000, GIB),
    round_trip_ms=0.25,
    round_trip_p99_ms=0.5,
    round_trips=200,
)


def test_memory_is_read_from_info() -> None:
    info = (
        "# Memory\r\nused_memory:1000\r\nmaxmemory:3000\r\nmaxmemory_policy:allkeys-lru\r\ntotal_system_memory:9000\r\n"
        "mem_not_counted_for_evict:4\r\nlazyfree_pending_objects:1\r\n"
    )
    memory = decode_memory("a:1", parse_info(info))
    assert memory == NodeMemory("a:1", 1000, 3000, 9000, "allkeys-lru", 4, is_freeing=True)
    assert memory.free_bytes == 2000


@pytest.mark.parametrize("info", ["", "used_memory:", "used_memory:many", "used_memory_human:1K"])
def test_an_info_without_the_figures_says_nothing(info: str) -> None:
    assert decode_memory("a:1", parse_info(info)) is None


def test_figures_that_lack_are_no_limit() -> None:
    assert decode_memory("a:1", parse_info("used_memory:5")) == NodeMemory("a:1", 5, 0, 0, "unknown")


@pytest.mark.parametrize(
    ("changes", "peak_bytes", "exit_codes"),
    [
        ({}, 100, []),
        ({}, GIB, []),
        ({}, GIB + 1, [75]),
        ({"uncounted_bytes": 1}, GIB + 1, []),
        ({"used_bytes": 3 * GIB}, 100, [75]),
        ({"max_bytes": 0}, 7 * GIB, []),
        ({"max_bytes": 0}, 7 * GIB + 1, [75]),
        ({"max_bytes": 0, "host_bytes": 0}, 100 * GIB, []),
        ({"policy": "allkeys-lru"}, 100, [78]),
        ({"policy": "allkeys-random", "max_bytes": 0}, 100, []),
        ({"policy": "volatile-lru"}, 100, []),
        ({"policy": "volatile-ttl"}, 2 * GIB, []),
        ({"policy": "volatile-ttl"}, 2 * GIB + 1, [75]),
    ],
)
def test_room_and_policy(changes: dict[str, Any], peak_bytes: int, exit_codes: list[int]) -> None:
    problems = memory_problems(replace(NODE, **changes), Need(peak_bytes, peak_bytes))
    assert [problem.exit_code for problem in problems] == exit_codes


def test_a_policy_that_takes_what_has_a_time_to_live_is_noted() -> None:
    assert "volatile-lru" in memory_notes(replace(NODE, policy="volatile-lru"))[0]
    assert not memory_notes(NODE)
    assert not memory_notes(replace(NODE, policy="volatile-lru", max_bytes=0))


def test_the_memory_of_several_servers_is_added_up() -> None:
    other = replace(NODE, name="a:2", policy="volatile-lru")
    total = memory_findings([NODE, other], 10, {"a:1": Need(100, 70), "a:2": Need(100, 60)})
    assert total == MemoryFindings(2 * GIB, 4 * GIB, "noeviction,volatile-lru", 10, 200, 2 * GIB, peak_bytes=130)
    unlimited = memory_findings([NODE, replace(other, max_bytes=0)], None, {})
    assert (unlimited.max_bytes, unlimited.free_bytes, unlimited.needed_bytes) == (0, None, None)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (1023, "1,023 bytes"), (1024, "1.0 KiB"), (GIB, "1.0 GiB"), (5000 * GIB, "5,000.0 GiB")],
)
def test_bytes_as_people_read_them(number: int, text: str) -> None:
    assert shown_bytes(number) == text


def test_a_certificate_is_counted_down_in_days() -> None:
    ends_s = calendar.timegm((2027, 6, 1, 12, 0, 0))
    tls = tls_findings("a:1", "TLSv1.3", "Jun  1 12:00:00 2027 GMT", now_s=ends_s - 20 * 86_400 - 1)
    assert (tls.certificate_ends, tls.days_left) == ("2027-06-01T12:00:00Z", 20)
    assert not tls_notes(tls)
    assert "ends in 13 days" in tls_notes(replace(tls, days_left=13))[0]


def test_a_certificate_that_was_not_verified_is_noted() -> None:
    tls = tls_findings("a:1", "TLSv1.2", "", now_s=0.0)
    assert (tls.certificate_ends, tls.days_left) == (None, None)
    assert "not verified" in tls_notes(tls)[0]
    assert not tls_notes(None)


@pytest.mark.parametrize(
    ("codes", "exit_code"), [((), 0), ((75,), 75), ((75, 77), 77), ((75, 77, 78), 78), ((75, 69), 69)]
)
def test_the_weightiest_problem_gives_the_exit_code(codes: tuple[int, ...], exit_code: int) -> None:
    findings = replace(FINDINGS, problems=[Problem("one", code) for code in codes])
    assert findings.exit_code == exit_code
    assert findings.as_json()["exit_code"] == exit_code
    assert findings.as_json()["troubles"] == ["one"] * len(codes)


def test_the_text_ends_with_the_good_news() -> None:
    assert findings_text(FINDINGS).splitlines() == [
        "redis://a:1/0",
        "Server: redis 7.0.15, standalone, primary",
        "TLS: no TLS",
        "User: default, all 1 permissions",
        "Memory: 1.0 GiB of 2.0 GiB, policy noeviction; 10,000 values need about 73.2 KiB",
        "Round trip: 0.250 ms in the median, 0.500 ms at the 99th percentile of 200",
        "server-a can do its job here.",
    ]


def test_the_text_says_what_the_link_allows_and_what_is_written() -> None:
    findings = replace(
        FINDINGS,
        link=LinkFindings(1024**2, "to the server", 4 * 1024**2),
        hand_over=HandOverFindings(10_000, 2048, 0.002, 12, 0.962, 17, 1.362),
        written=[WrittenKeys("user", 1, 96), WrittenKeys("segment", 2, 1024), WrittenKeys("cart", 0, 0)],
    )
    assert findings_text(findings).splitlines()[6:9] == [
        "Rate: 1.0 MiB/s to the server, by 4.0 MiB; a longer transfer may be faster",
        (
            "Hand-over: 10,000 values take A at least 0.962 s and B 1.362 s over such a link: 12 and 17 round trips, "
            "2.0 KiB in 0.002 s at this rate"
        ),
        "Writes: about 1.1 KiB: 1 user 96 bytes, 2 lists 1.0 KiB, 0 carts 0 bytes",
    ]


def test_the_text_ends_with_the_problems() -> None:
    findings = replace(FINDINGS, memory=None, user=None, notes=["small"], problems=[Problem("large", 77)])
    assert findings_text(findings).splitlines()[3:] == [
        "User: unknown, all 1 permissions",
        (
            "Memory: unknown, since INFO is not allowed or does not say; "
            "the permission +info makes it known (ACL SETUSER), unless the service hides it"
        ),
        "Round trip: 0.250 ms in the median, 0.500 ms at the 99th percentile of 200",
        "Note: small",
        "Wrong: large",
    ]


PEER = PeerFindings("redis://b:1/0", "connected", 20, 20, 1.5, 4.0)


def test_a_connected_peer_is_no_problem() -> None:
    assert not peer_problems(PEER, is_same_server=False)
    line = "Peer: redis://b:1/0, connected; 20 of 20 probe keys seen, lag 1.500 ms in the median, 4.000 ms at most"
    assert line in findings_text(replace(FINDINGS, peer=PEER)).splitlines()


@pytest.mark.parametrize(
    ("seen", "is_same_server", "part"),
    [(0, False, "neither the same database nor connected"), (0, True, "different databases"), (3, False, "3 others")],
)
def test_a_canary_that_did_not_come_is_a_problem(seen: int, part: str, *, is_same_server: bool) -> None:
    (problem,) = peer_problems(replace(PEER, seen=seen), is_same_server=is_same_server)
    assert problem.exit_code == 75
    assert part in problem.text


def test_a_peer_that_was_never_tried_is_a_problem() -> None:
    (problem,) = peer_problems(replace(PEER, canaries=0, seen=0), is_same_server=False)
    assert problem.exit_code == 75


def test_encryption_that_could_not_be_looked_at_is_not_told_as_none() -> None:
    lines = findings_text(replace(FINDINGS, endpoint="rediss://a:1/0")).splitlines()
    assert lines[2] == "TLS: in use, but not looked at"


def test_a_peer_without_any_canary_is_not_connected() -> None:
    peer = PeerFindings("redis://b:1/0", "none", 1, 0, None, None)
    assert "Peer: redis://b:1/0, not connected to this one" in findings_text(replace(FINDINGS, peer=peer)).splitlines()


@pytest.mark.parametrize("keys", [Keyspace(), Keyspace("shop1")])
def test_canaries_are_keys_of_ours(keys: Keyspace) -> None:
    key = keys.canary("20261122T205801123Z-3f9a1c")
    assert key == f"{keys.prefix}canary:20261122T205801123Z-3f9a1c"
    assert keys.kind_of(key) == "canary"
