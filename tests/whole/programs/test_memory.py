"""Memory does not grow with the count: both programs need the same for few values and for many."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.programs import Name, environment_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")

# Runs a program as `python -m` does and says at the end how much memory it had at most. The resource usage that a
# parent is told of a child was rejected: it counts what the parent itself had at the fork.
_MEASURED = """
import atexit, pathlib, runpy, sys
name, file = sys.argv[1:3]
peak = lambda: pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
atexit.register(lambda: pathlib.Path(file).write_text(peak()))
del sys.argv[:2]
runpy.run_module(name, run_name="__main__", alter_sys=True)
"""


class Measured:
    """Programs whose peak of memory is known."""

    def __init__(self, server: Server, namespace: str, directory: Path) -> None:
        """Use a server and a namespace."""
        self._server, self._namespace, self._directory = server, namespace, directory

    def peak_kib(self, name: Name, *arguments: str) -> int:
        """Run a program to its end and return the most memory it had, KiB."""
        file = self._directory / "peak"
        ended = subprocess.run(
            [sys.executable, "-c", _MEASURED, name.replace("-", "_"), str(file), *arguments],
            env=environment_of(name, server=self._server, namespace=self._namespace, env=None),
            capture_output=True,
            timeout=100,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr.decode()
        return int(file.read_text())

    def peaks_kib(self, *options: str) -> tuple[int, int]:
        """Hand a run over and return the most memory that A and B had, KiB."""
        a = self.peak_kib("server-a", "run", *options)
        return a, self.peak_kib("server-b", "run", "--once")


@pytest.fixture
def measured(valkey9: Server, namespace: str, tmp_path: Path) -> Measured:
    return Measured(valkey9, namespace, tmp_path)


def test_many_numbers_need_no_more_than_few(measured: Measured) -> None:
    few = measured.peaks_kib("--count", "200000")
    many = measured.peaks_kib("--count", "5000000")
    one_segment = measured.peaks_kib("--count", "3000000", "--segment-values", "100000000")
    for peaks in (many, one_segment):
        assert peaks[0] < few[0] + 4_096, (few, peaks)
        assert peaks[1] < few[1] + 4_096, (few, peaks)


def test_large_lines_are_held_a_few_chunks_at_a_time(measured: Measured, tmp_path: Path) -> None:
    few = measured.peaks_kib("--count", "1000")
    file = tmp_path / "values"
    with file.open("wb") as lines:
        for _ in range(100):
            lines.write(b"x" * 1_048_576 + b"\n")
    large = measured.peaks_kib("--values", str(file))
    assert large[0] < few[0] + 40_000, (few, large)
    assert large[1] < few[1] + 80_000, (few, large)


def test_a_large_shop_is_written_a_portion_at_a_time(measured: Measured) -> None:
    few = measured.peaks_kib("--count", "1000")
    shop = ("--users", "100000", "--skus", "50000", "--carts", "100000")
    large = measured.peaks_kib("--count", "1000", *shop)
    assert large[0] < few[0] + 20_000, (few, large)
    assert large[1] < few[1] + 4_096, (few, large)
