"""The stage of these tests: made anew for each, so that no rule or cable of one disturbs another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stage.four_hosts import Stage
from tests.stage.programs import StartProgram
from tests.stage.servers import Kind


@pytest.fixture
def stage_kind() -> Kind:
    """The kind of server on the stage; a test may choose with `parametrize`."""
    return "valkey9"


@pytest.fixture
def stage(session_directory: object, start_program: StartProgram, stage_kind: Kind) -> Iterator[Stage]:
    """Hosts for both programs and a primary, which runs; `add_replica` adds the fourth."""
    built = Stage(stage_kind, start_program)
    yield built
    built.close()
