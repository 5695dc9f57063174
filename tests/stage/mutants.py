"""Our programs with a promise taken out of them, as processes: a changed copy of the packages in its own folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.parent import ending_with_us
from tests.stage.programs import Finished, Name, environment_of

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "server_a", "server_b")
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Mutation:
    """A change of our code.

    Attributes:
        file: Which file, from the root of the clone.
        text: What stands there, exactly once.
        replacement: What stands there instead.
    """

    file: str
    text: str
    replacement: str

    def apply(self, folder: Path) -> None:
        """Change the copy in a folder; fails when the text is not found exactly once, as after our code has moved."""
        path = folder / self.file
        code = path.read_text(encoding="utf-8")
        found = code.count(self.text)
        assert found == 1, f"{self.file} has the text of this mutation {found} times: {self.text!r}"
        path.write_text(code.replace(self.text, self.replacement), encoding="utf-8")


@dataclass(frozen=True)
class Copy:
    """The programs of a copy of our packages, in one namespace."""

    folder: Path
    namespace: str

    @classmethod
    def make(cls, folder: Path, namespace: str, *mutations: Mutation) -> Copy:
        """Copy the packages into a folder, and change the copy."""
        for name in PACKAGES:  # with what Python has compiled: it is valid for files that keep their times
            shutil.copytree(ROOT / name, folder / name)
        for mutation in mutations:
            mutation.apply(folder)
        return cls(folder, namespace)

    def start(self, name: Name, *arguments: str, url: str) -> subprocess.Popen[bytes]:
        """Start a program; not from a thread that ends before it."""
        environment: Mapping[str, str] = environment_of(name, server=url, namespace=self.namespace, env={})
        return subprocess.Popen(
            [sys.executable, "-m", name.replace("-", "_"), *arguments],
            cwd=self.folder,  # comes first on Python's path
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "PYTHONPATH": str(self.folder)},
            start_new_session=True,
            preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call
        )

    def run(self, name: Name, *arguments: str, url: str) -> Finished:
        """Run a program to its end."""
        return self.end_of(self.start(name, *arguments, url=url))

    def end_of(self, process: subprocess.Popen[bytes]) -> Finished:
        """Wait for the end of a program that was started."""
        with process:
            try:
                stdout, stderr = process.communicate(timeout=TIMEOUT_S)
            except BaseException:
                process.kill()
                raise
        code = process.returncode
        return Finished(code if code >= 0 else 128 - code, stdout, stderr)
