"""Moving a slot between two primaries, step by step as every tool does it, so that a test can stop in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import redis
from redis.crc import key_slot

from demo.servers import Server
from tests.stage.clusters import Cluster, node_id
from tests.stage.raw import call


@dataclass(frozen=True)
class Migration:
    """A slot on its way from one primary to another."""

    slot: int
    source: Server
    target: Server

    def begin(self) -> None:
        """Have the source send those away who ask for keys it has not, and the target take them in."""
        call(self.target, "CLUSTER", "SETSLOT", self.slot, "IMPORTING", node_id(self.source))
        call(self.source, "CLUSTER", "SETSLOT", self.slot, "MIGRATING", node_id(self.target))

    def move_keys(self) -> int:
        """Move the keys that are there now, one after the other, and return how many there were."""
        keys = call(self.source, "CLUSTER", "GETKEYSINSLOT", self.slot, 1000)
        for key in keys:
            call(self.source, "MIGRATE", "127.0.0.1", self.target.port, key, 0, 10_000)
        return len(keys)

    def end(self, witnesses: Sequence[Server]) -> None:
        """Give the slot to the target: the target learns it first, then the source, then the witnesses."""
        for node in dict.fromkeys((self.target, self.source, *witnesses)):
            try:
                call(node, "CLUSTER", "SETSLOT", self.slot, "NODE", node_id(self.target))
            except redis.ResponseError as error:
                # who gave its last slot away and has heard of it from the target is a replica by now
                if node is not self.source or "only with masters" not in str(error):
                    raise

    def carry_out(self, witnesses: Sequence[Server]) -> None:
        """Move the slot with all its keys, also those that come while it moves."""
        self.begin()
        while self.move_keys():
            pass
        self.end(witnesses)


def migration_of(cluster: Cluster, key: str) -> Migration:
    """Return the migration of a key's slot to another primary."""
    source = cluster.primary_of(key)
    target = next(node for node in cluster.primaries() if node is not source)
    return Migration(key_slot(key.encode()), source, target)
