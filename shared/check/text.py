"""The findings as people read them, a line each. Pure."""

from __future__ import annotations

from shared.check.findings import Findings, HandOverFindings, LinkFindings, WrittenKeys
from shared.check.memory import shown_bytes
from shared.text import joined_lines

_RELATIONS = {"same": "the same database", "none": "not connected to this one"}
_KINDS = {
    "run": ("record of the run", "records of runs"),
    "user": ("user", "users"),
    "sku": ("SKU", "SKUs"),
    "cart": ("cart", "carts"),
    "segment": ("list", "lists"),
    "state": ("state of a list", "states of lists"),
    "signals": ("stream of signals", "streams of signals"),
}


def findings_text(findings: Findings) -> str:
    """Return the findings as text for a terminal, escaped."""
    mode = "primary that Sentinels name" if findings.mode == "sentinel" else f"{findings.mode}, {findings.role}"
    lines = [
        findings.endpoint + (f", namespace {findings.namespace}" if findings.namespace else ""),
        f"Server: {findings.server} {findings.version}, {mode}",
        f"TLS: {_tls_text(findings)}",
        f"User: {findings.user or 'unknown'}, {_permissions_text(findings)}",
        f"Memory: {_memory_text(findings)}",
        f"Round trip: {_round_trip_text(findings)}",
    ]
    if findings.link is not None:
        lines.append(f"Rate: {_link_text(findings.link)}")
    if findings.hand_over is not None:
        lines.append(f"Hand-over: {_hand_over_text(findings.hand_over)}")
    if findings.written is not None:
        lines.append(f"Writes: {_written_text(findings.written)}")
    if findings.peer is not None:
        lines.append(f"Peer: {_peer_text(findings)}")
    lines += [f"Note: {note}" for note in findings.notes]
    lines += [f"Wrong: {problem.text}" for problem in findings.problems]
    if not findings.problems:
        lines.append(f"{findings.program} can do its job here.")
    return joined_lines(lines)


def _tls_text(findings: Findings) -> str:
    tls = findings.tls
    if tls is None:
        return "in use, but not looked at" if findings.endpoint.startswith("rediss") else "no TLS"
    if tls.certificate_ends is None:
        return f"{tls.version}, certificate not verified"
    return f"{tls.version}, certificate ends {tls.certificate_ends} ({tls.days_left} days left)"


def _permissions_text(findings: Findings) -> str:
    total = len(findings.permissions)
    if not total:
        return "permissions not asked for"
    allowed = sum(answer.is_allowed for answer in findings.permissions)
    return f"{f'all {total}' if allowed == total else f'{allowed} of {total}'} permissions"


def _memory_text(findings: Findings) -> str:
    memory = findings.memory
    if memory is None:
        cure = "the permission +info makes it known (ACL SETUSER), unless the service hides it"
        return f"unknown, since INFO is not allowed or does not say; {cure}"
    limit = f"of {shown_bytes(memory.max_bytes)}" if memory.max_bytes else "used, no limit"
    text = f"{shown_bytes(memory.used_bytes)} {limit}, policy {memory.policy}"
    if memory.count is None or memory.needed_bytes is None:
        return text
    return f"{text}; {memory.count:,} values need about {shown_bytes(memory.needed_bytes)}"


def _round_trip_text(findings: Findings) -> str:
    median, highest = findings.round_trip_ms, findings.round_trip_p99_ms
    return f"{median:.3f} ms in the median, {highest:.3f} ms at the 99th percentile of {findings.round_trips}"


def _link_text(link: LinkFindings) -> str:
    rate, measured = shown_bytes(link.bytes_per_s), shown_bytes(link.measured_bytes)
    return f"{rate}/s {link.way}, by {measured}; a longer transfer may be faster"


def _hand_over_text(hand_over: HandOverFindings) -> str:
    size = shown_bytes(hand_over.values_bytes)
    rate = "unknown time" if hand_over.values_s is None else f"{hand_over.values_s:.3f} s at this rate"
    return (
        f"{hand_over.count:,} values take A at least {hand_over.server_a_s:.3f} s and B {hand_over.server_b_s:.3f} s "
        f"over such a link: {hand_over.server_a_turns} and {hand_over.server_b_turns} round trips, {size} in {rate}"
    )


def _written_text(written: list[WrittenKeys]) -> str:
    parts = [f"{each.keys:,} {_KINDS[each.kind][each.keys != 1]} {shown_bytes(each.bytes)}" for each in written]
    return f"about {shown_bytes(sum(each.bytes for each in written))}: {', '.join(parts)}"


def _peer_text(findings: Findings) -> str:
    peer = findings.peer
    assert peer is not None
    text = f"{peer.endpoint}, {_RELATIONS.get(peer.relation, peer.relation)}"
    if peer.lag_median_ms is None:
        return text
    return (
        f"{text}; {peer.seen} of {peer.canaries} probe keys seen, "
        f"lag {peer.lag_median_ms:.3f} ms in the median, {peer.lag_max_ms:.3f} ms at most"
    )
