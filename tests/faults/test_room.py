"""Servers with little memory: a run that can't fit is refused before it writes, one that fits is not."""

from __future__ import annotations

import json
import random
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_a.run.new_run import record_of
from server_a.run.room import Found, Room
from server_a.run.settings import RunSettings
from server_a.run.values import NumberSource
from shared.check.permissions import ANY_TOKEN
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from tests.stage.check_runs import check, user_url
from tests.stage.faulty_link import FaultyLink
from tests.stage.programs import Finished, run_program
from tests.stage.runs import require_one_sentence
from tests.stage.servers import connect
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

COUNT = 400_000
MANY = ("--count", str(COUNT), "--segment-values", "20000")
ONE = ("--count", str(COUNT))
REFUSED = "of memory below its maxmemory for the run"


def run(server: Server | str, *arguments: str, **more: Any) -> Finished:
    """Run server-a."""
    return run_program("server-a", "run", *arguments, server=server, **more)


def used(client: redis.Redis) -> int:
    """Return the memory in use, once all that was removed is freed."""
    wait_until(lambda: not client.info("memory")["lazyfree_pending_objects"], description="nothing is being freed")
    return int(client.info("memory")["used_memory"])


def warm(server: Server, client: redis.Redis) -> int:
    """Have the server allocate what it keeps from its first run on, and return what it then uses."""
    assert run(server, "--count", "10").exit_code == 0
    client.flushall()
    return used(client)


def limit(client: redis.Redis, max_bytes: float) -> None:
    """Set the server's limit."""
    client.config_set("maxmemory", int(max_bytes))


def is_refused(ended: Finished) -> bool:
    """Tell whether a run was refused before it wrote."""
    return ended.exit_code == 75 and REFUSED in ended.stderr and "run started" not in ended.stderr


def estimate(server: Server, settings: RunSettings) -> int:
    """Return what a run of numbers is said to need on an empty server."""
    source = NumberSource(settings.number("count"))
    with closing(open_endpoint(EndpointSettings(parse_url(server.url)))) as endpoint:
        (need,) = Room(endpoint, Keyspace(), record_of(settings, source, ANY_TOKEN), source, Found()).needs().values()
    return need.peak_bytes


def test_a_run_that_can_not_fit_writes_nothing(own_server: Server) -> None:
    with connect(own_server) as client:
        limit(client, used(client) + 1_000_000)
        for more in ((), ("--overwrite",)):
            ended = run(own_server, *ONE, *more)
            require_one_sentence(ended, 75, REFUSED, "raise maxmemory")
            assert "--resume" not in ended.stderr
        assert client.dbsize() == 0
        code, found = check("server-a", own_server, *ONE)
        assert (code, len(found["troubles"])) == (75, 1)
        assert REFUSED in found["troubles"][0]


@pytest.mark.parametrize("options", [ONE, MANY], ids=["one", "many"])
def test_what_is_accepted_ends_and_what_is_refused_would_not_fit(own_server: Server, options: tuple[str, ...]) -> None:
    """Around what is needed: below it runs are refused, and without INFO they fail; above it they fit."""
    settings = RunSettings(count=COUNT, segment_values=int(options[3]) if options is MANY else None)
    with connect(own_server) as client:
        base = warm(own_server, client)
        need = estimate(own_server, settings)
        limit(client, base + need * 0.9)
        assert is_refused(run(own_server, *options))
        without_info = run(user_url(own_server, "-info"), *options)
        assert without_info.exit_code == 75
        assert "run started" in without_info.stderr
        limit(client, 0)
        client.flushall()
        limit(client, used(client) + need * 1.1)
        assert run(own_server, *options).exit_code == 0


@pytest.mark.parametrize("shape", ["numbers", "short", "long"])
def test_lines(own_server: Server, tmp_path: Path, shape: str) -> None:
    choice = random.Random(1)
    texts = {
        "numbers": lambda: str(choice.randrange(10 ** choice.randint(1, 12))),
        "short": lambda: "x" * choice.randint(1, 12),
        "long": lambda: "x" * choice.randint(200, 6_000),
    }
    file = tmp_path / "values"
    file.write_text("\n".join(texts[shape]() for _ in range(2_000 if shape == "long" else 400_000)) + "\n")
    with connect(own_server) as client:
        base = warm(own_server, client)
        assert run(own_server, "--values", str(file)).exit_code == 0
        needed = used(client) - base
        client.flushall()
        limit(client, base + needed * 0.7)
        assert is_refused(run(own_server, "--values", str(file)))
        limit(client, base + needed * 1.3)
        assert run(own_server, "--values", str(file)).exit_code == 0


