"""One hand-over with one fault: carried on until it is verified, and held against what A was given."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, cast

from demo.parent import ending_with_us
from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.programs import Name, environment_of
from tests.stage.random_link import Effect, RandomLink
from tests.stage.soak_faults import Fault

if TYPE_CHECKING:
    import redis

TIMEOUT_S = 120.0
MAX_ROUNDS = 6
_FROZEN_S = 0.05


class WrongResultError(Exception):
    """A run was called verified whose list is another one, or could not be brought to its end."""


@dataclass
class Trial:
    """Carries a hand-over out, and counts what came of it.

    Attributes:
        counts: `met` if the fault came, `resumed`, `repaired` and `read again` for what was needed after it.
    """

    server: Server
    client: redis.Redis
    fault: Fault
    counts: Counter[str] = field(default_factory=Counter)

    def carry_out(self) -> None:
        """Hand over, under the fault; raise WrongResultError unless all is as it must be in the end."""
        fault, sizes = (
            self.fault,
            ("--count", str(self.fault.count), "--segment-values", str(self.fault.segment_values)),
        )
        run_id = self._produce(*sizes) if fault.program == "server-a" else ""
        if not run_id:  # none was begun before the fault, or it is for B
            run_id = self._id_of(self._run("server-a", "run", *sizes, "--json"))
        is_first, code = fault.program == "server-b", -1
        for _ in range(MAX_ROUNDS):
            consume = self._meet if is_first else self._run
            is_first, options = False, ("--wait-s", "5", "--claim-idle-ms", "500", "--json")
            code = consume("server-b", "run", "--run", run_id, *options).returncode
            if code == 0:
                break
            self.counts["read again"] += 1
            repair = ["--repair"] if code == 65 else []
            self.counts["repaired"] += len(repair)
            self._run("server-a", "run", "--resume", run_id, *repair, "--json")
        if code != 0:
            raise WrongResultError(f"not verified after {MAX_ROUNDS} times, but {code}")
        self._require_exact()

    def _produce(self, *sizes: str) -> str:
        """Carry a run out under the fault, resume it until it has ended; return its id, empty if none was begun."""
        ended = self._meet("server-a", "run", *sizes, "--json")
        run_id = self._id_of(ended)
        if not run_id:
            return ""
        for _ in range(MAX_ROUNDS):
            if ended.returncode == 0:
                return run_id
            self.counts["resumed"] += 1
            ended = self._run("server-a", "run", "--resume", run_id, "--json")
            if ended.returncode == 2:  # its record was never written
                return ""
        raise WrongResultError(f"not finished after {MAX_ROUNDS} times: {ended.returncode} {ended.stderr[-500:]!r}")

    def _meet(self, name: Name, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a program that meets the fault."""
        fault, has_acted = self.fault, Event()
        number = signal.SIGKILL if fault.kind == "kill" else signal.SIGSTOP
        started: list[subprocess.Popen[bytes]] = []

        def act() -> None:
            started[0].send_signal(number)
            has_acted.set()

        effect = cast("Effect", "act" if fault.kind in {"kill", "freeze"} else fault.kind)
        with RandomLink(self.server.port, effect, fault.direction, fault.after_bytes, act=act, bit=fault.bit) as link:
            process = self._start(name, *arguments, url=link.url)
            started.append(process)
            if fault.kind == "freeze":
                self._take_over(process, has_acted, arguments)
            try:
                stdout, stderr = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise WrongResultError(f"{name} did not end in {TIMEOUT_S:g} s") from None
            if fault.kind == "late":
                link.deliver_late()
            self.counts["met"] += link.has_come
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def _take_over(self, frozen: subprocess.Popen[bytes], has_acted: Event, arguments: tuple[str, ...]) -> None:
        """Let another process do what a frozen one has begun, and wake that one."""
        while frozen.poll() is None and not has_acted.wait(_FROZEN_S):
            pass
        if not has_acted.is_set():
            return
        if self.fault.program == "server-b":
            self._run("server-b", *arguments)
        elif run_ids := [key.decode().rpartition(":")[2] for key in self.client.scan_iter(match="run:*", count=1_000)]:
            self._run("server-a", "run", "--resume", run_ids[0], "--json")
        frozen.send_signal(signal.SIGCONT)

    def _require_exact(self) -> None:
        """Hold the lists, read by plain LRANGE, against the numbers that A was given."""
        first, keys = 1, Keyspace("")
        for number in range(1, -(-self.fault.count // self.fault.segment_values) + 1):
            last = min(first + self.fault.segment_values - 1, self.fault.count)
            values = cast("list[bytes]", self.client.lrange(keys.segment(number), 0, -1))
            if values != [b"%d" % value for value in range(last, first - 1, -1)]:
                raise WrongResultError(f"segment {number} is called verified, and is another list than A was given")
            first = last + 1

    def _run(self, name: Name, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        process = self._start(name, *arguments, url=self.server.url)
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise WrongResultError(f"{name} did not end in {TIMEOUT_S:g} s") from None
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def _start(self, name: Name, *arguments: str, url: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", name.replace("-", "_"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_of(name, server=url, namespace="", env={}),
            start_new_session=True,
            preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call
        )

    def _id_of(self, ended: subprocess.CompletedProcess[bytes]) -> str:
        """Return the run id that server-a logged at its start; empty if it has not."""
        for line in ended.stderr.splitlines():
            if b'"run started"' in line:
                return str(json.loads(line)["run_id"])
        return ""
