"""`make demo` and `make build` in a fresh copy of what git tracks: what they say is what the README promises.

Setting it up from PyPI is left out: the copy's virtual environment leads to that of the tests. Everything else is the
copy's own, the Makefile included.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.processes import program_environment
from shared.shop.cart_text import TIMES
from tests.stage.needs import missing
from tests.stage.servers import binary

pytestmark = [
    pytest.mark.kept_together("make"),
    pytest.mark.timeout(300),  # nine programs start, each from nothing: the copy has no bytecode yet
    pytest.mark.skipif(sys.platform != "linux", reason="make ends the demo with it on Linux alone"),
]

ROOT = Path(__file__).parents[2]
_RUN_ID = r"\d{8}T\d{9}Z-[0-9a-f]{6}"
# What `make test` sets for itself or was given, and what keeps Python from leaving traces by which we know what ran.
_LEFT_OUT: tuple[str, ...] = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "GNUMAKEFLAGS", "ARGS", "PYTHON")
_LEFT_OUT += ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONPATH")
# Should make set anything up all the same, it is said and not done: the environment is that of the tests.
_NO_SETTING_UP = {"PIP_DRY_RUN": "1", "PIP_NO_INDEX": "1"}
# All of it; what stands between < and > differs each time.
EXPECTED = """\
Valkey is up at redis://127.0.0.1:<number>/0

server-b waits, as it would on another host
$ server-b run --once --wait-s 60 &

The shop: a user, two SKUs and a cart
$ server-a user add 1 --first-name Parker --last-name Perry
Added user 1: Parker Perry.
$ server-a sku add sku123 --name AirPods --price 199.99
Added SKU sku123: AirPods at 199.99.
$ server-a sku add sku456 --name 'Mechanical Keyboard' --price 89.99
Added SKU sku456: Mechanical Keyboard at 89.99.
$ server-a cart add 1 sku123
Added 1 {TIMES} AirPods to cart 1.
Cart 1:
  sku123  AirPods  199.99 {TIMES} 1  199.99
  total                        199.99
$ server-a cart add 1 sku456
Added 1 {TIMES} Mechanical Keyboard to cart 1.
Cart 1:
  sku123  AirPods              199.99 {TIMES} 1  199.99
  sku456  Mechanical Keyboard   89.99 {TIMES} 1   89.99
  total                                    289.98
$ server-a cart add 1 sku123
Added 1 {TIMES} AirPods to cart 1.
Cart 1:
  sku123  AirPods              199.99 {TIMES} 2  399.98
  sku456  Mechanical Keyboard   89.99 {TIMES} 1   89.99
  total                                    489.97
$ server-a cart remove 1 sku123
Removed 1 {TIMES} AirPods from cart 1.
Cart 1:
  sku123  AirPods              199.99 {TIMES} 1  199.99
  sku456  Mechanical Keyboard   89.99 {TIMES} 1   89.99
  total                                    289.98

The list: written by server-a, read in reverse and verified by server-b
$ server-a run
Of 1 user, 2 SKUs and 1 cart, 4 records were there already and left unchanged; --overwrite writes over what is there.
Inserted 1 to 10,000 into 'biglist'.
Signalled run <run>: 1 segment, digest {DIGEST}.
Writing took <time> s (<number> values/s), signalling <time> s.
A reply took <time> ms (median), <time> ms (99th percentile), <time> ms at most.
$ server-b run --once --wait-s 60
Cart 1:
  sku123  AirPods              199.99 {TIMES} 1  199.99
  sku456  Mechanical Keyboard   89.99 {TIMES} 1   89.99
  total                                    289.98
First 10 values in reverse order:
['10000', '9999', '9998', '9997', '9996', '9995', '9994', '9993', '9992', '9991']
Run <run> verified: 10,000 values in 1 segment, complete, in order and once, digest {DIGEST}.
The signal took <number> ms, reading and verifying <time> s (<number> values/s).
A reply took <time> ms (median), <time> ms (99th percentile), <time> ms at most.

