"""compose.yaml for real: the verdict, and what the containers may and may not do while it is up."""

from __future__ import annotations

import os
import re

import pytest

from tests.stage.confinement import check_confined
from tests.stage.containers import NewProject
from tests.stage.engine import USERS, docker, inspect
from tests.stage.owned import new_container
from tests.stage.project import Project
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.kept_together("containers"), pytest.mark.timeout(900)]

SERVICES = ("server-a", "server-b", "redis", "passwords")
CLIENT = "import redis; r = redis.Redis('redis', username='{user}', password=open('/run/handover/password').read());"


@pytest.fixture(scope="module")
def up(new_module_project: NewProject, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project of compose.yaml, up, after A has ended; health is looked at every second."""
    override = tmp_path_factory.mktemp("health") / "override.yaml"
    override.write_text("services: {server-b: {healthcheck: {interval: 1s}}}")
    project = new_module_project(override=override)
    project.compose("up", "--no-build", "--detach")
    wait_until(lambda: project.state("server-a")["Status"] == "exited", description="A has ended", timeout_s=60)
    wait_until(lambda: _health(project) == "healthy", description="B is healthy", timeout_s=60)
    return project


def _health(project: Project) -> str:
    return str(project.state("server-b")["Health"]["Status"])


def test_up_ends_with_the_verdict_again_and_again(new_project: NewProject) -> None:
    project = new_project()
    for _ in range(2):
        ended = project.up_to_exit_of("server-a")
        assert ended.returncode == 0, ended
        assert re.search(r"server-b.*\| Run \S+ verified: 10,000 values in 1 segment, complete", ended.stdout)
        assert "server-b's verdict: verified." in ended.stdout
    assert project.state("server-b")["ExitCode"] == 0
    project.down()
    assert docker("volume", "ls", "-q", "-f", f"name={project.name}").stdout == ""


def test_no_verdict_in_time_is_75(new_project: NewProject) -> None:
    project = new_project(env={"SERVER_A_AWAIT_VERDICT_S": "1"})
    ended = project.up_to_exit_of("server-a", "server-a")
    assert ended.returncode == 75, ended


def test_the_verdict_stands_in_the_log(up: Project) -> None:
    assert up.state("server-a")["ExitCode"] == 0
    assert re.search(r"Run \S+ verified: 10,000 values", up.compose("logs", "server-b").stdout)


def test_each_container_is_confined(up: Project) -> None:
    containers = up.containers()
    assert set(containers) == set(SERVICES)
    check_confined(containers)


def test_b_writes_to_its_state_and_tmp_alone(up: Project) -> None:
    code = """
import os
for folder in '/', '/opt/handover', '/run/handover', '/home', '/tmp', '/state':
    try:
        with open(os.path.join(folder, 'probe'), 'w'): pass
        os.remove(os.path.join(folder, 'probe'))
        print(folder)
    except OSError: pass
"""
    assert up.python("server-b", code) == "/tmp\n/state"  # noqa: S108 - in the container


def test_b_has_no_capability(up: Project) -> None:
    status = up.python("server-b", "print(open('/proc/1/status').read())")
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(rf"^Uid:\s+{USERS['server-b']}\b", status, re.MULTILINE)


@pytest.mark.parametrize("program", USERS)
def test_the_password_is_for_its_program_alone(up: Project, program: str) -> None:
    code = "import os; s = os.stat('/run/handover/password'); print(oct(s.st_mode & 0o777), s.st_uid, s.st_size)"
    assert up.python(program, code) == f"0o400 {USERS[program]} 40"


def test_no_password_is_seen_from_outside(up: Project) -> None:
    passwords = up.passwords()
    assert len(set(passwords)) == len(passwords) == 5
    shown = str(up.containers()) + up.compose("logs").stdout
    assert [word for word in passwords if word in shown] == []


def test_each_program_does_with_redis_what_it_must_and_no_more(up: Project) -> None:
    a, b = (CLIENT.format(user=user) for user in USERS)
    assert up.python("server-b", f"{b} print(r.lrange('biglist', 0, 0))") == "[b'10000']"
    assert up.python("server-a", f"{a} print(r.llen('biglist'))") == "10000"
    attempts = "\nfor call in {calls}:\n    try: print(eval(call))\n    except redis.exceptions.NoPermissionError: pass"
    too_much_for_b = ["r.lpush('biglist', 1)", "r.hset('user:1', 'first_name', 'x')", "r.delete('signals')"]
    too_much_for_a = ["r.flushall()", "r.config_get()", "r.xreadgroup('server-b', 'x', {'signals': '>'})"]
    assert up.python("server-b", b + attempts.format(calls=too_much_for_b)) == ""
    assert up.python("server-a", a + attempts.format(calls=too_much_for_a)) == ""


def test_without_a_user_redis_answers_nothing(up: Project) -> None:
    ended = up.compose("exec", "-T", "redis", "redis-cli", "dbsize", ok=False)
    assert "NOAUTH" in ended.stdout + ended.stderr


def test_each_program_shares_a_network_with_redis_and_none_with_the_other(up: Project) -> None:
    networks = {service: inspect(up.container(service))[0]["NetworkSettings"]["Networks"] for service in SERVICES}
    assert list(networks["server-a"]) == [f"{up.name}_a"]
    assert list(networks["server-b"]) == [f"{up.name}_b"]
    assert {f"{up.name}_a", f"{up.name}_b"} <= set(networks["redis"])
    address_of_b = networks["server-b"][f"{up.name}_b"]["IPAddress"]
    code = """
import socket
for host, port in ('redis', 6379), ('server-b', 80), ('{address}', 80):
    try:
        socket.create_connection((host, port), timeout=3).close()
        print('reached')
    except ConnectionRefusedError: print('reached, refused')
    except OSError: print('not reached')
"""
    answers = up.python("server-a", code.format(address=address_of_b)).splitlines()
    assert answers == ["reached", "not reached", "not reached"]


def test_health_tells_a_stuck_consumer_from_an_idle_one(up: Project) -> None:
    """The heartbeat is made 20 s old: an idle consumer renews it, a stopped one has not for as long."""
    age = "import os, time; os.utime('/tmp/heartbeat', (time.time() - 20,) * 2)"
    look = "import os, time; print(time.time() - os.stat('/tmp/heartbeat').st_mtime)"
    up.python("server-b", age)
    wait_until(lambda: float(up.python("server-b", look)) < 5, description="an idle B renews its heartbeat")
    wait_until(lambda: _health(up) == "healthy", description="an idle B is healthy", timeout_s=60)
    up.signal("server-b", "STOP")
    up.python("server-b", age)
    wait_until(lambda: _health(up) == "unhealthy", description="a stopped B is unhealthy", timeout_s=60)
    up.signal("server-b", "CONT")
    wait_until(lambda: _health(up) == "healthy", description="B is healthy again", timeout_s=60)


def test_commands_run_in_the_container_of_a_program(up: Project) -> None:
    status = up.compose("run", "--rm", "--no-deps", "-T", "server-a", "status")
    assert "verified" in status.stdout
    read = up.compose("exec", "-T", "server-b", "python", "-m", "server_b", "read", "--limit", "2")
    assert read.stdout == "10000\n9999\n"


def test_sigterm_ends_each_program_within_its_grace(up: Project, new_project: NewProject) -> None:
    waiting = new_project(env={"SERVER_A_AWAIT_VERDICT_S": "600"})
    waiting.compose("up", "--no-build", "--detach", "server-a")
    wait_until(
        lambda: "Signalled run" in waiting.compose("logs", "server-a").stdout, description="A waits", timeout_s=60
    )
    for project, service, code in ((waiting, "server-a", 75), (up, "server-b", 0)):
        project.compose("stop", service)
        assert project.state(service)["ExitCode"] == code  # 137 for one that had to be killed


def test_each_program_alone_at_a_url_of_its_own(new_project: NewProject) -> None:
    """As on two hosts with a Redis in between, which knows no users: the generated passwords are not sent there."""
    url = "redis://elsewhere:6379/0"
    a = new_project(env={"SERVER_A_REDIS_URL": url})
    b = new_project(env={"SERVER_B_REDIS_URL": url, "SERVER_B_ONCE": "1"})
    alone = ("--no-build", "--no-deps")
    a.compose("up", *alone, "--no-start", "server-a")
    b.compose("up", *alone, "--no-start", "server-b")
    with new_container() as elsewhere:
        alias = ("--network-alias", "elsewhere")
        redis = (os.environ.get("REDIS_IMAGE", "redis:8"), "redis-server", "--save", "")
        docker("run", "--detach", "--name", elsewhere, "--network", f"{a.name}_a", *alias, *redis)
        docker("network", "connect", "--alias", "elsewhere", f"{b.name}_b", elsewhere)
        b.compose("up", *alone, "--detach", "server-b")
        ended = a.up_to_exit_of("server-a", *alone[1:], "server-a")
        assert ended.returncode == 0, ended
        assert "server-b's verdict: verified." in ended.stdout
        assert docker("wait", b.container("server-b")).stdout == "0\n"
    assert list(a.containers()) == ["server-a"]
    assert list(b.containers()) == ["server-b"]
