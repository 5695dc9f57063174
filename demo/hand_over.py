"""The hand-over itself: which commands run in which order, and who ends when one of them fails.

server-b waits in the background from the start, as it would on another host. Every wait looks at all that was started,
so the end of any of them ends the others at once.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any

from demo.looks import heading, with_colours
from demo.processes import Program, program_environment
from demo.servers import Server
from demo.watch import Watch

_CONSUMER = ("run", "--once", "--wait-s", "60")
_SHOP = (
    ("user", "add", "1", "--first-name", "Parker", "--last-name", "Perry"),
    ("sku", "add", "sku123", "--name", "AirPods", "--price", "199.99"),
    ("sku", "add", "sku456", "--name", "Mechanical Keyboard", "--price", "89.99"),
)
_CART = (
    ("cart", "add", "1", "sku123"),
    ("cart", "add", "1", "sku456"),
    ("cart", "add", "1", "sku123"),
    ("cart", "remove", "1", "sku123"),
)
_RUN = ("run",)
_REPORT = Path("build/hand-over.html")  # below the working directory
_FACTS = _REPORT.with_suffix(".json")
_PAGE = ("page", "--listen", "127.0.0.1:0")

# As the programs themselves use them: the endpoint is gone; not finished, run it again; a file can't be written.
_UNREACHABLE = 69
_NOT_FINISHED = 75
_NOT_WRITABLE = 2


class DemoError(Exception):
    """Why the hand-over did not happen, as one sentence.

    Attributes:
        exit_code: What the demo ends with.
    """

    def __init__(self, sentence: str, *, exit_code: int) -> None:
        """Keep both."""
        super().__init__(sentence)
        self.exit_code = exit_code


class HandOver:
    """Both programs at work on one server."""

    def __init__(self, server: Server, watch: Watch, *, is_verbose: bool) -> None:
        """Start nothing yet.

        Args:
            server: A server that is up.
            watch: What wakes us.
            is_verbose: Pass on the programs' logs even when all is well.
        """
        self._server = server
        self._watch = watch
        self._is_verbose = is_verbose
        self._programs: list[Program] = []

    def perform(self) -> str:
        """Run everything, print what the programs say, and return a line about the time that it took to start them.

        Raises:
            DemoError: A program failed, the server ended, or we were asked to stop.
        """
        started_at = time.monotonic()
        print(heading("server-b waits, as it would on another host"))
        print(f"$ server-b {shlex.join(_CONSUMER)} &", flush=True)
        consumer = self._start("server-b", _CONSUMER)
        print(heading("The shop: a user, two SKUs and a cart"), flush=True)
        for program in [self._start("server-a", arguments) for arguments in _SHOP]:
            self._finish(program)
        for arguments in _CART:
            self._finish(self._start("server-a", arguments))
        print(heading("The list: written by server-a, read in reverse and verified by server-b"), flush=True)
        self._finish(self._start("server-a", _RUN))
        self._finish(consumer)
        started = len(_SHOP) + len(_CART) + 2
        return f"With the start of {started} Python programs all of it took {time.monotonic() - started_at:.1f} s."

    def draw(self) -> str:
        """Have server-b draw the run as one HTML file, and return how long the hand-over took and where the file lies.

        Raises:
            DemoError: See `perform`; or the file can't be written.
        """
        try:
            _REPORT.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise DemoError(f"no folder for the report: {error}", exit_code=_NOT_WRITABLE) from error
        print(heading("The report"), flush=True)
        program = self._start("server-b", ("report", "--html", str(_REPORT), "--json"))
        self._finish(program, into=_FACTS)
        where = f"Open {_REPORT} in a browser: verdict, time line and speed of this run, in one file to send."
        return f"{_own_time(json.loads(_FACTS.read_text('utf-8'))['run'])}\n{where}"

    def serve(self) -> str:
        """Start the page, which is served until `close`, and return a line with its link.

        Raises:
            DemoError: See `perform`.
        """
        page = self._start("server-b", _PAGE)
        while not page.output().endswith("\n"):
            self._check_all()
            self._watch.wait(0.05)  # its link is no signal
        return f"Watch it at {page.output().strip()} in a browser; Ctrl-C ends it."

    def wait_for_stop(self) -> None:
        """Wait until somebody asks us to stop.

        Raises:
            DemoError: The server or the page ended.
        """
        while not self._watch.stop_signal:
            self._check_server()
            self._check_programs()
            self._watch.wait()

    def close(self) -> None:
        """Kill whatever program still runs."""
        for program in self._programs:
            program.close()
        self._programs.clear()

    def _start(self, name: str, arguments: tuple[str, ...]) -> Program:
        """Start a program with its own URL variable."""
        variable = f"{name.replace('-', '_').upper()}_REDIS_URL"
        environment = {**program_environment(os.environ), variable: self._server.url}
        program = Program(name, *arguments, environment=environment)
        self._programs.append(program)
        return program

    def _finish(self, program: Program, *, into: Path | None = None) -> None:
        """Wait for a program's end and print its command and output, or keep the output in a file.

        Raises:
            DemoError: See `perform`.
        """
        while program.is_running:
            self._check_all()
            self._watch.wait()
        self._check_all()
        if into is not None:
            into.write_text(program.output(), "utf-8")
        _show(program, with_log=self._is_verbose, into=into)
        self._programs.remove(program)
        program.close()

    def _check_all(self) -> None:
        """Raise for a stop request, a server that ended or a program that failed, in this order."""
        if self._watch.stop_signal:
            name = signal.Signals(self._watch.stop_signal).name
            raise DemoError(f"stopped by {name} before the hand-over was complete", exit_code=_NOT_FINISHED)
        self._check_server()
        self._check_programs()

    def _check_programs(self) -> None:
        """Raise if a program failed."""
        for program in self._programs:
            if not program.is_running and program.exit_code:
                _show(program, with_log=True)
                raise DemoError(f"{program.name} {program.ending}", exit_code=program.exit_code)

    def _check_server(self) -> None:
        """Raise if the server is gone."""
        if not self._server.is_running:
            raise DemoError("the embedded server ended", exit_code=_UNREACHABLE)


def _own_time(run: dict[str, Any]) -> str:
    """Return how long a run took by the server's clock, from the beginning of server-a's work to the verdict."""
    took_ms, write_ms, read_ms = run["ended_ms"] - run["began_ms"], run["write_s"] * 1_000, run["read_s"] * 1_000
    return (
        f"Handed over in {took_ms:,} ms by the server's clock: written in {write_ms:,.0f} ms, "
        f"on its way for {run['lag_ms']:,} ms, read and verified in {read_ms:,.0f} ms."
    )


def _show(program: Program, *, with_log: bool, into: Path | None = None) -> None:
    """Print a program's command and what it said, unless that went into a file."""
    target = f" > {into}" if into is not None else ""
    print(f"$ {shlex.join([program.name, *program.arguments])}{target}")
    if into is None:
        sys.stdout.write(with_colours(program.output()))
    sys.stdout.flush()
    if with_log:
        sys.stderr.write(program.errors())
        sys.stderr.flush()
