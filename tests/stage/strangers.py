"""Somebody in the network of A or B who tries to take over a cluster or the Sentinels of a compose project."""

from __future__ import annotations

import os

from tests.stage.engine import docker
from tests.stage.owned import new_container
from tests.stage.project import Project
from tests.stage.waiting import wait_until

ADMIN = "REDISCLI_AUTH=$(cat /run/handover/cluster-admin.password) redis-cli --user cluster-admin"
WATCHER = "REDISCLI_AUTH=$(cat /run/handover/watcher.password) redis-cli -p 26379 --user watcher"
REACHED = """
import socket
for port in (*range(6379, 6385), *range(16379, 16385)):
    for host in 'redis', *(f'redis-{n}' for n in range(1, 7)):
        try: socket.create_connection((host, port), timeout=3).close()
        except OSError: continue
        print(port)
"""
ATTEMPTS = """
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
def read(name): return open(f'/run/handover/{{name}}').read()
data = 'server-{letter}', read('password')
asker = 'asker-{letter}', read('asker-{letter}.password')
def attempt(host, port, login, command):
    client = redis.Redis(host, port, username=login[0], password=login[1], protocol=2, retry=Retry(NoBackoff(), 0))
    try: print('DONE', client.execute_command(*command))
    except redis.AuthenticationError as error: print('NOAUTH', error)
    except redis.exceptions.NoPermissionError as error: print('NOPERM', error)
    except redis.ResponseError as error: print('OTHER', error)
for number in 1, 2, 3:
    for command in {attempts}:
        for login in (None, None), asker, data:
            attempt(f'sentinel-{{number}}', 26379, login, command)
for host in 'redis', 'replica':
    for command in {attempts}[:1], [('REPLICAOF', 'NO', 'ONE')]:
        for login in (None, None), data:
            attempt(host, 6379, login, command[0])
"""


def check_that_a_stranger_can_not_join(project: Project) -> None:
    """A node of A's network introduces itself to whatever is there, at every port of data and bus."""
    project.compose("up", "--no-build", "--detach", "gate")
    wait_until(
        lambda: project.state("gate")["Health"]["Status"] == "healthy", description="the gate is open", timeout_s=60
    )
    reached = project.python("server-a", REACHED)
    assert reached.split() == [str(port) for port in range(6379, 6385)], "the data ports and no bus"
    with new_container() as stranger:
        node = (*("redis-server", "--save", ""), *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000"))
        image = os.environ.get("REDIS_IMAGE", "redis:8")
        docker("run", "--detach", "--name", stranger, "--network", f"{project.name}_a", image, *node)
        cli = ("exec", stranger, "redis-cli")
        wait_until(
            lambda: docker(*cli, "ping", ok=False).stdout == "PONG\n", description="the stranger is up", timeout_s=60
        )
        address = docker("exec", stranger, "getent", "hosts", "redis").stdout.split()[0]
        for port in range(6379, 6385):
            for bus in (port, port + 10_000):
                docker(*cli, "cluster", "meet", address, str(port), str(bus))
        wait_until(
            lambda: len(docker(*cli, "cluster", "nodes").stdout.splitlines()) == 1,
            description="the stranger has given up",
            timeout_s=60,
        )
    assert "cluster_known_nodes:6" in project.shell("redis", f"{ADMIN} cluster info")


def check_that_a_stranger_can_not_turn_the_sentinels(project: Project) -> None:
    """Neither without a login nor as A or B, from A's and from B's network, at Sentinels and at servers."""
    run_id = "f" * 40
    hello = f"10.9.9.9,26379,{run_id},99,handover,10.9.9.9,6379,99"
    attempts = [
        ("PUBLISH", "__sentinel__:hello", hello), ("SENTINEL", "SET", "handover", "quorum", "1"),
        ("SENTINEL", "FAILOVER", "handover"), ("SENTINEL", "REMOVE", "handover"),
        ("SENTINEL", "CONFIG", "SET", "announce-ip", "1.1.1.1"), ("ACL", "SETUSER", "x"), ("SHUTDOWN",),
        ("SENTINEL", "MONITOR", "other", "10.9.9.9", "6379", "1"),
    ]  # fmt: skip
    for letter in "ab":
        said = project.python(f"server-{letter}", ATTEMPTS.format(letter=letter, attempts=attempts)).splitlines()
        assert len(said) == 3 * len(attempts) * 3 + 2 * 2 * 2, said
        assert {line.split()[0] for line in said} <= {"NOAUTH", "NOPERM"}, said
    masters = project.shell("sentinel-1", f"{WATCHER} sentinel ckquorum handover")
    assert "OK 3 usable" in masters
