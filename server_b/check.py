"""`server-b check`: what is at the URL and whether server-b can do its job there."""

from __future__ import annotations

from contextlib import closing

import click

from shared.program.help import SectionedCommand
from shared.program.options import CommonSettings, endpoint_options, json_option
from shared.program.output import json_text, say_outcome

PROGRAM = "server-b"


@click.command("check", cls=SectionedCommand)
@endpoint_options(PROGRAM)
@json_option(PROGRAM)
def check_command(common: CommonSettings, *, as_json: bool) -> int:
    """Show what is at the URL and whether server-b can do its job there; exits with 0 only when it can.

    A replica is fine: server-b follows it, and needs only permission to read. Exits with 77 when a permission is
    missing, 75 when the server takes no writes now, 78 for the wrong kind of server or key, 2 when a follower could not
    keep its checkpoint and verdicts on this host. Nothing is written.

    Example: server-b check --url redis://replica.example:6379/0
    """
    from server_b.follow.signal_stream import SignalStream
    from shared.check.examination import Job, examine
    from shared.check.requirements import SERVER_B_FOLLOW, SERVER_B_GROUP
    from shared.check.text import findings_text
    from shared.endpoint.opening import open_endpoint
    from shared.endpoint.our_streams import require_streams
    from shared.endpoint.window import MAX_BYTES
    from shared.program.state_folder import require_writable, state_directory

    signals = common.keys.signals()
    with closing(open_endpoint(common.endpoint)) as endpoint:
        is_follower = endpoint.kind.is_replica
        stream = SignalStream(endpoint, common.keys)

        def look() -> list[str]:
            if is_follower:
                stream.require_ours()
            else:
                require_streams(endpoint, common.keys)
            return []

        job = Job(
            program=PROGRAM,
            requirements=SERVER_B_FOLLOW if is_follower else SERVER_B_GROUP,
            keys=(signals, common.keys.segment(1)),
            refusal="",
            try_reading=look,
            payload=lambda payload: ("PING", payload),
            payload_way="there and back",
            look_here=lambda: require_writable(state_directory()) if endpoint.kind.is_replica else None,
            asked_bytes=MAX_BYTES,
        )
        findings = examine(endpoint, common.endpoint, common.keys, job)
    say_outcome(json_text(findings.as_json()) if as_json else findings_text(findings))
    return findings.exit_code
