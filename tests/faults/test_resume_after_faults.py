"""Resumed runs: what they keep, what they write again, and what they are refused for."""

from __future__ import annotations

import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server_a.run.settings import RunSettings, resume_command
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import InvalidInputError, NotFinishedError
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver
from tests.stage.programs import run_program
from tests.stage.servers import NewServer, connect

if TYPE_CHECKING:
    import redis

    from demo.servers import Server


def test_replicas_are_waited_for_again(hand_over: HandOver) -> None:
    with pytest.raises(NotFinishedError):
        hand_over.produce(count=10, min_replicas=1, patience_s=0.3)
    run_id = next(entry["run_id"] for entry in hand_over.logged.entries if entry["event"] == "run started")
    with pytest.raises(NotFinishedError, match="1 replicas that have the segment"):
        hand_over.produce(resume=run_id, min_replicas=1, patience_s=0.3)
    assert hand_over.produce(resume=run_id).run_id == run_id


def test_a_clock_that_went_back_does_not_make_a_run_newer_than_itself(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=10).run_id
    later = "20991231T235959999Z-ffffff"
    client.hset(keys.state(keys.segment(1)), "attempt", later)
    client.delete(keys.segment(1))
    hand_over.produce(resume=run_id)
    assert client.hget(keys.state(keys.segment(1)), "attempt") > later.encode()  # type: ignore[operator]


def test_a_record_lost_in_mid_run_comes_back_whole(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    with closing(StopRequest()) as stop:
        link.at(b"XADD", lambda: client.delete(*client.keys(f"{keys.prefix}run:*")))
        link.at(b"XADD", stop.request, nth=2)
        with pytest.raises(NotFinishedError):
            hand_over.produce(url=link.url, stop=stop, count=30_000, segment_values=10_000)
    (key,) = client.scan_iter(match=f"{keys.prefix}run:*")
    assert client.ttl(key) > 0
    run_id = str(key, "ascii").rpartition(":")[2]
    assert hand_over.produce(resume=run_id).count == 30_000


def test_what_is_left_of_a_record_is_no_run(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    run_id = hand_over.produce(count=10).run_id
    client.delete(keys.run(run_id))
    client.hset(keys.run(run_id), "published", 1)
    with pytest.raises(InvalidInputError, match="an unknown one"):
        hand_over.produce(resume=run_id)


def test_a_file_of_other_lengths_is_refused(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, tmp_path: Path
) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    short.write_bytes(b"abc\n" * 200)
    long.write_bytes(b"x" * 20_000 + b"\n" + b"abc\n" * 199)
    run_id = hand_over.produce(values=str(short)).run_id
    client.delete(keys.segment(1), keys.state(keys.segment(1)))
    with pytest.raises(InvalidInputError, match="the longest of 3 bytes"):
        hand_over.produce(resume=run_id, values=str(long))
    assert hand_over.produce(resume=run_id, values=str(short)).count == 200


def test_a_contradicting_retention_is_told_in_days(hand_over: HandOver) -> None:
    run_id = hand_over.produce(count=10).run_id
    with pytest.raises(InvalidInputError, match="expected 7, as the run has it, got 1"):
        hand_over.produce(resume=run_id, retain_days=1)


def test_the_command_that_is_advised_says_all_that_was_said_and_no_password() -> None:
    common = CommonSettings(
        EndpointSettings(
            url=parse_url("rediss://some%20body:s3cr7t9@redis.example:6380/0"), password="s3cr7t9", tls_ca="my ca.pem"
        ),
        Keyspace("shop1"),
        log_level="info",
        log_format=None,
    )
    settings = RunSettings(values="my file.txt", overwrite=True, min_replicas=2)
    command = resume_command(common, settings, "20261122T205801123Z-3f9a1c")
    assert shlex.split(command) == [
        "server-a", "run", "--resume", "20261122T205801123Z-3f9a1c",
        "--url", "rediss://some%20body@redis.example:6380/0", "--tls-ca", "my ca.pem", "--namespace", "shop1",
        "--values", "my file.txt", "--min-replicas", "2", "--overwrite",
    ]  # fmt: skip


def test_the_command_that_is_advised_goes_on(server: Server, namespace: str, link: FaultyLink) -> None:
    """As given to somebody whose shell knows nothing of the first command's options."""
    link.at(b"LPUSHX", lambda: None, is_forwarded=False)
    options = ("--url", link.url, "--namespace", namespace, "--patience-s", "0", "--count", "3000")
    ended = run_program("server-a", "run", *options)
    assert ended.exit_code == 69
    command = shlex.split(ended.stderr.splitlines()[-1].rpartition("go on with: ")[2])
    assert run_program("server-a", *command[1:]).exit_code == 0
    ended = run_program("server-b", "run", "--once", server=server, namespace=namespace)
    assert "verified: 3,000 values" in ended.stdout


@pytest.mark.redis_server
def test_the_user_of_a_url_is_advised_and_the_password_is_not(new_server: NewServer) -> None:
    own_server = new_server("redis7", "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    with connect(own_server) as client:
        client.acl_setuser(
            "app", enabled=True, passwords=["+s3cr7t9"], categories=["+@all"], commands=["-info"], keys=["*"]
        )
    url = own_server.url.replace("//", "//app:s3cr7t9@")
    ended = run_program("server-a", "run", "--count", "2000000", "--url", url)
    assert ended.exit_code == 75
    assert f"--url {own_server.url.replace('//', '//app@')}" in ended.stderr
    assert "s3cr7t9" not in ended.stderr


def test_purge_leaves_a_list_that_somebody_put_where_ours_was(
    hand_over: HandOver, server: Server, namespace: str, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10, segment_values=5)
    hand_over.produce(count=10)
    client.rpush(keys.segment(2), "mine")
    assert run_program("server-a", "purge", "--yes", "--shop", server=server, namespace=namespace).exit_code == 0
    assert client.keys(f"*{namespace}*") == [keys.segment(2).encode()]
