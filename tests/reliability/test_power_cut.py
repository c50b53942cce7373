"""The power goes at any instant: nothing that was acknowledged is lost, and no file is broken.

What a program wrote is recorded once; from the record any number of disks are made as a power cut may leave them (see
power_cut_disk for what is assumed of disks), and each is opened by the product.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from power_cut_disk import Disk, dice
from power_cut_promises import Found, Promises, look
from power_cut_recording import Send, Write, record, require_strace

from scenesync.queue.embedded import EmbeddedQueue
from scenesync.store.database import open_database
from tests.e2e.live_world import LiveWorld

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from power_cut_recording import Step
    from proofs import Bounds, Figures

    from scenesync.queue.schema import Journal

pytestmark = pytest.mark.reliability

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
IMAGES_PER_RECORDING: Final = 1000

Sent = tuple[str, str, str]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_no_acknowledged_event_is_lost_when_the_power_goes(
    tmp_path: Path, bounds: Bounds, figures: Figures, journal: Journal
) -> None:
    require_strace(tmp_path)
    images = bounds.pick(160 if journal == "wal" else 80, 10_000)
    tried = jobs = lost = doubled = redelivered = 0
    for first in range(0, images, IMAGES_PER_RECORDING):
        seed = bounds.first_seed + first // IMAGES_PER_RECORDING
        steps = recorded_queue(tmp_path / f"recording-{seed}", journal, seed)
        for number, disk, promises, rng in cuts(steps, min(IMAGES_PER_RECORDING, images - first), seed):
            image = tmp_path / "image"
            found = opened_after_the_cut(image, disk.after_a_cut(rng), journal, rng)
            where = f"--seed {seed}, journal {journal}, image {number} (the disk is kept in {image})"
            missing, twice = promises.lost(found), promises.doubled(found)
            tried, jobs = tried + 1, jobs + promises.acknowledged
            lost, doubled = lost + len(missing), doubled + len(twice)
            redelivered += promises.redelivered(found)
            assert found.integrity == "ok", where
            assert missing == [], where
            assert twice == [], where
    figures(
        f"power cut, queue, journal {journal}",
        f"{tried:,} disks",
        jobs=jobs,
        lost=lost,
        doubled=doubled,
        remarks=f"0 corrupt; {redelivered:,} ended jobs ran once more",
    )


@pytest.mark.parametrize(("replayed", "is_promised"), [(None, True), (1, False), (2, True)])
def test_a_retry_count_is_promised_unless_the_job_of_an_older_replayed_letter_takes_its_place(
    replayed: int | None, *, is_promised: bool
) -> None:
    promises = Promises()
    steps = [("put", 1), ("put", 2), ("replay", replayed), ("requeue", 2)]
    for does, token in [step for step in steps if step[1] is not None]:
        for phase in ("begin", "done"):
            about = [["scene_1", token, int(does == "requeue")]]
            promises.note(json.dumps({"phase": phase, "does": does, "about": about}).encode())
    promises.note(json.dumps({"phase": "done", "does": "put", "about": []}).encode())
    forgotten = Found("ok", rows=(("scene_1", 2, 0, 0),), letters=())
    assert bool(promises.lost(forgotten)) == is_promised


def recorded_queue(folder: Path, journal: Journal, seed: int) -> list[Step]:
    """Return what a life of a queue wrote."""
    folder.mkdir()
    command = [sys.executable, str(HERE / "power_cut_workload.py")]
    data_dir, marks = folder / "data", folder / "marks"
    command += [str(data_dir), str(marks), journal, str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}  # noqa: TID251 - as it is, for a child
    steps, done = record(command, folder, folder / "strace.log", env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (folder / "strace.log").unlink()
    shutil.rmtree(data_dir)
    return steps


def cuts(steps: list[Step], images: int, seed: int) -> Iterator[tuple[int, Disk, Promises, random.Random]]:
    """Yield disks and promises at random moments, every other one right after an acknowledgement."""
    data_dir = Path(next(step.path for step in steps if is_mark(step))).parent / "data"
    rng = dice("cuts", seed)
    marks = [place for place, step in enumerate(steps) if is_mark(step)]
    begun = marks[0]
    places = sorted(
        rng.choice(marks) if rng.random() < 0.5 else rng.randrange(begun, len(steps)) for _ in range(images)
    )
    disk, promises, done = Disk(data_dir), Promises(), 0
    for number, place in enumerate(places):
        for step in steps[done : place + 1]:
            if is_mark(step):
                assert isinstance(step, Write)
                promises.note(step.data)
            elif getattr(step, "path", "").startswith(f"{data_dir}/"):
                disk.note(step)
        done = place + 1
        yield number, disk, promises, dice(seed, number)


def is_mark(step: Step) -> bool:
    return isinstance(step, Write) and step.path.endswith("/marks")


def opened_after_the_cut(image: Path, files: dict[Path, bytes], journal: Journal, rng: random.Random) -> Found:
    """Open the queue of a disk as a worker does, and return what it finds."""
    write_image(image, files)
    folder = image / "queue"
    folder.mkdir(exist_ok=True)  # the power may go before there is any file in it
    if journal == "wal" and rng.random() < 0.5:
        (folder / "data.db-shm").write_bytes(rng.randbytes(32_768))
    respooled = frozenset(scene_of(content) for path, content in files.items() if path.suffix == ".event")
    with contextlib.closing(EmbeddedQueue(folder, journal=journal)) as queue:
        assert queue.damage is None, (queue.damage, image)
        while queue.take_in_spool():
            pass
        found = look(queue, respooled)
        keys = [claimed.job["job_key"] for claimed in queue.claim(1000)]
        assert len(keys) == len(set(keys)), (keys, image)
    return found


def write_image(image: Path, files: dict[Path, bytes]) -> None:
    shutil.rmtree(image, ignore_errors=True)
    image.mkdir()
    for path, content in files.items():
        target = image / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def scene_of(event: bytes) -> str:
    return str(json.loads(event)["job_key"])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_what_was_sent_to_plex_had_been_noted_on_the_disk_before(
    tmp_path: Path, bounds: Bounds, figures: Figures, journal: Journal
) -> None:
    require_strace(tmp_path)
    tried = edits = lost = 0
    (tmp_path / "world").mkdir()
    with LiveWorld(tmp_path / "world") as world:
        scenes = len(world.fill(bounds.pick(12, 60), seed=bounds.first_seed).scene_ids)
        steps = recorded_sync(world, journal)
    rng = dice("state", bounds.first_seed)
    sends = [place for place, step in enumerate(steps) if isinstance(step, Send) and edits_in(step.data)]
    assert len(sends) >= scenes
    places = sorted(
        rng.choice(sends) if rng.random() < 0.7 else rng.randrange(len(steps)) for _ in range(bounds.pick(50, 5_000))
    )
    disk, sent, done = Disk(world.data_dir), list[Sent](), 0
    for number, place in enumerate(places):
        for step in steps[done : place + 1]:
            if isinstance(step, Send):
                sent += edits_in(step.data)
            else:
                disk.note(step)
        done = place + 1
        image = tmp_path / "image"
        write_image(image, disk.after_a_cut(dice(bounds.first_seed, number)))
        forgotten = not_noted(image, sent, journal) + jobs_missing(image, scenes if sent else 0, journal)
        tried, edits, lost = tried + 1, edits + len(sent), lost + len(forgotten)
        assert forgotten == [], f"--seed {bounds.first_seed}, image {number} (the disk is kept in {image})"
    figures(
        f"power cut, edits noted, journal {journal}",
        f"{tried:,} disks",
        jobs=edits,
        lost=lost,
        doubled=0,
        remarks="0 corrupt",
    )


def recorded_sync(world: LiveWorld, journal: Journal) -> list[Step]:
    """Return what a first sync of everything wrote and sent."""
    log = world.folder / "strace.log"
    command = [sys.executable, "-m", "scenesync", "sync", "--all"]
    environment = world.environment(network_share=str(journal != "wal").lower())
    steps, done = record(command, world.data_dir, log, env=environment, cwd=ROOT, sends=True)
    assert done.returncode == 0, done.stderr
    log.unlink()
    return steps


def edits_in(sent: bytes) -> list[Sent]:
    """Return the texts that a request to Plex sets, as (item, field, value)."""
    if not sent.startswith(b"PUT /library/sections/"):
        return []
    values = parse_qsl(urlsplit(sent.split(b" ", 2)[1].decode("ascii")).query, keep_blank_values=True)
    [item] = [value for name, value in values if name == "id"]
    return [(item, name.removesuffix(".value"), value) for name, value in values if name.endswith(".value")]


def not_noted(image: Path, sent: list[Sent], journal: Journal) -> list[str]:
    """Open the state file of a disk and return which of the edits sent it knows nothing of."""
    with open_database(image / "scenesync.db", journal=journal) as database, database.reading() as connection:
        integrity = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
        baselines = connection.exec_driver_sql("SELECT rating_key, field, written FROM baseline").fetchall()
        edits = connection.exec_driver_sql("SELECT rating_key, field, after FROM journal").fetchall()
    assert integrity == "ok", image
    assert list(image.glob("scenesync.db.damaged-*")) == [], image
    known = [{(item, field, str(json.loads(value))) for item, field, value in rows} for rows in (baselines, edits)]
    return [
        f"{what}: {edit}" for what, noted in zip(("baseline", "journal"), known, strict=True) for edit in sent
        if edit not in noted
    ]  # fmt: skip


def jobs_missing(image: Path, scenes: int, journal: Journal) -> list[str]:
    """Open the queue of a disk and return which of the first ``scenes`` scenes it knows nothing of."""
    with contextlib.closing(EmbeddedQueue(image / "queue", journal=journal)) as queue:
        assert queue.damage is None, image
        with queue.reading() as connection:
            rows = connection.execute("SELECT json_extract(CAST(data AS TEXT), '$.scene_id') FROM ack_queue_default")
            known = {scene_id for (scene_id,) in rows}
    return [f"scene {number}" for number in range(1, scenes + 1) if number not in known]
