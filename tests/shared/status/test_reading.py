"""What `status --watch` reads of a cluster while its slots move."""

from __future__ import annotations

from contextlib import closing

import pytest

from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.status.status import read_status
from tests.stage.clusters import Cluster
from tests.stage.hand_over_in_process import HandOver
from tests.stage.migration import migration_of
from tests.stage.status_checks import DONE, UNFINISHED, require_status


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
def test_segments_whose_slot_has_moved_alone_are_looked_at_again(cluster: Cluster) -> None:
    hand_over = HandOver(cluster.url, Keyspace())
    with closing(open_endpoint(EndpointSettings(url=parse_url(cluster.url)))) as watching:
        hand_over.produce(count=20, segment_values=10, writers=1)
        hand_over.consume()
        require_status(read_status(watching, hand_over.keys), DONE)
        migration_of(cluster, hand_over.keys.segment(2)).carry_out(cluster.primaries())
        moved = read_status(watching, hand_over.keys)
        assert "MOVED" in moved.not_looked_at[0]
        assert (moved.exit_code, moved.problems) == (UNFINISHED, []), "what was not looked at is nobody else's for that"
        require_status(read_status(watching, hand_over.keys), DONE)
