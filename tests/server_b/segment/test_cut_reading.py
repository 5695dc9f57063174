"""A connection that is lost in the middle of a list that `server-b read` prints: said, with what to do."""

from __future__ import annotations

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver
from tests.stage.inside import run_inside


@pytest.mark.parametrize("byte_count", [400_000, 700_000, 1_000_000])
def test_a_cut_in_the_middle_of_a_list_is_told_as_that(
    *, byte_count: int, hand_over: HandOver, server: Server, keys: Keyspace
) -> None:
    hand_over.produce(count=300_000)
    with FaultyLink(server.port) as link:
        link.cut_after("to_client", byte_count, times=None)
        ended = run_inside("server-b", "read", "--url", link.url, "--namespace", keys.namespace)
    assert ended.exit_code == 69, ended.stderr
    printed = ended.stdout.splitlines()
    assert printed == [str(number) for number in range(300_000, 300_000 - len(printed), -1)] != []
    assert "lost in the middle of the list; run it again" in ended.stderr
