"""The command line of the demo: `python -m demo [--keep] [--page] [--verbose]`, behind `make demo`.

Exit codes: 0 when both programs ended with 0; otherwise the failing program's; 69 when the server could not be started
or ended; 75 when it was stopped before the hand-over was complete; 2 for bad arguments or a
report that can't be written.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import NoReturn

from demo.binaries import valkey_binary
from demo.hand_over import DemoError, HandOver
from demo.parent import end_with_parent
from demo.servers import Server, ServerStartError
from demo.watch import Watch, watching


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        """End with 2."""
        self.exit(2, f"demo: {message}; see python -m demo --help\n")


def _arguments() -> argparse.Namespace:
    """Return the options given, or end with 2."""
    parser = _Parser(
        prog="python -m demo",
        description="Hand a shopping cart and 10,000 numbers from server-a to server-b through an embedded Valkey.",
        allow_abbrev=False,
    )
    parser.add_argument("--keep", action="store_true", help="leave the server up after the hand-over, until Ctrl-C")
    parser.add_argument("--page", action="store_true", help="serve the page meanwhile, and until Ctrl-C")
    parser.add_argument("--verbose", action="store_true", help="show the programs' logs even when all is well")
    parser.add_argument(
        "--end-with-parent",
        type=int,
        metavar="PID",
        help="end when this process, our parent, has ended; make demo gives its own (Linux)",
    )
    return parser.parse_args()


def _demonstrate(watch: Watch, options: argparse.Namespace) -> None:
    """Start the server, hand over, and keep the server if asked to; end everything on the way out.

    Raises:
        DemoError: The hand-over failed.
        ServerStartError: There was no server to do it on.
    """
    with Server(valkey_binary()) as server:
        print(f"Valkey is up at {server.url}", flush=True)
        hand_over = HandOver(server, watch, is_verbose=options.verbose)
        try:
            if options.page:
                print(hand_over.serve(), flush=True)
            started = hand_over.perform()
            print(hand_over.draw(), started, sep="\n", flush=True)
            if options.page:
                print("The page stays until Ctrl-C.", flush=True)
            if options.keep:
                print(f"Look around with Redis Insight or redis-cli -u {server.url}; Ctrl-C ends it.", flush=True)
            if options.keep or options.page:
                hand_over.wait_for_stop()
        finally:
            hand_over.close()


def main() -> int:
    """Run the demo and return its exit code."""
    options = _arguments()
    with watching() as watch:
        # Only on request: a demo that a shell started in the background should outlive that shell.
        if options.end_with_parent is not None:
            end_with_parent(options.end_with_parent, signal_number=signal.SIGTERM)
        try:
            _demonstrate(watch, options)
        except DemoError as error:
            print(f"demo: {error}", file=sys.stderr)
            return error.exit_code
        except ServerStartError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 69
        except BrokenPipeError:
            # Nobody reads on (| head): there is nobody to tell, and the interpreter should not try either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 75
    return 0


if __name__ == "__main__":
    sys.exit(main())
