"""The stage of these tests: made anew for each, so that no rule or cable of one disturbs another."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.stage.four_hosts import Stage
from tests.stage.network import Network
from tests.stage.programs import StartProgram
from tests.stage.servers import Kind


@pytest.fixture(scope="session")
def hosts_can_be_made() -> None:
    """Skip where hosts can't be made; fail on CI, where they should."""
    try:
        network = Network()
        try:
            network.add_host(1).drop_nothing()
        finally:
            network.close()
    except OSError as error:
        reason = f"no hosts can be made here, which takes Linux, root, iproute2 and iptables: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def stage_kind() -> Kind:
    """The kind of server on the stage; a test may choose with `parametrize`."""
    return "valkey9"


@pytest.fixture
def stage(
    hosts_can_be_made: None, session_directory: object, start_program: StartProgram, stage_kind: Kind
) -> Iterator[Stage]:
    """Hosts for both programs and a primary, which runs; `add_replica` adds the fourth."""
    built = Stage(stage_kind, start_program)
    yield built
    built.close()
