"""All forms in which a primary can be replaced, by the name that `--form` takes."""

from __future__ import annotations

from bench.failover.cluster import ClusterOfSix
from bench.failover.servers import Promoted, SentinelGroup

FORMS: dict[str, type[Promoted | SentinelGroup | ClusterOfSix]] = {
    "pair": Promoted,
    "sentinel": SentinelGroup,
    "cluster": ClusterOfSix,
}
