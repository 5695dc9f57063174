"""SIGTERM and SIGINT while a program still imports: it ends, also as pid 1, where the kernel protects a process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.parent import ending_with_us
from demo.servers import Server
from tests.stage.programs import Name, environment_of

ROOT = Path(__file__).parents[3]
# Sends itself a signal before the nth import, counted from click's, of a program that is run as `python -m` does.
_SIGNALLED = """
import os, runpy, sys
name, number, nth, *arguments = sys.argv[1:]
left = int(nth)
is_counting = False
def count(event, facts):
    global left, is_counting
    if event == "import":
        is_counting = is_counting or facts[0] == "click"
        left -= is_counting
        if left == 0 and is_counting:
            is_counting = False
            left = -1
            os.kill(os.getpid(), int(number))
sys.argv = [name, *arguments]
sys.addaudithook(count)
runpy.run_module(name, run_name="__main__", alter_sys=True)
"""
# Sends itself SIGINT while the nth lock of an import is given back: Python drops what is raised there.
_AT_A_LOCK = """
import os, runpy, sys
name, nth, *arguments = sys.argv[1:]
left = int(nth)
def count(frame, event, _):
    global left
    if event == "call" and frame.f_code.co_name == "cb" and frame.f_code.co_filename.startswith("<frozen importlib"):
        left -= 1
        if left == 0:
            sys.setprofile(None)
            os.kill(os.getpid(), 2)
sys.argv = [name, *arguments]
def begin(event, facts):
    if event == "import" and facts[0] == "redis":
        sys.setprofile(count)
sys.addaudithook(begin)
runpy.run_module(name, run_name="__main__", alter_sys=True)
"""
_AS_PID_1 = ("unshare", "--pid", "--fork", "--kill-child")
_ALLOWED: dict[tuple[Name, *tuple[str, ...]], set[int]] = {
    ("server-a", "run", "--count", "1000"): {143, 75},  # 75 once there are stop requests
    ("server-a", "sku", "list"): {143},
    ("server-b", "run"): {143, 0},  # without a signal it goes on for ever
    ("server-b", "dead", "list"): {143},
}


def _ended(
    server: Server, namespace: str, command: tuple[Name, *tuple[str, ...]], number: int, nth: int, *before: str
) -> tuple[int, str]:
    """Return exit code, as a shell gives it, and stderr of a program that gets a signal at its nth import."""
    program, *arguments = command
    script = (_SIGNALLED, program.replace("-", "_"), str(int(number)), str(nth))
    return _ended_of(server, namespace, program, *before, sys.executable, "-c", *script, *arguments)


def _ended_of(server: Server, namespace: str, program: Name, *command: str) -> tuple[int, str]:
    ended = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        env=environment_of(program, server=server, namespace=namespace, env=None),
        timeout=60,
        check=False,
        text=True,
        start_new_session=True,
        preexec_fn=ending_with_us(),
    )
    return (ended.returncode if ended.returncode >= 0 else 128 - ended.returncode), ended.stderr


@pytest.mark.root
@pytest.mark.parametrize("command", _ALLOWED, ids=" ".join)
@pytest.mark.parametrize("nth", [1, 2, 10, 25, 40, 60, 90, 120])
def test_as_pid_1_sigterm_ends_it_during_its_imports(
    valkey9: Server, namespace: str, command: tuple[Name, *tuple[str, ...]], nth: int
) -> None:
    code, errors = _ended(valkey9, namespace, command, signal.SIGTERM, nth, *_AS_PID_1)
    assert code in _ALLOWED[command]
    assert "Traceback" not in errors


@pytest.mark.parametrize("command", _ALLOWED, ids=" ".join)
@pytest.mark.parametrize("nth", [1, 2, 10])
def test_sigint_during_its_first_imports_ends_it_without_a_traceback(
    valkey9: Server, namespace: str, command: tuple[Name, *tuple[str, ...]], nth: int
) -> None:
    assert _ended(valkey9, namespace, command, signal.SIGINT, nth) == (130, "")


@pytest.mark.parametrize("command", [("server-a", "sku", "list"), ("server-b", "dead", "list"), ("server-b", "read")])
@pytest.mark.parametrize("nth", [1, 3, 10, 30])
def test_sigint_in_the_midst_of_a_later_import_is_not_lost(
    valkey9: Server, namespace: str, command: tuple[Name, *tuple[str, ...]], nth: int
) -> None:
    program, *arguments = command
    script = (_AT_A_LOCK, program.replace("-", "_"), str(nth))
    ended = _ended_of(valkey9, namespace, program, sys.executable, "-c", *script, *arguments)
    assert ended == (130, "")


@pytest.mark.root
def test_as_pid_1_the_second_sigterm_ends_it_at_once() -> None:
    script = "import os; from shared.stopping import stop_requests\nwith stop_requests():\n" + 2 * " os.kill(1, 15)\n"
    ended = subprocess.run([*_AS_PID_1, sys.executable, "-c", script], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == 143
