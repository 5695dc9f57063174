"""One hand-over of a size, A and then B, with what the kernel and the server say of it: `python -m bench --scale N`.

It prints the rows of docs/scale.md. Nothing is compared here, so nothing is repeated.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.account import Account, accounted
from bench.launcher import process_cpu_s
from bench.raw import RawSocket
from demo.servers import Server

_MIB = 1024 * 1024
_WAIT_S = "60"


@dataclass(frozen=True)
class ScaleRow:
    """What one hand-over took.

    Attributes:
        server_bytes: What the server's data took after A, its own start not counted.
        server_peak_bytes: The most the server had allocated until B had ended.
        server_cpu_s: Processor time of the server over both programs.
    """

    a: Account
    b: Account
    server_bytes: int
    server_peak_bytes: int
    server_cpu_s: float

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON object's fields."""
        return {
            "values": self.a.report["count"],
            "segments": self.a.report["segments"],
            "writers": self.a.report.get("writers", 1),
            "a": _fields(self.a, "write_s"),
            "b": {**_fields(self.b, "read_s"), "verdict": self.b.report["verdict"]},
            "server_bytes": self.server_bytes,
            "server_peak_bytes": self.server_peak_bytes,
            "server_cpu_s": round(self.server_cpu_s, 2),
        }


def measure_scale(binary: Path, *, count: int, segment_values: int) -> ScaleRow:
    """Start a server, hand over so many numbers, and return what that took.

    Raises:
        ServerStartError: The server did not come up.
        RuntimeError: A program ended with another exit code than 0, as B does when the verdict is not `verified`.
    """
    with Server(binary) as server, closing(RawSocket(server.port)) as raw:
        empty = _memory(raw)["used_memory"]
        sizes = ("--count", str(count), "--segment-values", str(segment_values))
        a = accounted("server-a", "run", "--url", server.url, *sizes, "--json")
        filled = _memory(raw)["used_memory"]
        b = accounted("server-b", "run", "--url", server.url, "--once", "--wait-s", _WAIT_S, "--json")
        return ScaleRow(a, b, filled - empty, _memory(raw)["used_memory_peak"], process_cpu_s(server.pid))


def scale_text(row: ScaleRow) -> str:
    """Return a row as the lines of a Markdown table, for docs/scale.md."""
    facts = row.as_json()
    headings = ["values", "segments", "writers", "A wall", "write_s", "A CPU", "A memory"]
    headings += ["B wall", "read_s", "B CPU", "B memory", "server memory", "peak", "server CPU"]
    cells = [f"{facts['values']:,}", f"{facts['segments']:,}", str(facts["writers"])]
    for account, name in ((row.a, "write_s"), (row.b, "read_s")):
        cells += [_seconds(account.wall_s), _seconds(account.report[name]), _seconds(account.cpu_s)]
        cells.append(_mib(account.max_rss_bytes))
    cells += [_mib(row.server_bytes), _mib(row.server_peak_bytes), _seconds(row.server_cpu_s)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), cells))


def _fields(account: Account, name: str) -> dict[str, Any]:
    return {
        "wall_s": round(account.wall_s, 3),
        name: account.report[name],
        "cpu_s": round(account.cpu_s, 3),
        "max_rss_bytes": account.max_rss_bytes,
    }


def _memory(raw: RawSocket) -> dict[str, int]:
    """Return the whole numbers of INFO memory."""
    (text,) = raw.ask(("INFO", "memory"))
    pairs = (line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
    return {name: int(value) for name, value in pairs if value.isdigit()}


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _mib(size: int) -> str:
    return f"{size / _MIB:,.1f} MiB"
