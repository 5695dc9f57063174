"""What `server-a check` does: examine the endpoint for a run of so many values, then test whether the peer sees it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from server_a.check.peer import PeerCheck, peer_problems
from server_a.run.lost_states import CAUSE, LostStates
from server_a.run.new_run import NewRun, new_run, record_of
from server_a.run.room import Found, Room
from server_a.run.settings import RunSettings, begin_command
from server_a.run.values import NumberSource
from server_a.run.written import written
from shared.check.examination import Job, Plan, examine
from shared.check.findings import Findings, Problem
from shared.check.permissions import ANY_TOKEN
from shared.check.requirements import SERVER_A
from shared.check.sizes import sent_bytes
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.errors import HandoverError, InvalidInputError, NotAllowedError, WrongKeyError
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from shared.stopping import stop_requests

_REFUSAL = "server-a has to write; give the URL of the primary, or that of the Sentinels"


def check(common: CommonSettings, *, count: int, peer_settings: EndpointSettings | None) -> Findings:
    """Return what was found about the endpoint, for a run of `count` numbers, and about the peer if there is one."""
    with closing(open_endpoint(common.endpoint)) as endpoint:
        findings = examine(endpoint, common.endpoint, common.keys, _job(endpoint, common, count))
        if peer_settings is None:
            return findings
        if endpoint.kind.is_replica:
            return replace(findings, notes=[*findings.notes, "the peer was not tried: nothing can be written here"])
        return _with_peer(findings, endpoint, common.keys, peer_settings)


def _job(endpoint: Endpoint, common: CommonSettings, count: int) -> Job:
    keys, settings, source = common.keys, RunSettings(count=count), NumberSource(count)
    record = record_of(settings, source, ANY_TOKEN, command=begin_command(common, settings))
    room = Room(endpoint, keys, record, source, Found())

    def try_reading() -> list[str]:
        """Read every list and the stream that a run would replace or add to; return notes about what is lost of it."""
        begun, notes = _begin(endpoint, keys, settings, source, segments=record.segments)
        room.found = begun.found
        return notes

    state_key = keys.state(keys.segment(1))
    return Job(
        program="server-a",
        requirements=SERVER_A,
        keys=tuple(keys.segment(number) for number in range(1, room.record.segments + 1)),
        refusal=_REFUSAL,
        try_reading=try_reading,
        # PING would do, but server-a needs no permission for it; a hash is not searched for longer with a longer name
        payload=lambda payload: ("HMGET", state_key, payload),
        payload_way="to the server",
        plan=Plan(count, sent_bytes(1, count), written(keys, room.record, source, room.sizes), room.needs),
    )


def _begin(
    endpoint: Endpoint, keys: Keyspace, settings: RunSettings, source: NumberSource, *, segments: int
) -> tuple[NewRun, list[str]]:
    """Return the run that would begin, and notes about lists without a state, which it would write again."""
    try:
        return new_run(endpoint, keys, settings, source), []
    except WrongKeyError:
        found = LostStates(endpoint, keys).recognise(range(1, segments + 1), lambda _: ())
        lost = {each.number: each.state for each in found}
        if not lost:
            raise
    notes = [f"the state of {keys.segment(number)} is gone, {CAUSE}; the next run replaces it" for number in lost]
    return new_run(endpoint, keys, settings, source, lost=lost), notes


def _with_peer(findings: Findings, endpoint: Endpoint, keys: Keyspace, settings: EndpointSettings) -> Findings:
    """Return the findings with those about the peer; an error at the peer is one of the problems found."""
    try:
        with closing(open_endpoint(settings)) as peer, stop_requests() as stop:
            peer_check = PeerCheck(endpoint, peer, keys, stop)
            found = peer_check.run()
    except InvalidInputError:
        raise
    except HandoverError as error:
        own = (
            "; the peer's own are --peer-password-file and --peer-tls-ca" if isinstance(error, NotAllowedError) else ""
        )
        return replace(findings, problems=[*findings.problems, Problem(f"peer: {error}{own}", error.exit_code)])
    problems = peer_problems(found, is_same_server=peer_check.is_same_server)
    return replace(findings, peer=found, problems=findings.problems + problems)
