"""The findings as people read them, a line each. Pure."""

from __future__ import annotations

from shared.check.findings import Findings, MemoryFindings, PeerFindings, RightFindings
from shared.check.memory import shown_bytes

_RELATIONS = {"same": "the same database", "none": "not connected to this one"}


def findings_text(findings: Findings) -> str:
    """Return the lines."""
    name = findings.endpoint + (f", namespace {findings.namespace}" if findings.namespace else "")
    mode = "primary that Sentinels name" if findings.mode == "sentinel" else f"{findings.mode}, {findings.role}"
    user = "User: unknown" if findings.user is None else f"User: {findings.user}"
    lines = [
        name,
        f"Server: {findings.server} {findings.version}, {mode}",
        f"TLS: {_tls_text(findings)}",
        f"{user}, {_rights_text(findings.rights)}",
        f"Memory: {_memory_text(findings.memory)}",
        f"Round trip: {findings.round_trip_ms:.3f} ms",
    ]
    if findings.peer is not None:
        lines.append(f"Peer: {_peer_text(findings.peer)}")
    lines += [f"Note: {note}" for note in findings.notes]
    lines += [f"Wrong: {trouble.text}" for trouble in findings.troubles]
    if not findings.troubles:
        lines.append(f"{findings.program} can do its job here.")
    return "\n".join(lines)


def _tls_text(findings: Findings) -> str:
    tls = findings.tls
    if tls is None:
        return "in use, but not looked at" if findings.endpoint.startswith("rediss") else "no TLS"
    if tls.certificate_ends is None:
        return f"{tls.version}, certificate not verified"
    return f"{tls.version}, certificate ends {tls.certificate_ends} ({tls.days_left} days left)"


def _rights_text(rights: list[RightFindings]) -> str:
    if not rights:
        return "rights not asked"
    allowed = sum(right.is_allowed for right in rights)
    return f"all {allowed} rights" if allowed == len(rights) else f"{allowed} of {len(rights)} rights"


def _memory_text(memory: MemoryFindings | None) -> str:
    if memory is None:
        return "unknown, since INFO is not allowed or does not say"
    limit = f"of {shown_bytes(memory.max_bytes)}" if memory.max_bytes else "used, no limit"
    text = f"{shown_bytes(memory.used_bytes)} {limit}, policy {memory.policy}"
    if memory.count is None or memory.needed_bytes is None:
        return text
    return f"{text}; {memory.count:,} values need about {shown_bytes(memory.needed_bytes)}"


def _peer_text(peer: PeerFindings) -> str:
    if peer.lag_median_ms is None:
        return f"{peer.endpoint}, {_RELATIONS.get(peer.relation, peer.relation)}"
    relation = _RELATIONS.get(peer.relation, peer.relation)
    return (
        f"{peer.endpoint}, {relation}; {peer.seen} of {peer.canaries} canaries seen, "
        f"lag {peer.lag_median_ms:.3f} ms in the median, {peer.lag_max_ms:.3f} ms at most"
    )
