"""The commands that begin and resume a run: they name what was read, and nothing that may be a password."""

from __future__ import annotations

import shlex
from itertools import pairwise
from typing import Any

import pytest

from server_a.run.settings import RunSettings, begin_command, resume_command
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from tests.stage.hand_over_in_process import RUN
from tests.stage.sentences import SECRET

SENTINELS = "redis+sentinel://127.0.0.1:26379/main"
FILES = ("--password-file", "--sentinel-password-file")


def _files_named(url: str, **options: Any) -> list[dict[str, str]]:
    """Return which files of passwords both commands name, and as what."""
    common = CommonSettings(EndpointSettings(parse_url(url), **options), Keyspace(), log_level="info", log_format=None)
    settings = RunSettings()
    commands = (begin_command(common, settings), resume_command(common, settings, RUN))
    pairs = [list(pairwise(words)) for words in map(shlex.split, commands)]
    return [{name: value for name, value in found if name in FILES} for found in pairs]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", SENTINELS])
def test_the_commands_name_the_files_that_were_read(url: str) -> None:
    options = {"password_file": "a file", "sentinel_password_file": "another"}
    expected = dict(zip(FILES, options.values(), strict=True))
    if url != SENTINELS:
        del expected["--sentinel-password-file"]
    assert _files_named(url, **options) == [expected, expected]


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://127.0.0.1:6379/0", {"sentinel_password_file": SECRET}),
        ("unix:///run/redis.sock", {"sentinel_password_file": SECRET}),
        ("rediss://127.0.0.1:6380/0", {"password_file": SECRET, "auth": "entra"}),
    ],
)
def test_what_was_never_opened_as_a_file_is_in_no_command(url: str, options: dict[str, str]) -> None:
    assert _files_named(url, **options) == [{}, {}]
