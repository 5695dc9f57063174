"""What options name as files, and is none: a pipe, such as `<(pass show redis)` gives, a named one, or a device.

It is read within bounds of bytes and of time, once in a process, and kept: a pipe is empty afterwards, and an endpoint
is opened again after a loss, by several threads, and by processes that don't even have the pipe. A regular file is read
at each opening, so that a changed password counts. Opening what has no writer would wait for one, without an end and
deaf to a stop request; therefore it is opened without waiting, and waited for with a limit.
"""

from __future__ import annotations

import os
import select
import stat
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from shared.endpoint.settings import EndpointSettings, without_warnings
from shared.errors import InvalidInputError

LIMIT_S = 60.0  # enough to unlock a password store by hand
MAX_PEM_BYTES = 4 * 1024 * 1024  # all that systems trust take a tenth
_PIECE_BYTES = 64 * 1024
_kept: dict[tuple[str, int], bytes] = {}  # what was read, by name and bound
_copies: dict[str, tuple[int, str]] = {}  # open descriptors of copies, and the names that lead to them, by name


class SilentPipeError(Exception):
    """Nothing came within the limit."""


def is_stream(name: str | None) -> bool:
    """Tell whether a name is that of a pipe or a device, which is read only once."""
    try:
        mode = Path(name or "").stat().st_mode
    except (OSError, ValueError):  # also a name that no file can have; whoever opens it says so
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_at_once(name: str) -> int:
    """Return a descriptor of a file for reading, also of a pipe that nobody writes to yet."""
    return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def read_given(name: str, most_bytes: int, *, until: bytes = b"") -> bytes:
    """Return what a file or a stream holds: up to its end, to the piece with `until`, or more bytes than so many.

    Raises:
        OSError: It can't be read.
        SilentPipeError: It is a stream that has neither ended nor said so much within the limit.
    """
    key = (name, most_bytes)
    if key not in _kept:
        found = _read(name, most_bytes, until)
        if not is_stream(name):
            return found
        _kept[key] = found
    return _kept[key]


def _read(name: str, most_bytes: int, until: bytes) -> bytes:
    give_up_at, found = time.monotonic() + LIMIT_S, bytearray()
    descriptor = open_at_once(name)
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        while len(found) <= most_bytes and not (until and until in found):
            # a pipe that nobody has opened for writing yet tells nothing, not even its end
            if not waiting.poll(max(0.0, give_up_at - time.monotonic()) * 1_000):
                raise SilentPipeError
            try:
                piece = os.read(descriptor, min(_PIECE_BYTES, most_bytes + 1 - len(found)))
            except BlockingIOError:  # another reader was faster
                continue
            if not piece:
                break
            found += piece
    finally:
        os.close(descriptor)
    return bytes(found)


def pem_path(name: str, option: str) -> str:
    """Return the name of a file for OpenSSL, which reads files alone: of a stream that of a copy in memory.

    Raises InvalidInputError if there is nothing to read, or too much.
    """
    if not is_stream(name):
        return name
    if name not in _copies:
        try:
            found = read_given(name, MAX_PEM_BYTES)
        except SilentPipeError as error:
            raise silent_pipe(option, "a PEM file") from error
        except OSError as error:
            got = f"{name}: {error.strerror}"
            raise InvalidInputError(where=option, expected="a PEM file that can be read", got=got) from error
        if len(found) > MAX_PEM_BYTES:
            expected = f"a PEM file of at most {MAX_PEM_BYTES:,} bytes"
            raise InvalidInputError(where=option, expected=expected, got=f"more in {name}")
        _copies[name] = _copy(found)
    return _copies[name][1]


def _copy(data: bytes) -> tuple[int, str]:
    """Return a file in memory, where the system has such files, and a name that leads there for as long as we live."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem")
        name = f"/proc/{os.getpid()}/fd/{descriptor}"  # which a writer's process can open, too
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
        name = f"/dev/fd/{descriptor}"
    with os.fdopen(os.dup(descriptor), "wb") as copy:
        copy.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor, name


def silent_pipe(option: str, what: str, advice: str = "") -> InvalidInputError:
    """Return the error for a stream from which nothing has come."""
    expected, got = f"{what} within {LIMIT_S:g} s", "a pipe to which nobody has written it"
    return InvalidInputError(where=option, expected=expected, got=got, advice=advice)


def hold_streams(settings: EndpointSettings) -> None:
    """Read what the options name as files and is none: when a command begins, a signal still ends it at once.

    Raises InvalidInputError as `read_password` and `pem_path` do.
    """
    for_another_process(settings)


def for_another_process(settings: EndpointSettings) -> EndpointSettings:
    """Return the settings for another process of the same program, which has none of our pipes."""
    from shared.endpoint.passwords import read_password  # which imports this module

    found = without_warnings(settings)
    if found.password_file and is_stream(found.password_file):
        found = replace(found, password=read_password(found.password_file, found.password_option), password_file=None)
    file = found.sentinel_password_file
    if file and found.url.is_sentinel and is_stream(file):
        given = read_password(file, "--sentinel-password-file")
        found = replace(found, sentinel_password=given, sentinel_password_file=None)
    if not found.url.is_tls:
        return found
    return replace(
        found,
        tls_ca=found.tls_ca and pem_path(found.tls_ca, found.tls_ca_option),
        tls_cert=found.tls_cert and pem_path(found.tls_cert, "--tls-cert"),
        tls_key=found.tls_key and pem_path(found.tls_key, "--tls-key"),
    )
