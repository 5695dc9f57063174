"""What server-b's `check` does: look the endpoint over for what it does there, sharing a group or following."""

from __future__ import annotations

from contextlib import closing

from shared.check.examination import Job, examine
from shared.check.findings import Findings
from shared.check.requirements import SERVER_B_FOLLOW, SERVER_B_GROUP
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.errors import TransientError
from shared.keys import Keyspace
from shared.program.options import CommonSettings


def check(common: CommonSettings) -> Findings:
    """Return what there is to know.

    Raises:
        InvalidInputError: The URL or a file can't be used.
        HandoverError: There is nothing to look at: the endpoint does not answer, or not to us.
    """
    try:
        with closing(open_endpoint(common.endpoint)) as endpoint:
            return examine(endpoint, common.endpoint, common.keys, _job(endpoint, common.keys))
    except TransientError as error:
        raise error.lasting() from error


def _job(endpoint: Endpoint, keys: Keyspace) -> Job:
    return Job(
        program="server-b",
        requirements=SERVER_B_FOLLOW if endpoint.kind.is_replica else SERVER_B_GROUP,
        values_of={keys.signals(): 0, keys.segment(1): 0},
        count=None,
        refusal="",
        try_reading=lambda: _read_newest_signal(endpoint, keys.signals()),
    )


def _read_newest_signal(endpoint: Endpoint, key: str) -> None:
    """Read from the stream, which fails when the key holds something else.

    Redis:
        XREVRANGE COUNT 1; O(1).
    """
    endpoint.at(key).xrevrange(key, count=1)