def test_a_run_replaces_one_of_its_size_segment_by_segment(own_server: Server) -> None:
    with connect(own_server) as client:
        base = warm(own_server, client)
        assert run(own_server, *MANY).exit_code == 0
        limit(client, base + (used(client) - base) * 1.2)
        assert run(own_server, *MANY).exit_code == 0


def test_a_list_that_is_replaced_as_a_whole_needs_room_beside_it(own_server: Server) -> None:
    with connect(own_server) as client:
        base = warm(own_server, client)
        assert run(own_server, *ONE).exit_code == 0
        limit(client, base + (used(client) - base) * 1.5)
        assert is_refused(run(own_server, *ONE))
        assert is_refused(run(own_server, *ONE, "--overwrite"))
        limit(client, base + (used(client) - base) * 2.3)
        assert run(own_server, *ONE).exit_code == 0


@pytest.mark.parametrize("is_known", [True, False])
def test_older_lines_free_what_they_take(own_server: Server, tmp_path: Path, *, is_known: bool) -> None:
    """Longer than the numbers that their state makes them look like, also when the older run's record is gone."""
    file = tmp_path / "values"
    file.write_text("\n".join("x" * 40 for _ in range(40_000)) + "\n")
    options = ("--values", str(file), "--segment-values", "2000")
    with connect(own_server) as client:
        base = warm(own_server, client)
        assert run(own_server, *options).exit_code == 0
        if not is_known:
            client.delete(*client.keys("run:*"))
        limit(client, base + (used(client) - base) * 1.3)
        assert run(own_server, *options).exit_code == 0


def test_a_shop_that_is_there_needs_no_more(own_server: Server) -> None:
    options = ("--count", "10", "--users", "30000")
    with connect(own_server) as client:
        base = warm(own_server, client)
        limit(client, base + 1_000_000)
        assert is_refused(run(own_server, *options))
        limit(client, 0)
        assert run(own_server, *options).exit_code == 0
        limit(client, used(client) + 300_000)
        assert run(own_server, *options).exit_code == 0


def test_a_resumed_run_needs_only_what_is_missing(own_server: Server) -> None:
    with connect(own_server) as client:
        base = warm(own_server, client)
        need = estimate(own_server, RunSettings(count=COUNT, segment_values=20_000))
        with FaultyLink(own_server.port) as link:  # the room goes when half of it is written
            link.at(b"RENAME", lambda: limit(client, used(client) + 50_000), nth=10)
            ended = run(link.url, *MANY)
        found = re.search(r"server-a run --resume (\S+)", ended.stderr)
        assert ended.exit_code == 75
        assert found, ended.stderr
        resume = ("--resume", found[1])
        refused = run(own_server, *resume)
        assert is_refused(refused)
        assert f"go on with: server-a run --resume {found[1]}" in refused.stderr
        limit(client, base + need * 1.2)
        assert run(own_server, *resume).exit_code == 0


def test_without_info_the_log_says_once_what_would_make_it_known(own_server: Server) -> None:
    with connect(own_server) as client:
        limit(client, used(client) + 10_000_000)
    ended = run(user_url(own_server, "-info"), "--count", "10", "--log-format", "json")
    events = [json.loads(line) for line in ended.stderr.splitlines()]
    (said,) = [event for event in events if event["event"] == "memory not compared"]
    assert ended.exit_code == 0
    assert "+info" in said["reason"]
    assert "memory not compared" not in run(own_server, "--count", "10").stderr


@pytest.mark.parametrize("nth", [2, 5, 8])
def test_a_full_server_is_met_with_less_under_way(own_server: Server, nth: int) -> None:
    """Full at a batch of the first segment, while another one is under way, until an attempt is given up."""
    with connect(own_server) as client, FaultyLink(own_server.port) as link:
        link.at(b"LPUSHX", lambda: limit(client, 1), nth=nth)
        link.at(b"LPUSHX", lambda: link.at(b"UNLINK", lambda: limit(client, 0)), nth=nth)
        ended = run(link.url, *MANY)
        assert (ended.exit_code, "attempt lost" in ended.stderr) == (0, True), ended
        assert sum(client.llen(key) for key in client.scan_iter("*", _type="list")) == COUNT
