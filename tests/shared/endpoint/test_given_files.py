"""What stands where a file is meant: pipes that are written to in any pieces, silent ones, devices, folders."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from shared.endpoint.given_files import (
    MAX_PEM_BYTES,
    SilentPipeError,
    for_another_process,
    hold_streams,
    pem_path,
    read_given,
)
from shared.endpoint.passwords import MAX_PASSWORD_BYTES, read_password
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.tls import tls_context
from shared.endpoint.url import parse_url
from shared.errors import InvalidInputError
from tests.stage.certificates import Authority

SECRET = "s3cr7t9"
_numbers = count()  # what is read from a pipe is kept by its name


@contextmanager
def pipe_of(data: bytes, folder: Path, *, pieces: int = 1) -> Iterator[str]:
    """Name a pipe to which somebody writes data, in so many pieces, and who then closes it."""
    name = folder / f"pipe{next(_numbers)}"
    os.mkfifo(name)

    def write() -> None:
        with name.open("wb", buffering=0) as file:
            size = len(data) // pieces + 1
            for start in range(0, len(data), size):
                try:
                    file.write(data[start : start + size])
                except BrokenPipeError:  # the reader has seen enough
                    return

    writer = Thread(target=write, daemon=True)
    writer.start()
    yield str(name)
    writer.join(10)
    assert not writer.is_alive()


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nsecond line\n"], ids=ascii)
@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("password", [SECRET, "pässwörd", " a b ", "x" * 60_000, "\ufeffp"], ids=lambda text: text[:8])
def test_a_password_comes_through_a_pipe_and_can_be_read_again(
    password: str, pieces: int, end: str, tmp_path: Path
) -> None:
    with pipe_of(f"{password}{end}".encode(), tmp_path, pieces=pieces) as name:
        assert read_password(name) == password.removeprefix("\ufeff")
    assert read_password(name) == password.removeprefix("\ufeff")


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n", b"\xff", b"a\0b\n", b"x" * (MAX_PASSWORD_BYTES + 1)], ids=len)
def test_a_pipe_without_a_password_is_refused_as_a_file_is(data: bytes, tmp_path: Path) -> None:
    with pipe_of(data, tmp_path) as name, pytest.raises(InvalidInputError):
        read_password(name)


@pytest.mark.parametrize("size", [10**6, 10**8])
def test_of_an_endless_line_no_more_is_read_than_a_password_may_have(size: int, tmp_path: Path) -> None:
    with pipe_of(b"x" * size, tmp_path) as name, pytest.raises(InvalidInputError, match="a longer one"):
        read_password(name)


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for password in ("first", "second"):
        file.write_text(password)
        assert read_password(str(file)) == password


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/urandom", "/dev/null"])
def test_a_device_ends_within_its_bounds(device: str) -> None:
    for option in ("--password-file", "--sentinel-password-file"):
        with pytest.raises(InvalidInputError) as caught:
            read_password(device, option)
        assert caught.value.where == option
    assert len(read_given(device, 1_000)) <= MAX_PASSWORD_BYTES + 1


@pytest.mark.parametrize("begun", [None, b"", b"half a li"], ids=ascii)
def test_a_pipe_that_says_nothing_ends_the_waiting(
    begun: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tmp_path / f"pipe{next(_numbers)}"
    os.mkfifo(name)
    writers: list[int] = []
    if begun is not None:
        reader = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
        writers = [os.open(name, os.O_WRONLY)]
        os.write(writers[0], begun)
        os.close(reader) if not begun else writers.append(reader)
    monkeypatch.setattr("shared.endpoint.given_files.LIMIT_S", 0.01)
    with pytest.raises(SilentPipeError):
        read_given(str(name), 100, until=b"\n")
    with pytest.raises(InvalidInputError, match="a line within") as caught:
        read_password(str(name))
    assert str(name) not in str(caught.value)
    with pytest.raises(InvalidInputError, match="a PEM file within"):
        pem_path(str(name), "--tls-ca")
    for descriptor in writers:
        os.close(descriptor)


def test_certificates_and_key_come_through_pipes(authority: Authority, tmp_path: Path) -> None:
    own = authority.issue("client")
    with (
        pipe_of(authority.file.read_bytes(), tmp_path, pieces=3) as ca,
        pipe_of(own.file.read_bytes(), tmp_path) as cert,
        pipe_of(own.key_file.read_bytes(), tmp_path) as key,
    ):
        settings = EndpointSettings(parse_url("rediss://h"), tls_ca=ca, tls_cert=cert, tls_key=key)
        context = tls_context(settings)
    names = [dict(part[0] for part in found["subject"]) for found in context.get_ca_certs()]  # type: ignore[misc]
    assert len(names) == 1
    handed_on = for_another_process(settings)
    for path, file in ((handed_on.tls_ca, authority.file), (handed_on.tls_cert, own.file)):
        assert path is not None
        assert Path(path).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("option", ["tls_ca", "tls_cert", "tls_key"])
@pytest.mark.parametrize("seed", range(10))
def test_a_pipe_without_a_certificate_is_refused(option: str, seed: int, authority: Authority, tmp_path: Path) -> None:
    rng = random.Random(seed)
    own = authority.issue("client")
    files = {"tls_cert": str(own.file), "tls_key": str(own.key_file)}
    data = rng.choice([b"", b"\n", rng.randbytes(rng.randint(1, 5_000)), b"-----BEGIN CERTIFICATE-----\n"])
    with pipe_of(data, tmp_path) as name:
        settings = EndpointSettings(parse_url("rediss://h"), **{**files, option: name})  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError):
            tls_context(settings)


def test_a_device_is_no_certificate() -> None:
    with pytest.raises(InvalidInputError, match=f"at most {MAX_PEM_BYTES:,} bytes"):
        tls_context(EndpointSettings(parse_url("rediss://h"), tls_ca="/dev/zero"))


def test_only_what_the_url_needs_is_read_when_a_command_begins(tmp_path: Path) -> None:
    """A Sentinels' password without Sentinels, certificates without TLS: nobody may ever write to those pipes."""
    name = tmp_path / f"pipe{next(_numbers)}"
    os.mkfifo(name)
    silent = str(name)
    hold_streams(
        EndpointSettings(
            parse_url("redis://h"), sentinel_password_file=silent, tls_ca=silent, tls_cert=silent, tls_key=silent
        )
    )


def test_another_process_gets_the_passwords_and_no_pipe(tmp_path: Path) -> None:
    with pipe_of(b"one\n", tmp_path) as first, pipe_of(b"two\n", tmp_path) as second:
        url = parse_url("redis+sentinel://h/group")
        found = for_another_process(EndpointSettings(url, password_file=first, sentinel_password_file=second))
    assert (found.password, found.sentinel_password) == ("one", "two")
    assert (found.password_file, found.sentinel_password_file) == (None, None)
    assert "two" not in repr(found)
    file = tmp_path / "password"
    file.write_text("three")
    assert for_another_process(EndpointSettings(url, password_file=str(file))).password_file == str(file)
