"""The command line of the stage: `python -m demo.stage [--listen 127.0.0.1:8080]`, behind `make stage`.

Exit codes: 0 when it was stopped; 2 for bad arguments, an address that can't be listened at or packages that are not
installed; 69 when a server could not be started or ended; 70 when a program ended again and again.
"""

from __future__ import annotations

import argparse
import ipaddress
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from demo.binaries import valkey_binary
from demo.parent import end_with_parent
from demo.servers import ServerStartError
from shared.errors import HandoverError, InvalidInputError
from shared.page.render import require_page
from shared.stopping import StopRequest, stop_requests

DEFAULT_LISTEN = "127.0.0.1:8080"


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        """End with 2."""
        self.exit(2, f"stage: {message}; see python -m demo.stage --help\n")


def _arguments() -> argparse.Namespace:
    """Return the options given, or end with 2."""
    parser = _Parser(
        prog="python -m demo.stage",
        description="server-a and two server-b at work on a primary and its replica, with a page whose buttons let "
        "things fail. It needs no Redis and no browser: it prints the page's link.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--listen", metavar="ADDRESS", default=DEFAULT_LISTEN,
        help="where to serve the page, on loopback; port 0 for a free one (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--every", type=float, metavar="SECONDS", default=5.0,
        help="the pause between two runs of server-a (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--end-with-parent", type=int, metavar="PID",
        help="end when this process, our parent, has ended; make stage gives its own (Linux)",
    )  # fmt: skip
    options = parser.parse_args()
    if not 0 < options.every <= 3_600:
        parser.error("--every takes seconds, above 0 and at most 3600")
    return options


def main() -> int:
    """Run the stage and return its exit code."""
    options = _arguments()
    try:
        require_page()
        binary = valkey_binary()
        with stop_requests() as stop:
            if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
                signal.signal(signal.SIGHUP, lambda number, _frame: stop.request(number))
            # Only on request, as in the demo: one that a shell started in the background should outlive that shell.
            if options.end_with_parent is not None:
                end_with_parent(options.end_with_parent, signal_number=signal.SIGTERM)
            return _play(binary, options.listen, stop, every_s=options.every)
    except HandoverError as error:
        return _complain(str(error), error.exit_code)
    except ServerStartError as error:
        return _complain(str(error), 69)


def _play(binary: Path, listen: str, stop: StopRequest, *, every_s: float) -> int:
    """Start everything, serve the page until a stop is requested, and end everything."""
    from demo.stage.deeds import Deeds
    from demo.stage.director import Director
    from demo.stage.web import StageExtra
    from shared.endpoint.settings import EndpointSettings
    from shared.endpoint.url import parse_url
    from shared.keys import Keyspace
    from shared.page.live.poller import Poller
    from shared.page.live.serving import parse_listen, serve
    from shared.page.live.views import Views
    from shared.program.options import CommonSettings

    host, _ = parse_listen(listen)
    if not _is_loopback(host):
        raise InvalidInputError(where="--listen", expected="an address of loopback, such as 127.0.0.1:8080", got=listen)
    deeds, views = Deeds(), Views()
    director = Director(binary, deeds, stop, every_s=every_s)
    director.start()
    try:
        director.has_begun.wait()
        if not director.error and not stop.is_requested:
            endpoint = EndpointSettings(url=parse_url(director.page_url), program="server-b")
            common = CommonSettings(endpoint, Keyspace(), log_level="error", log_format=None)
            with closing(Poller(common, None, views, StageExtra(deeds))) as poller:
                poller.open()
                serve(poller, views, listen, stop=stop, say=_say)
    finally:
        if not stop.is_requested:
            stop.request()
        director.join()
    return _complain(director.error, director.exit_code) if director.error else 0


def _say(link: str) -> None:
    print("A primary, its replica, server-a and two server-b are at work.", flush=True)
    print(f"Open {link} in a browser, and let something fail. Ctrl-C ends all of it.", flush=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _complain(sentence: str, exit_code: int) -> int:
    print(f"stage: {sentence}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
