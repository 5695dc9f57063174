"""Names of spans, attributes and metrics: the messaging conventions' where they have a word, else ours.

Written out instead of imported: the package of the conventions keeps these under a private name, because they are not
declared stable. A test holds them against the package (tests/shared/program/test_telemetry_names.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

CONVENTIONS = "1.44.0"
SCHEMA_URL = f"https://opentelemetry.io/schemas/{CONVENTIONS}"

# the conventions name no value for Redis Streams; theirs for databases is `redis`, whichever server speaks it
SYSTEM = "redis"
DESTINATION = "signals"  # the stream's key without the namespace, which is a name that somebody chose
GROUP = "server-b"
SEND, PROCESS, SETTLE = "send", "process", "settle"

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_DESTINATION = "messaging.destination.name"
MESSAGING_GROUP = "messaging.consumer.group.name"
MESSAGING_OPERATION = "messaging.operation.name"
MESSAGING_TYPE = "messaging.operation.type"
MESSAGING_MESSAGE = "messaging.message.id"
SERVER_ADDRESS, SERVER_PORT, ERROR_TYPE = "server.address", "server.port", "error.type"

RUN_ID, SEGMENT, SEGMENTS, COUNT = "handover.run_id", "handover.segment", "handover.segments", "handover.count"
IS_RESUMED, IS_CLAIMED, DELIVERIES = "handover.is_resumed", "handover.is_claimed", "handover.deliveries"
VERDICT, OUTCOME = "handover.verdict", "handover.outcome"


@dataclass(frozen=True)
class Metric:
    """A metric of ours or of the conventions; units as UCUM spells them, what is counted in braces."""

    name: str
    unit: str
    text: str


SENT = Metric("messaging.client.sent.messages", "{message}", "Signals sent.")
CONSUMED = Metric("messaging.client.consumed.messages", "{message}", "Entries delivered to this server-b.")
OPERATION_S = Metric("messaging.client.operation.duration", "s", "Time to send signals, or to settle an entry.")
PROCESS_S = Metric("messaging.process.duration", "s", "Time from an entry's delivery to its end.")

VALUES_WRITTEN = Metric("handover.values.written", "{value}", "Values in segments that were published.")
DATA_WRITTEN = Metric("handover.data.written", "By", "Bytes of these values.")
ATTEMPTS = Metric("handover.attempts", "{attempt}", "Attempts at segments that were begun.")
LOST = Metric("handover.values.lost", "{value}", "Acknowledged values that the audit found missing.")
REWRITTEN = Metric("handover.segments.rewritten", "{segment}", "Segments that the audit had written again.")

VALUES_READ = Metric("handover.values.read", "{value}", "Values that were read for a verdict.")
DATA_READ = Metric("handover.data.read", "By", "Bytes of these values.")
EXAMINED = Metric("handover.segments.examined", "{segment}", "Segments that got a verdict, by verdict.")
LAG = Metric("handover.lag", "s", "From a signal's entry id to the moment it was taken, by the server's clock.")
CLAIMS = Metric("handover.claims", "{entry}", "Entries claimed from consumers that had gone silent.")
DEAD_LETTERS = Metric("handover.dead_letters", "{entry}", "Entries that became dead letters.")
PENDING = Metric("handover.pending", "{entry}", "Entries of the group delivered and not acknowledged.")

OUTAGES = Metric("handover.outages", "{outage}", "How often the server was lost.")
OUTAGE_S = Metric("handover.outage.time", "s", "Seconds without an answer, of outages that are over.")

LAG_BOUNDARIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
# those that the conventions advise for all their durations
DURATION_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
BOUNDARIES = MappingProxyType(
    {LAG.name: LAG_BOUNDARIES, OPERATION_S.name: DURATION_BOUNDARIES, PROCESS_S.name: DURATION_BOUNDARIES}
)
