"""Every decoder with random input for a given time: `python -m tests.fuzz`, which `make fuzz` calls.

Runs tests/fuzz/test_decoders.py again and again, with the profile `fuzz` and another seed each time. Exit codes: 0 when
nothing was found; otherwise pytest's, and tests/corpus keeps what was.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).with_name("test_decoders.py")


def main() -> int:
    """Fuzz until the time is over or something is found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long [10]")
    parser.add_argument("--seed", type=int, default=None, help="of the first round [a new one]")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    end_at = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end_at:
        sys.stdout.write(f"seed {seed}\n")
        sys.stdout.flush()
        arguments = ("-q", "--timeout=0", "--hypothesis-profile=fuzz", f"--hypothesis-seed={seed}", str(TESTS))
        ended = subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False)
        if ended.returncode:
            return ended.returncode
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
