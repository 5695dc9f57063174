"""The findings as people read them, a line each. Pure."""

from __future__ import annotations

from shared.check.findings import Findings
from shared.check.memory import shown_bytes

_RELATIONS = {"same": "the same database", "none": "not connected to this one"}


def findings_text(findings: Findings) -> str:
    """Return the findings as text for a terminal."""
    mode = "primary that Sentinels name" if findings.mode == "sentinel" else f"{findings.mode}, {findings.role}"
    lines = [
        findings.endpoint + (f", namespace {findings.namespace}" if findings.namespace else ""),
        f"Server: {findings.server} {findings.version}, {mode}",
        f"TLS: {_tls_text(findings)}",
        f"User: {findings.user or 'unknown'}, {_permissions_text(findings)}",
        f"Memory: {_memory_text(findings)}",
        f"Round trip: {findings.round_trip_ms:.3f} ms",
    ]
    if findings.peer is not None:
        lines.append(f"Peer: {_peer_text(findings)}")
    lines += [f"Note: {note}" for note in findings.notes]
    lines += [f"Wrong: {problem.text}" for problem in findings.problems]
    if not findings.problems:
        lines.append(f"{findings.program} can do its job here.")
    return "\n".join(lines)


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
        return "unknown, since INFO is not allowed or does not say"
    limit = f"of {shown_bytes(memory.max_bytes)}" if memory.max_bytes else "used, no limit"
    text = f"{shown_bytes(memory.used_bytes)} {limit}, policy {memory.policy}"
    if memory.count is None or memory.needed_bytes is None:
        return text
    return f"{text}; {memory.count:,} values need about {shown_bytes(memory.needed_bytes)}"


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
