"""`server-b page`: what the report draws, live in a browser."""

from __future__ import annotations

from contextlib import closing

import click

from shared.endpoint.settings import EndpointSettings
from shared.program.help import SectionedCommand
from shared.program.options import CommonSettings, endpoint_options, option
from shared.program.output import say
from shared.program.peer import peer_options

PROGRAM = "server-b"
DEFAULT_LISTEN = "127.0.0.1:8080"


@click.command("page", cls=SectionedCommand)
@endpoint_options(PROGRAM)
@option(PROGRAM, "--listen", metavar="ADDRESS", default=DEFAULT_LISTEN, help="Where to serve; port 0 for a free one.")
@option(
    PROGRAM,
    "--allow-host",
    "hosts",
    metavar="HOST",
    multiple=True,
    help="Answer to this host name, too, as behind a proxy; the link has the first one. May be given several times.",
)
@peer_options(PROGRAM, "server-a", "Server-a's URL: show that endpoint, too.")
def page_command(common: CommonSettings, peer: EndpointSettings | None, listen: str, hosts: tuple[str, ...]) -> None:
    """Serve a page that shows the newest run live, and each of the last runs at an address of its own.

    It prints its link, only reads, and needs the extra `page`. It listens on loopback; anywhere else it demands a token
    that its link carries. It answers to localhost, addresses, this host's own name and those of --allow-host, so that
    no web page elsewhere can read it under a name of its own. It ends with 0 when it is stopped. The peer's password
    comes from --peer-password-file, its URL, SERVER_A_PASSWORD or SERVER_A_PASSWORD_FILE, and that of its Sentinels
    from SERVER_A_SENTINEL_PASSWORD or its file's variable.

    Example: server-b page --url redis://localhost:6379/0
    """
    from shared.page.render import require_page
    from shared.stopping import stop_requests

    require_page()
    with stop_requests() as stop:  # before the imports below, which take a while
        from shared.page.live.peer import Peer
        from shared.page.live.poller import Poller
        from shared.page.live.serving import check_host_names, parse_listen, serve
        from shared.page.live.views import Views

        parse_listen(listen)
        check_host_names(hosts)
        views = Views()
        beside = Peer(peer, common.keys.signals(), lambda: bool(views.wanted())) if peer is not None else None
        with closing(Poller(common, beside, views)) as poller:
            poller.open()
            serve(poller, views, listen, hosts, stop=stop, say=say)