The report
$ server-b report --html build/hand-over.html --json > build/hand-over.json
Handed over in <number> ms by the server's clock: written in <number> ms, on its way for <number> ms, \
read and verified in <number> ms.
Open build/hand-over.html in a browser: verdict, time line and speed of this run, in one file to send.
With the start of 9 Python programs all of it took <time> s.
""".replace("{TIMES}", TIMES).replace("{DIGEST}", "e0f5f4ef25f10d8f4be2254428fb4bbb")
_PLACES = {"<run>": _RUN_ID, "<number>": r"\d[\d,]*", "<time>": r"\d[\d,]*\.\d+"}


@pytest.fixture(scope="module")
def copy(session_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh copy, set up."""
    for tool in ("git", "make"):
        if shutil.which(tool) is None:
            missing(f"no {tool} in PATH")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        missing(f"not a clone: {listed.stderr.decode()}")
    directory = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / name)
    environment = directory / ".venv"
    environment.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (environment / name).symlink_to(Path(sys.prefix) / name)
    for stamp in (".made", ".demo"):
        (environment / stamp).touch()
    return directory


@pytest.fixture(scope="module")
def said(copy: Path) -> str:
    """What `make demo` says there."""
    binary("valkey9")
    ended = _make(copy, "demo")
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


def _make(copy: Path, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Let make do it there, with these variables."""
    environment = {name: value for name, value in program_environment(os.environ).items() if name not in _LEFT_OUT}
    environment |= _NO_SETTING_UP | variables
    command = ["make", target]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=240, check=False, text=True)


def test_the_report_of_the_run_lies_where_it_says(copy: Path, said: str) -> None:
    report = (copy / "build/hand-over.html").read_text("utf-8")
    assert "Verified" in report
    assert re.findall(_RUN_ID, said)[0] in report


def test_an_empty_source_date_epoch_is_none_at_all(copy: Path) -> None:
    ended = _make(copy, "build", SOURCE_DATE_EPOCH="")
    assert ended.returncode == 0, ended.stderr
    assert len(list((copy / "dist").iterdir())) == 2


def test_it_is_the_copy_that_runs(copy: Path, said: str) -> None:
    compiled = {path.parent.parent.name for path in copy.glob("*/__pycache__/*.pyc")}
    assert {"demo", "server_a", "server_b", "shared"} <= compiled, said


def _shape_of(line: str) -> str:
    """Return a pattern for a line of the README: times, run ids and digests differ, and `…` stands for what was cut."""
    line = re.sub(rf"\b{_RUN_ID}\b", "@run@", line.removesuffix("  …"))
    pattern = re.escape(re.sub(r"\b\d+\.\d s\b", "@time@", line))
    pattern = re.sub(r"\d[\d,]*\\ ms\b", lambda _: r"\d[\d,]*\ ms", pattern)
    return pattern.replace("@run@", _RUN_ID).replace("@time@", r"\d+\.\d s").replace("…", r"[0-9a-f]+\.")


def test_the_readme_shows_what_it_says(said: str) -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    make demo")) + 2
    end = lines.index("", start)
    promised = [line.removeprefix("    ") for line in lines[start:end]]
    assert promised[0] == "$ server-a run"
    assert promised[-1].startswith("Handed over in")
    output = said.splitlines()
    position = 0
    for promise in promised:
        found = [at for at in range(position, len(output)) if re.fullmatch(_shape_of(promise), output[at])]
        assert found, f"{promise!r} is not in {output[position:]}"
        position = found[0] + 1


def test_it_says_all_of_this_and_nothing_else(said: str) -> None:
    expected, output = EXPECTED.splitlines(), said.splitlines()
    assert len(output) == len(expected), said
    for line, shown in zip(expected, output, strict=True):
        pattern = re.escape(line)
        for place, what in _PLACES.items():
            pattern = pattern.replace(place, what)
        assert re.fullmatch(pattern, shown), (line, shown)
    runs = re.findall(_RUN_ID, said)
    assert len(runs) == 2
    assert runs[0] == runs[1]
