"""What docs/telemetry.md says of redis-py's own metrics: its file starts a program that sends them beside ours."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.otlp_receiver import otlp_receiver
from tests.stage.programs import environment_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/telemetry.md").read_text()


@pytest.fixture
def traced(tmp_path: Path) -> Path:
    """The file of the page."""
    found = re.search(r"here `traced\.py`:\n\n((?: {4}.*\n|\n)+)", PAGE)
    assert found
    path = tmp_path / "traced.py"
    path.write_text(textwrap.dedent(found[1]))
    return path


@pytest.mark.parametrize("writers", ["1", "2"])
def test_redis_pys_metrics_come_beside_ours(writers: str, traced: Path, valkey9: Server, namespace: str) -> None:
    with otlp_receiver() as receiver:
        env = environment_of("server-a", server=valkey9, namespace=namespace, env=receiver.env)
        env["PYTHONPATH"] = str(ROOT)
        command = [sys.executable, str(traced), "run", "--writers", writers, "--segment-values", "5000"]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 0, ended.stderr
        named = set(re.findall(r"`(db\.client\.[a-z_.]+)`", PAGE))
        assert len(named) == 3
        assert named <= receiver.metric_names().keys()
        assert receiver.total("server-a", "handover.values.written") == 10_000
        assert len({resource["service.instance.id"] for resource in receiver.resources}) == 1
