"""`server-b report`: real runs of every kind as one file, and the same facts as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from demo.servers import Server
from shared.errors import VerificationFailedError
from shared.verdict import SegmentVerdict
from tests.stage.hand_over_in_process import OLDER, HandOver
from tests.stage.html_reading import ReadHtml
from tests.stage.programs import Finished, run_program
from tests.stage.runs import require_one_sentence
from tests.stage.turns import QUIET_S, TurnCounter

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
MAX_BYTES = 200_000


class Reported:
    """Makes reports of what is on a server, in a namespace."""

    def __init__(self, server: Server, namespace: str, directory: Path) -> None:
        """Make none yet."""
        self._server, self._namespace, self._file = server, namespace, directory / "report.html"

    def ended(self, *arguments: str, env: dict[str, str] | None = None) -> Finished:
        """Run `server-b report`."""
        return run_program("server-b", "report", *arguments, server=self._server, namespace=self._namespace, env=env)

    def html(self, *arguments: str) -> ReadHtml:
        """Return the file that was written, read."""
        ended = self.ended(*arguments, "--html", str(self._file))
        assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "", "")
        raw = self._file.read_bytes()
        assert len(raw) <= MAX_BYTES
        assert [path.name for path in self._file.parent.iterdir()] == [self._file.name]
        return ReadHtml(raw.decode())

    def run(self, *arguments: str) -> Any:
        """Return the run of `--json`."""
        ended = self.ended(*arguments, "--json")
        assert (ended.exit_code, ended.stderr) == (0, "")
        return ended.json()["run"]


@pytest.fixture
def reported(server: Server, namespace: str, tmp_path: Path) -> Reported:
    """Reports of the shared server."""
    return Reported(server, namespace, tmp_path)


def test_a_verified_run_of_a_few_milliseconds(hand_over: HandOver, reported: Reported) -> None:
    summary = hand_over.produce(count=10)
    hand_over.consume()
    text = reported.html().text
    assert "Verified 10 values in 1 segment: complete, in order and once." in text
    assert text.count(summary.digest) == 2
    run = reported.run()
    assert (run["digest_a"], run["digest_b"]) == (summary.digest, summary.digest)
    assert (run["first"], run["last"]) == ([str(n) for n in range(10, 0, -1)], "1")
    assert run["carts"][0]["total"] == "289.98"


def test_a_failed_run_shows_its_witness(hand_over: HandOver, reported: Reported, client: redis.Redis) -> None:
    hand_over.produce(count=2_500, segment_values=1_000)
    client.lset(hand_over.keys.segment(2), 499, "<script>alert(1)</script>")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    found = reported.html()
    assert "What is wrong: segment 2: changed" in found.text
    assert "First wrong position 1,501 Expected there 1501 Found there <script>alert(1)</script>" in found.text
    assert "script" not in found.tags
    run = reported.run()
    assert (run["verified"], run["failed"], run["digest_b"]) == (2, 1, "")
    assert run["witness"]["position"] == 1_501


def test_an_older_run_is_shown_by_its_id(hand_over: HandOver, reported: Reported) -> None:
    first = hand_over.produce(count=30, segment_values=10)
    hand_over.consume()
    second = hand_over.produce(count=20)
    assert reported.run()["run_id"] == second.run_id
    older = reported.run(first.run_id)
    assert (older["run_id"], older["verdict"], older["digest_b"]) == (first.run_id, "verified", first.digest)
    assert second.run_id in reported.html(first.run_id).text


def test_a_superseded_run(hand_over: HandOver, reported: Reported) -> None:
    first = hand_over.produce(count=20, segment_values=10)
    hand_over.produce(count=20, segment_values=10)
    hand_over.consume()
    assert reported.run(first.run_id)["verdict"] == "superseded"
    assert "Superseded by a newer run" in reported.html(first.run_id).text


def test_an_unfinished_run(hand_over: HandOver, reported: Reported, client: redis.Redis) -> None:
    run_id = hand_over.produce(count=20, segment_values=10).run_id
    client.hset(hand_over.keys.run(run_id), "finished_ms", 0)
    text = reported.html().text
    assert "Not finished 0 of 2 segments verified, 20 values without a verdict." in text
    assert f"server-a run --resume {run_id}" in text


def test_a_run_whose_record_has_expired(hand_over: HandOver, reported: Reported, client: redis.Redis) -> None:
    run_id = hand_over.produce(count=20, segment_values=10).run_id
    hand_over.consume()
    client.delete(hand_over.keys.run(run_id))
    run = reported.run()
    assert (run["verdict"], run["has_record"], run["count"], run["verified"]) == ("verified", False, 20, 2)
    assert "its record has expired or is not here" in reported.html().text


def test_a_run_that_lost_its_server_three_times(hand_over: HandOver, reported: Reported, client: redis.Redis) -> None:
    run_id = hand_over.produce(count=20, segment_values=10).run_id
    hand_over.consume()
    run_key, result = hand_over.keys.run(run_id), hand_over.keys.result(run_id)
    began_ms = reported.run()["began_ms"]
    lost = [[began_ms + 1_000 * n, began_ms + 1_000 * n + 400] for n in range(3)]
    client.hset(run_key, "outages", json.dumps(lost))
    verdict = SegmentVerdict.decode(cast("bytes", client.hget(result, "1")))
    assert verdict is not None
    client.hset(result, "1", replace(verdict, outages=lost, claimed_from="other").encode())
    run = reported.run()
    assert (len(run["outages"]), run["outage_s_a"], run["outage_s_b"]) == (6, 1.2, 1.2)
    text = reported.html().text
    assert text.count("server-a had no server for 400 ms , from") == 3
    assert "b claimed segment 1 from other" in text


def test_what_is_large_is_cut(hand_over: HandOver, reported: Reported, client: redis.Redis) -> None:
    hand_over.produce(count=20, segment_values=10)
    client.lset(hand_over.keys.segment(2), 0, "\x9b<b>" * 2**18)
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    client.hset(hand_over.keys.sku("sku123"), "name", "<s>" * 2**18)
    client.xadd(
        hand_over.keys.dead_letters(), {"origin": "1-1", "reason": "<u>" * 2**18, "consumer": "\x1b[2J" * 2**16}
    )
    found = reported.html()
    assert not {"u", "s"} & set(found.tags)
    assert "(786,432 bytes)" in found.text
    assert "\x1b" not in found.text


def test_it_takes_few_round_trips(hand_over: HandOver, reported: Reported, server: Server) -> None:
    hand_over.produce(count=3_000, segment_values=1)
    with TurnCounter(server.port, quiet_s=QUIET_S) as relay:
        url = f"redis://127.0.0.1:{relay.port}/0"
        asked = run_program("server-b", "report", "--json", server=url, namespace=hand_over.keys.namespace)
    assert asked.json()["run"]["segments"] == 3_000
    assert relay.turns <= 32, str(relay)


def test_without_the_extra_html_says_how_to_get_it_and_json_needs_none(
    hand_over: HandOver, reported: Reported, tmp_path: Path
) -> None:
    hand_over.produce(count=10)
    (tmp_path / "jinja2.py").write_text("raise ImportError")
    env = {"PYTHONPATH": str(tmp_path)}
    ended = reported.ended("--html", "-", env=env)
    require_one_sentence(ended, 2, "pip install 'redis-handover[page]'")
    assert reported.ended("--json", env=env).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "--html FILE, --json or both"),
        (("--html", "-", "--json"), 2, "both on stdout"),
        (("no-id", "--json"), 2, "a run id like"),
        ((OLDER, "--json"), 2, "nothing of it"),
        (("--html", "/nonexistent/report.html"), 75, "expected a run, got none"),
    ],
)
def test_what_can_not_be_reported(reported: Reported, arguments: tuple[str, ...], code: int, words: str) -> None:
    require_one_sentence(reported.ended(*arguments), code, words)


def test_a_file_that_can_not_be_written(hand_over: HandOver, reported: Reported) -> None:
    hand_over.produce(count=10)
    require_one_sentence(reported.ended("--html", "/nonexistent/report.html"), 2, "--html", "No such file")


def test_no_password_of_the_url_is_in_it(hand_over: HandOver, server: Server, namespace: str) -> None:
    hand_over.produce(count=10)
    with_login = server.url.replace("redis://", "redis://default:s3cr3t-w0rd@")
    for option in (("--html", "-"), ("--json",)):
        drawn = run_program("server-b", "report", *option, server=with_login, namespace=namespace)
        assert drawn.exit_code == 0, drawn.stderr
        assert "s3cr3t-w0rd" not in drawn.stdout
