"""Print the one tag of an image: `python deploy/release/image_tag.py OWNER server-a run 1.2.3`.

An image has its exact version as its tag, and for another lock than `run` that lock's name behind it. There is no
`latest` and no `1.2`: what a tag names never changes.
"""

from __future__ import annotations

import re
import sys

PROGRAMS = ("server-a", "server-b")
LOCKS = ("run", "azure")


def image_tag(owner: str, program: str, lock: str, version: str) -> str:
    """Return the tag, in lower case, as the registry demands of an owner's name.

    Raises:
        ValueError: One of them can't be part of a tag.
    """
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?", owner):
        raise ValueError(f"owner: expected a GitHub name, got {owner!r}")
    if program not in PROGRAMS or lock not in LOCKS:
        raise ValueError(f"image: expected one of {PROGRAMS} with one of {LOCKS}, got {program!r} and {lock!r}")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ValueError(f"version: expected three numbers, got {version!r}")
    return f"ghcr.io/{owner.lower()}/handover-{program}:{version}" + ("" if lock == "run" else f"-{lock}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: image_tag.py OWNER PROGRAM LOCK VERSION")
    try:
        print(image_tag(*sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"image_tag: {error}")
