"""Make the files of a version, with that version's own code: see README.md.

Run in a checkout of that version: ``PYTHONPATH=. python …/make_old_files.py TARGET_FOLDER``.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).parent))

from household import REFUSED_BY_PLEX, furnish, rename, title_after, title_between

from scenesync.domain.job import scene_job
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.simulators.plex import faults
from tests.e2e.live_world import LiveWorld

if TYPE_CHECKING:
    from collections.abc import Iterable

FILES: Final = {"queue.sql": "queue/data.db", "state.sql": "scenesync.db"}
DIE_WITH_A_JOB: Final = """
import os, sys
from scenesync.queue.embedded import EmbeddedQueue
[claimed] = EmbeddedQueue(sys.argv[1]).claim()
assert claimed.job_key == sys.argv[2], claimed
os.kill(os.getpid(), 9)
"""
WHAT_IS_THERE: Final = {
    "waiting": "SELECT job_key, json_extract(CAST(data AS TEXT), '$.retry_count') FROM ack_queue_default "
    "WHERE status < 2 ORDER BY job_key",
    "claimed": "SELECT job_key FROM ack_queue_default WHERE status = 2 ORDER BY job_key",
    "completed": "SELECT COUNT(*) FROM ack_queue_default WHERE status = 5",
    "dead_letters": "SELECT scene_id, error_type, message, attempts FROM dead_letters ORDER BY id",
    "baselines": "SELECT rating_key, field, scene_id, written, shown, replaced FROM baseline ORDER BY 1, 2",
    "image_baselines": "SELECT rating_key, field, sha1 FROM image_baseline ORDER BY 1, 2",
    "journal": "SELECT scene_id, rating_key, field, before, after FROM journal ORDER BY id",
    "items": "SELECT rating_key, path FROM plex_file ORDER BY 1, 2",
    "attempts": "SELECT scene_id, outcome FROM attempt ORDER BY id",
    "outages": "SELECT service, cause, ended_at IS NULL FROM outage ORDER BY id",
    "services": "SELECT service, reachability FROM service_state ORDER BY service",
    "facts": "SELECT server_id, name, value FROM fact ORDER BY 1, 2",
}


def live(world: LiveWorld) -> None:
    """Leave behind everything that a queue and a state file can hold."""
    furnish(world)
    assert world.scenesync("sync", "--all").exit_code == 3  # one scene waits for its file
    rename(world, REFUSED_BY_PLEX, title_after(REFUSED_BY_PLEX))
    world.plex.fail_next(1, faults.status(400), only="edit")
    assert world.scenesync("drain").exit_code == 3  # one dead letter
    with outage(world):
        rename(world, 7, title_after(7))
        rename(world, 2, title_between(2))
        assert world.scenesync("drain", "--wait", "1").exit_code == 1
    assert world.scenesync("drain").exit_code == 3
    folder = world.data_dir / "queue"
    with outage(world):  # still open in the end
        rename(world, 1, title_after(1))
        assert world.scenesync("drain", "--wait", "1").exit_code == 1
    subprocess.run([sys.executable, "-c", DIE_WITH_A_JOB, str(folder), "scene_1"], check=False, cwd=Path.cwd())
    rename(world, 5, title_after(5))
    rename(world, 2, title_after(2))
    rename(world, 3, title_between(3))
    rename(world, 3, title_after(3))
    with contextlib.closing(EmbeddedQueue(folder, auto_resume=False)) as queue:
        with queue.writing():
            rename(world, 6, title_after(6))  # its hook cannot wait so long
        queue.put_many([scene_job(scene_id, time.time()) for scene_id in (4, 8)])
    rename(world, 4, title_after(4))


@contextlib.contextmanager
def outage(world: LiveWorld) -> Any:
    world.plex.down()
    yield
    world.plex.up()


def dump(source: Path) -> Iterable[str]:
    """Yield the statements that make ``source`` again, with what a dump leaves out."""
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        values = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("auto_vacuum", "application_id", "user_version", "journal_mode")
        }
        yield f"PRAGMA auto_vacuum = {values['auto_vacuum']};"
        yield f"PRAGMA application_id = {values['application_id']};"
        yield from connection.iterdump()
        yield f"PRAGMA user_version = {values['user_version']};"
        yield f"PRAGMA journal_mode = {values['journal_mode']};"


def what_is_there(data_dir: Path) -> dict[str, Any]:
    with contextlib.closing(sqlite3.connect(data_dir / "queue" / "data.db")) as connection:
        connection.execute("ATTACH ? AS state", (str(data_dir / "scenesync.db"),))
        found = {name: connection.execute(statement).fetchall() for name, statement in WHAT_IS_THERE.items()}
    events = sorted((data_dir / "queue" / "spool").glob("*.event"))
    return {**found, "spooled": [json.loads(event.read_text(encoding="utf-8"))["job_key"] for event in events]}


def main(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, LiveWorld(Path(folder)) as world:
        live(world)
        for name, source in FILES.items():
            text = "\n".join(dump(world.data_dir / source)).replace(f"{Path.cwd()}/", "")  # in tracebacks
            (target / name).write_text(text + "\n", encoding="utf-8")
        shutil.copytree(world.data_dir / "queue" / "spool", target / "spool", dirs_exist_ok=True)
        text = json.dumps(what_is_there(world.data_dir), indent=1, ensure_ascii=False)
        (target / "what_is_there.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
