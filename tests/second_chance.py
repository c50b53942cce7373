"""second_chance.py [PYTEST ARGUMENT…]: run the tests, and those few that fail once more, alone.

Many tests watch real processes by a real clock, side by side on few processors; what a busy moment breaks is told from
what is broken by a second run without company. It is told openly: what passed only then is listed at the end. More than
a few failures are no busy moment, and get no second run. Coverage is what the first run measured, and is enforced.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

MOST: Final = 5
TESTS_FAILED: Final = 1
LAST_FAILED: Final = Path(".pytest_cache/v/cache/lastfailed")


def main(arguments: list[str]) -> int:
    """Return the exit code of both runs together."""
    # What earlier runs left in the cache is cleared: only what this one adds has failed in it.
    code = _pytest("--cache-clear", *arguments)
    if code != TESTS_FAILED:
        return code
    failed = list(json.loads(LAST_FAILED.read_text("utf-8"))) if LAST_FAILED.exists() else []
    if not failed:  # too little was covered
        return code
    if len(failed) > MOST:
        _say(f"none, more than {MOST} tests failed")
        return code
    _say("once more, alone:", *failed)
    code = _pytest("-n", "0", *(["--no-cov"] if _is_covered(arguments) else []), *failed)
    if code == 0 and _is_covered(arguments):
        code = subprocess.run([sys.executable, "-m", "coverage", "report", "--format=total"], check=False).returncode
    if code == 0:
        _say("passed only when alone:", *failed)
    return code


def _say(*lines: str) -> None:
    sys.stdout.write("\n  ".join([f"\nsecond chance: {lines[0]}", *lines[1:]]) + "\n")
    sys.stdout.flush()


def _pytest(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


def _is_covered(arguments: list[str]) -> bool:
    return any(argument.partition("=")[0] == "--cov" for argument in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
