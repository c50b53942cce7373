import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from live_world import is_alive

from scenesync.queue.forwarding.outbox import read_outbox
from scenesync.queue.snapshot import read_snapshot

pytestmark = pytest.mark.e2e

DEMO = (sys.executable, "-m", "scenesync", "demo")
POSTGRES = any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb")
TOKEN_OF_THE_PERSON = "their-real-plex-token"


def environment(temporary: Path, **variables: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary), **variables}  # noqa: TID251 - for a child


def run_demo(temporary: Path, *options: str, timeout_s: float, **variables: str) -> tuple[int, Any]:
    """Run a demo with a temporary folder of its own; return its exit status and its document."""
    temporary.mkdir()
    done = subprocess.run(
        [*DEMO, *options, "--json"],
        env=environment(temporary, **variables),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_the_demo_tells_its_story_and_finds_every_claim_true(tmp_path: Path) -> None:
    temporary, keep = tmp_path / "tmp", tmp_path / "kept"
    # The person's own settings: unusable ones, so that using them would show.
    persons = {"SCENESYNC_PLEX_URL": "nonsense", "SCENESYNC_PLEX_TOKEN": TOKEN_OF_THE_PERSON}
    status, document = run_demo(temporary, "--scenes", "40", "--keep", str(keep), timeout_s=110, **persons)
    assert [check for check in document["checks"] if not check["holds"]] == []
    assert (status, document["succeeded"], document["broken"]) == (0, True, "")
    assert len(document["checks"]) >= 9
    assert document["saves"] == 40 + 8
    assert document["in_hand_when_killed"] > 0
    assert document["requests_in_startup"]["identity"] >= 2
    assert set(document["requests_in_startup"]) <= {"identity", "notifications", "read"}
    assert document["status"]["dead_letters"] == 1
    assert document["status"]["pending"] == 0
    (letter,) = document["dead_letters"]
    assert (letter["scene_id"], letter["error"]) == (10, "AmbiguousMatch")
    assert [event["at_s"] for event in document["events"]] == sorted(event["at_s"] for event in document["events"])

    left = read_snapshot(keep / "data" / "queue")
    assert (left.pending, left.in_progress, left.dead_letters) == (0, 0, 1)
    assert TOKEN_OF_THE_PERSON not in (keep / "daemon.log").read_text(encoding="utf-8")
    assert list(temporary.iterdir()) == []


@pytest.mark.timeout(300)
def test_two_workers_on_postgresql_tell_it_too_and_the_death_of_one_costs_nothing(tmp_path: Path) -> None:
    if not POSTGRES:
        pytest.skip("no PostgreSQL is installed")
    temporary, keep = tmp_path / "tmp", tmp_path / "kept"
    status, document = run_demo(temporary, "--cluster", "--scenes", "20", "--keep", str(keep), timeout_s=240)
    assert [check for check in document["checks"] if not check["holds"]] == []
    assert (status, document["succeeded"], document["broken"]) == (0, True, "")
    assert (document["workers"], document["saves"]) == (2, 20 + 7)
    assert (document["status"]["dead_letters"], document["status"]["pending"]) == (1, 0)
    outbox = read_outbox(keep / "data" / "queue")
    assert outbox.waiting == 0
    assert not (keep / "data" / "scenesync.db").exists(), "the state is elsewhere"
    assert "working data_dir=" in (keep / "second-daemon.log").read_text(encoding="utf-8")
    assert list(temporary.iterdir()) == []


def test_without_postgresql_one_sentence_says_how_to_install_it() -> None:
    code = (
        "from scenesync.simulators import postgres; postgres._DEBIANS = '/nowhere'; "
        "from scenesync.app.cli import main; main(['demo', '--cluster'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PATH": "/nowhere"},  # noqa: TID251 - for a child
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "No PostgreSQL is installed here. Debian and Ubuntu: apt-get install postgresql" in done.stderr


def test_an_interrupted_demo_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--scenes", "100"],
        env=environment(tmp_path, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            worker = next(found for line in process.stdout if (found := re.search(r"\(process (\d+)\)", line)))
            assert is_alive(int(worker[1]))
            assert list(tmp_path.iterdir()) != []
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _rest, errors = process.communicate(timeout=30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    assert process.returncode == 1
    assert errors == "scenesync: Interrupted.\n"
    assert time.monotonic() - began < 10
    assert not is_alive(int(worker[1]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["graphql", "wsproto", "yaml"])
def test_without_the_extra_packages_one_sentence_says_what_to_install(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from scenesync.app.cli import main; main(['demo'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "Error: The demo needs a few more packages: pip install 'scenesync[demo]'\n"


def test_a_folder_that_holds_something_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("two years of work", encoding="utf-8")
    done = subprocess.run([*DEMO, "--keep", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]
