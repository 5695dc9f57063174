"""One hand-over with one fault: carried on until it is verified, and held against what A was given."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event
from typing import cast

from shared.keys import Keyspace
from tests.stage.programs import Name
from tests.stage.random_link import Effect, RandomLink
from tests.stage.soak_faults import FAR_S, Fault
from tests.stage.soak_places import Alone, Servers, client_of, fail, progress
from tests.stage.soak_programs import TIMEOUT_S, Ended, WrongResultError, end_of, id_of, start
from tests.stage.waiting import wait_until

MAX_ROUNDS = 6
_FROZEN_S = 0.05
_PAGE = 100_000


@dataclass
class Trial:
    """Carries a hand-over out, and counts what came of it.

    Attributes:
        counts: `met` if the fault came, `resumed`, `repaired` and `read again` for what was needed after it, `lost` for
            acknowledged values that A found missing and wrote again.
        under_way_bytes: What was on the link when the fault came.
    """

    servers: Servers
    fault: Fault
    counts: Counter[str] = field(default_factory=Counter)
    under_way_bytes: int = 0
    _deliver_after_resume: Callable[[], object] | None = None

    def carry_out(self) -> None:
        """Hand over, under the fault; raise WrongResultError unless all is as it must be in the end."""
        self._url = self.servers.url_for(self.fault)
        with ExitStack() as self._stack:
            run_id = self._hand_over()
            if self._deliver_after_resume is not None:
                self._deliver_after_resume()
        self._require_exact(run_id)

    def _hand_over(self) -> str:
        """Carry a run on until it is verified; return its id."""
        fault = self.fault
        sizes = ("--count", str(fault.count), "--segment-values", str(fault.segment_values))
        run_id = self._produce(*sizes) if fault.program == "server-a" else ""
        if not run_id:  # none was begun before the fault, or it is for B
            run_id = id_of(self._run("server-a", "run", *sizes, "--json"))
        is_first, code = fault.program == "server-b", -1
        for _ in range(MAX_ROUNDS):
            consume = self._meet if is_first else self._run
            options = ("--run", run_id, "--wait-s", "5", "--claim-idle-ms", "500", "--json")
            if (
                not is_first
                and fault.program == "server-b"
                and fault.kind == "kill2"
                and self.counts["read again"] == 1
            ):
                self._run_twice("server-b", "run", *options)
            is_first = False
            code = consume("server-b", "run", *options).returncode
            if code == 0:
                return run_id
            self.counts["read again"] += 1
            repair = ["--repair"] if code == 65 else []
            self.counts["repaired"] += len(repair)
            self._resume(run_id, *repair)
        raise WrongResultError(f"not verified after {MAX_ROUNDS} times, but {code}")

    def _produce(self, *sizes: str) -> str:
        """Carry a run out under the fault, resume it until it has ended; return its id, empty if none was begun."""
        ended = self._meet("server-a", "run", *sizes, "--json")
        run_id = id_of(ended)
        if not run_id:
            return ""
        if self.fault.kind == "kill2" and ended.returncode < 0:
            self._run_twice("server-a", "run", "--resume", run_id, "--json")
        for _ in range(MAX_ROUNDS):
            if ended.returncode == 0:
                return run_id
            self.counts["resumed"] += 1
            ended = self._resume(run_id)
            if ended.returncode == 2:  # its record was never written
                return ""
        raise WrongResultError(f"not finished after {MAX_ROUNDS} times: {ended.returncode} {ended.stderr[-500:]!r}")

    def _meet(self, name: Name, *arguments: str) -> Ended:
        """Run a program that meets the fault."""
        if self.fault.place in {"sentinel", "cluster"}:
            return self._meet_failure(name, *arguments)
        fault, has_acted = self.fault, Event()
        number = signal.SIGSTOP if fault.kind == "freeze" else signal.SIGKILL
        started: list[subprocess.Popen[bytes]] = []

        def act() -> None:
            if fault.kind != "late":
                started[0].send_signal(number)
            has_acted.set()

        link = self._stack.enter_context(self._link(act))
        process = start(name, *arguments, url=link.url)
        started.append(process)
        if fault.kind == "freeze":
            self._take_over(process, has_acted, arguments)
        ended = end_of(process, name, is_killed=fault.kind not in {"cut", "lose", "stall", "late", "flip", "freeze"})
        if fault.kind == "late-after":
            self._deliver_after_resume = link.deliver_late
        else:
            link.close()  # what was held back has arrived now
        self._count_losses(ended)
        self.counts["met"] += link.has_come
        self.under_way_bytes = link.under_way_bytes
        return ended

    def _link(self, act: Callable[[], object]) -> RandomLink:
        fault, server = self.fault, cast("Alone", self.servers).server
        kind = fault.kind.partition("-")[0]
        effect = cast("Effect", "act" if kind in {"kill", "kill2", "freeze"} else kind)
        return RandomLink(
            server.port, effect, fault.direction, fault.after_bytes, act=act, bit=fault.bit,
            round_trip_s=FAR_S if fault.place == "far" else 0.0, stall_s=fault.stall_s,
        )  # fmt: skip

    def _meet_failure(self, name: Name, *arguments: str) -> Ended:
        """Run a program whose servers fail once so much is done."""
        process, stream = start(name, *arguments, url=self._url), self.servers.holder_of("signals")
        wait_until(
            lambda: process.poll() is not None or progress(stream, self.fault) >= self.fault.after_segments,
            description=f"{name} has begun",
            timeout_s=TIMEOUT_S,
        )
        if process.poll() is None:
            fail(self.servers, self.fault)
            self.counts["met"] += 1
        ended = end_of(process, name)
        self._count_losses(ended)
        return ended

    def _take_over(self, frozen: subprocess.Popen[bytes], has_acted: Event, arguments: tuple[str, ...]) -> None:
        """Let another process do what a frozen one has begun, and wake that one."""
        while frozen.poll() is None and not has_acted.wait(_FROZEN_S):
            pass
        if not has_acted.is_set():
            return
        if self.fault.program == "server-b":
            self._run("server-b", *arguments)
        else:
            with client_of(self.servers, "signals") as client:
                run_ids = [key.decode().rpartition(":")[2] for key in client.scan_iter(match="run:*", count=1_000)]
            if run_ids:
                self._run("server-a", "run", "--resume", run_ids[0], "--json")
        frozen.send_signal(signal.SIGCONT)

    def _require_exact(self, run_id: str) -> None:
        """Hold what is stored against what A was given: lists by plain LRANGE; each segment has one verdict."""
        first, keys = 1, Keyspace("")
        for number in range(1, self.fault.segments + 1):
            last = min(first + self.fault.segment_values - 1, self.fault.count)
            with client_of(self.servers, keys.segment(number)) as client:
                length = client.llen(keys.segment(number))
                pages = range(0, last - first + 1, _PAGE)
                is_exact = length == last - first + 1 and all(
                    client.lrange(keys.segment(number), page, page + _PAGE - 1)
                    == [b"%d" % value for value in range(last - page, max(last - page - _PAGE, first - 1), -1)]
                    for page in pages
                )
            if not is_exact:
                raise WrongResultError(f"segment {number} is called verified, and is another list than A was given")
            first = last + 1
        with client_of(self.servers, keys.signals()) as client:
            verdicts = cast("dict[bytes, bytes]", client.hgetall(keys.result(run_id)))
            if {json.loads(verdict)["verdict"] for verdict in verdicts.values()} != {"verified"}:
                raise WrongResultError(f"a verdict is not verified: {verdicts}")
            if len(verdicts) != self.fault.segments:
                raise WrongResultError(f"{self.fault.segments} segments have {len(verdicts)} verdicts")

    def _resume(self, run_id: str, *options: str) -> Ended:
        ended = self._run("server-a", "run", "--resume", run_id, *options, "--json")
        self._count_losses(ended)
        return ended

    def _count_losses(self, ended: Ended) -> None:
        """Count what A says it had been told was written, and found missing."""
        if ended.returncode == 0:
            self.counts["lost"] += json.loads(ended.stdout).get("lost_acknowledged", 0)

    def _run(self, name: Name, *arguments: str) -> Ended:
        return end_of(start(name, *arguments, url=self._url), name)

    def _run_twice(self, name: Name, *arguments: str) -> None:
        """Run a program twice at once, to its end; what is left to do is done after it."""
        for process in [start(name, *arguments, url=self._url) for _ in range(2)]:
            end_of(process, name)
            self.counts["at once"] += 1
