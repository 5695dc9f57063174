"""docs/two-hosts.md, followed to the letter: every block on its host, every output as printed there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from demo.parent import ending_with_us
from demo.processes import program_environment
from demo.servers import Server
from tests.stage.network import Host, Network
from tests.stage.page_blocks import Block, read_blocks, without_varying_parts
from tests.stage.servers import binary
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.redis_server, pytest.mark.root]

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "two-hosts.md"
NUMBERS = {"a": 1, "b": 2, "redis": 11, "replica": 12, "stranger": 99}


class Reader:
    """Somebody who follows the page, with a shell on each host."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        """Sit down.

        Args:
            directory: For what the commands write; each host gets one of its own in it.
            stack: Ends what was started.
        """
        self._directory = directory
        self._stack = stack
        network = Network()
        stack.callback(network.close)
        self._hosts: dict[str, Host] = {}
        for name, number in NUMBERS.items():
            self._hosts[name] = network.add_host(number)
            (directory / name).mkdir()
            (directory / name / "deploy").symlink_to(ROOT / "deploy")
        self._background: subprocess.Popen[bytes] | None = None
        self._background_output: IO[bytes] | None = None
        self._printed = ""

    def follow(self, block: Block) -> None:
        """Do what a block says, or hold its text against what was printed."""
        match block.kind, block.words:
            case "sh", (host, "background"):
                self._start(host, block.content)
            case "sh", (host, *passwords):
                self._printed = self.run(host, block.content, typed="".join(f"{word}\n" for word in passwords))
            case "conf", (host,):
                self._start_server(host, block.content)
            case "text", ():
                assert without_varying_parts(self._printed) == self._expected(block)
            case "text", ("background",):
                assert without_varying_parts(self._background_printed()) == self._expected(block)
            case _:
                assert block.kind == "sh", f"no reader can follow a block of kind {block.kind} {block.words}"

    def run(self, host: str, script: str, *, typed: str = "") -> str:
        """Run commands on a host, which may read what is typed, and return what they print; they must succeed."""
        with self._hosts[host].inside():
            done = subprocess.run(
                ["bash", "-euc", self._here(script)],
                cwd=self._directory / host,
                env=self._environment(),
                input=typed.encode(),
                capture_output=True,
                timeout=60,
                check=False,
                preexec_fn=ending_with_us(),
            )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def _start(self, host: str, script: str) -> None:
        self._background_output = self._stack.enter_context((self._directory / "background").open("w+b"))
        with self._hosts[host].inside():
            self._background = subprocess.Popen(
                ["bash", "-euc", f"exec {self._here(script)}"],
                cwd=self._directory / host,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=self._background_output,
                stderr=subprocess.DEVNULL,
                preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and no thread starts programs
            )
        self._stack.callback(self._background.wait)
        self._stack.callback(self._background.kill)

    def _background_printed(self) -> str:
        assert self._background is not None
        assert self._background_output is not None
        assert self._background.wait(60) == 0
        self._background_output.seek(0)
        return self._background_output.read().decode()

    def _start_server(self, host: str, configuration: str) -> None:
        directory = self._directory / host
        (directory / "page.conf").write_text(self._here(configuration).replace("/etc/redis", str(directory)), "utf-8")
        server = Server(binary("redis7"), ("--include", str(directory / "page.conf")))
        self._stack.callback(server.stop)
        with self._hosts[host].inside():
            server.start()
        if "replicaof" in configuration:
            wait_until(
                lambda: "MASTER <-> REPLICA sync: Finished" in server.log(), description="the replica is in sync"
            )

    def _expected(self, block: Block) -> str:
        return without_varying_parts(self._here(block.content))

    def _here(self, text: str) -> str:
        """Return a text of the page with our hosts' addresses; those of the page are nobody's."""
        numbers = {str(host.address.rpartition(".")[2]): host.address for host in self._hosts.values()}
        return re.sub(r"192\.0\.2\.(\d+)", lambda found: numbers[found.group(1)], text)

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**program_environment(os.environ), "PATH": path, "HOME": str(self._directory), "XDG_STATE_HOME": ""}


@pytest.fixture
def reader(tmp_path: Path, session_directory: Path) -> Iterator[Reader]:
    """A reader with four hosts and one that the page does not know."""
    with ExitStack() as stack:
        yield Reader(tmp_path, stack)


def test_page(reader: Reader) -> None:
    blocks = read_blocks(PAGE)
    assert len(blocks) > 20
    for block in blocks:
        reader.follow(block)
    # what the firewall does not let in gets no answer at all
    refused = reader.run("stranger", "server-a check --url redis://192.0.2.11:6379/0 2>&1 || echo ended with $?")
    assert "Timeout connecting to server" in refused
    assert "ended with 69" in refused
