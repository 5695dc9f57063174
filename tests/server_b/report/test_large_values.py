"""Lines of 1 MiB: verdict, report and terminal show 200 bytes of each, whatever the server takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver
from tests.stage.servers import connect

MIB = 1024 * 1024


@pytest.mark.parametrize("print_values", [0, 10, 1_000])
def test_large_lines_make_small_verdicts_and_come_to_an_end(
    print_values: int, own_server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "lines"
    file.write_text("".join(f"{number:06}{'x' * (MIB - 6)}\n" for number in range(20)))
    hand_over = HandOver(own_server.url, Keyspace(""))
    run_id = hand_over.produce(values=str(file)).run_id
    with connect(own_server) as client:
        client.config_set("proto-max-bulk-len", "1mb")
        report = hand_over.consume(print_values=print_values)
        assert (report.run_id, report.verdict) == (run_id, "verified")
        assert int(client.hstrlen(f"{{signals}}:result:{run_id}", "1")) < 10_000
    assert len(json.dumps(report.as_json())) < 10_000
    assert len(report.as_text(print_values=print_values)) < 10_000
    assert report.last.endswith(f"… ({MIB:,} bytes)")
