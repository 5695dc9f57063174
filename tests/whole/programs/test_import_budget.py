"""What a command imports: nothing that only other commands need. Modules are counted, not milliseconds."""

from __future__ import annotations

import pytest

from demo.servers import Server
from tests.stage.programs import Name, run_program

# what no command here needs: those of clusters, of tokens from Entra ID, of files of values, and heavy ones of Python's
_NOBODY = {"shared.endpoint.cluster", "shared.endpoint.entra", "server_a.run.lines", "_strptime", "unittest"}
_LOGGING = {"structlog", "rich", "shared.program.logs"}  # structlog imports rich wherever that is installed
_SHOP = {"decimal", "shared.shop.records", "server_a.shop.record_commands", "server_a.shop.cart_commands"}
_PAGE = {"shared.page", "jinja2", "starlette", "uvicorn"}
_RUN = {"server_a.run.story", "server_b.story", "shared.signal", "shlex"}
_REDIS = {"redis", "hiredis", "ssl", "asyncio", "hashlib"}  # redis-py imports the others
# check takes a median with `statistics`, which imports decimal
_CHECK = _LOGGING | (_SHOP - {"decimal"})

_UNNEEDED: dict[tuple[Name, *tuple[str, ...]], set[str]] = {
    ("server-a", "run", "--count", "10"): {"shared.status.status", "server_a.shop.record_commands", "server_b"},
    ("server-a", "status"): _LOGGING | _SHOP | {"shlex", "server_a.run.new_run"},
    ("server-a", "check"): _CHECK - {"shared.shop.records"},  # it says what a run writes, records included
    ("server-a", "sku", "list"): _LOGGING | _RUN | {"server_a.shop.cart_commands"},
    ("server-a", "user", "list"): _LOGGING | _RUN | {"server_a.shop.cart_commands"},
    ("server-a", "cart", "show", "1"): _LOGGING | _RUN | {"server_a.shop.record_commands"},
    ("server-a", "purge", "--yes"): _LOGGING | _SHOP | {"server_a.run.story"},
    ("server-a", "--version"): _LOGGING | _SHOP | _RUN | _REDIS,
    ("server-a", "run", "--help"): _LOGGING | _SHOP | _RUN | _REDIS,
    ("server-a", "--help"): _LOGGING | _RUN | _REDIS,
    ("server-b", "run", "--wait-s", "0"): _PAGE | {"shared.status.status", "server_a"},
    ("server-b", "status"): _LOGGING | _SHOP | _PAGE | {"server_b.story"},
    ("server-b", "check"): _CHECK | _PAGE | {"server_b.story"},
    ("server-b", "read", "--limit", "1"): _LOGGING | _SHOP | _PAGE | {"server_b.story"},
    ("server-b", "report", "--json"): _LOGGING | {"jinja2", "starlette", "uvicorn", "server_b.story"},
    ("server-b", "dead", "list"): _LOGGING | _SHOP | _PAGE | {"server_b.story"},
    ("server-b", "--help"): _LOGGING | _SHOP | _RUN | _PAGE | _REDIS,
}


@pytest.mark.parametrize("command", _UNNEEDED, ids=" ".join)
def test_a_command_imports_nothing_that_it_has_no_need_of(
    valkey9: Server, namespace: str, command: tuple[Name, *tuple[str, ...]]
) -> None:
    program, *arguments = command
    # each import is reported on stderr as it ends, also of a program that is told to stop at once
    ended = run_program(program, *arguments, server=valkey9, namespace=namespace, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "Traceback" not in ended.stderr
    imported = {line.split("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")}
    assert program.replace("-", "_") in imported
    assert imported & (_UNNEEDED[command] | _NOBODY) == set()
