"""Check that a tag may be released, and print its notes: `python deploy/release/check_release.py v1.2.3`.

The release workflow runs this first, from the root of the repository. It is a script and not a step of the workflow, so
that tests can run it, and you before you push the tag. It uses the standard library alone: nothing is installed yet.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

VERSION = r"(\d+\.\d+\.\d+)"
DOCKERFILES = ("server_a/Dockerfile", "server_b/Dockerfile")


def main(arguments: list[str]) -> int:
    """Print the notes and return 0, or print what is wrong to stderr and return 1; 2 for wrong usage."""
    if len(arguments) != 1:
        print("usage: check_release.py TAG", file=sys.stderr)
        return 2
    root = Path()
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    found = problems(arguments[0], versions_of(root), changelog)
    for problem in found:
        print(f"check_release: {problem}", file=sys.stderr)
    if found:
        return 1
    print(sections_of(changelog)[1][1])
    return 0


def versions_of(root: Path) -> dict[str, str]:
    """Return the version that each file says, which the build takes from there."""
    said = {"pyproject.toml": str(tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"])}
    places = {"shared/__init__.py": rf'^__version__ = "{VERSION}"$'}
    places |= dict.fromkeys(DOCKERFILES, rf"^ARG VERSION={VERSION}$")
    for name, pattern in places.items():
        match = re.search(pattern, (root / name).read_text("utf-8"), re.MULTILINE)
        said[name] = match[1] if match else "no version"
    return said


def sections_of(changelog: str) -> list[tuple[str, str]]:
    """Return the title and the text of each section, the newest first."""
    parts = re.split(r"^## (.+)\n", changelog, flags=re.MULTILINE)[1:]
    return [(title.strip(), text.strip()) for title, text in zip(parts[::2], parts[1::2], strict=True)]


def problems(tag: str, versions: dict[str, str], changelog: str) -> list[str]:
    """Return a sentence for everything that forbids the release.

    Args:
        tag: What is to be released.
        versions: The version that each file says.
        changelog: All of CHANGELOG.md.
    """
    match = re.fullmatch(f"v{VERSION}", tag)
    if match is None:
        return [f"the tag: expected v and three numbers, such as v1.2.3, got {tag!r}"]
    version = match[1]
    found = [f"{name}: expected {version}, got {said}" for name, said in versions.items() if said != version]
    return found + _problems_of_changelog(version, sections_of(changelog))


def _problems_of_changelog(version: str, sections: list[tuple[str, str]]) -> list[str]:
    if len(sections) < 2 or sections[0][0] != "Unreleased":
        return [f"CHANGELOG.md: expected the sections Unreleased and {version} first"]
    (_, unreleased), (title, text) = sections[:2]
    found = []
    if unreleased:
        found.append(f"CHANGELOG.md: expected nothing under Unreleased, since it belongs to {version}")
    if not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", title):
        found.append(f"CHANGELOG.md: expected '## {version} - YYYY-MM-DD' after Unreleased, got '## {title}'")
    elif not text:
        found.append(f"CHANGELOG.md: expected changes under {title}, got none")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
