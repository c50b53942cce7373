import json
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scenesync.queue import spool
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.snapshot import read_snapshot
from scenesync.queue.spool_intake import SpoolIntake

MakeJob = Callable[..., dict[str, object]]
RunSql = Callable[..., list[tuple[object, ...]]]


def event(scene_id: int = 1, **fields: object) -> bytes:
    return json.dumps(
        {
            "scene_id": scene_id,
            "update_type": "metadata",
            "data": {"title": "Harbour"},
            "enqueued_at": 10.0,
            "job_key": f"scene_{scene_id}",
            **fields,
        }
    ).encode()


def spooled_names(queue_path: Path) -> list[str]:
    return spool.event_files(spool.spool_beside(str(queue_path)))


def test_spooled_events_are_taken_in_in_order_before_the_next_claim(queue: EmbeddedQueue, queue_path: Path) -> None:
    spool.write_event(str(queue_path), event(1, data={"title": "first"}))
    spool.write_event(str(queue_path), event(2))
    spool.write_event(str(queue_path), event(1, update_type="destroy", enqueued_at=11.0, data={"path": "/a"}))
    assert read_snapshot(queue_path).spooled == 3
    claimed = queue.claim(5)
    assert [(one.job["scene_id"], one.job["update_type"], one.priority) for one in claimed] == [
        (1, "destroy", 0),
        (2, "metadata", 0),
    ]
    assert claimed[0].job["enqueued_at"] == 10.0
    assert spooled_names(queue_path) == []


def test_late_event_does_not_overwrite_a_newer_one(queue: EmbeddedQueue, queue_path: Path, make_job: MakeJob) -> None:
    queue.put_job(make_job(1, update_type="destroy", enqueued_at=20.0))
    spool.write_event(str(queue_path), event(1, enqueued_at=10.0))
    assert queue.take_in_spool() == 1
    [waiting] = queue.list_pending()
    assert (waiting.job["update_type"], waiting.job["enqueued_at"]) == ("destroy", 10.0)


def test_crash_between_storing_and_deleting_takes_nothing_in_twice(
    queue: EmbeddedQueue, queue_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.write_event(str(queue_path), event(1))
    with monkeypatch.context() as crash:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        crash.setattr(SpoolIntake, "_remove", die)
        with pytest.raises(KeyboardInterrupt):
            queue.take_in_spool()
    queue.take_in_spool()
    [claimed] = queue.claim()
    assert spooled_names(queue_path) == []
    queue.complete(claimed)
    assert queue.claim() == []


def test_names_of_taken_events_are_forgotten_once_the_files_are_gone(
    queue: EmbeddedQueue, queue_path: Path, sql: RunSql
) -> None:
    spool.write_event(str(queue_path), event(1))
    queue.take_in_spool()
    assert sql("SELECT COUNT(*) FROM taken_in_events") == [(0,)]


def test_arrival_in_the_spool_ends_the_wait(queue: EmbeddedQueue, queue_path: Path) -> None:
    queue.claim()
    spool.write_event(str(queue_path), event(1))
    assert queue.wait_for_change(10)
    assert len(queue.claim()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        event(0),
        event(1, job_key="scene_2"),
        event(1, update_type="run"),
        b" " * 300_000,
    ],
    ids=["empty", "binary", "list", "nothing", "no scene", "wrong key", "wrong type", "huge"],
)
def test_file_that_is_no_event_is_set_aside_with_a_warning(
    queue: EmbeddedQueue, queue_path: Path, content: object, caplog: pytest.LogCaptureFixture
) -> None:
    spool.write_event(str(queue_path), content)
    spool.write_event(str(queue_path), event(2))
    with caplog.at_level(logging.WARNING):
        assert [one.job["scene_id"] for one in queue.claim(5)] == [2]
    assert "spool event unreadable" in caplog.text
    assert len(list((queue_path / "spool").glob("*.unreadable"))) == 1
    assert not queue.wait_for_change(0)


def test_fields_other_than_hints_do_not_get_in(queue: EmbeddedQueue, queue_path: Path) -> None:
    spool.write_event(str(queue_path), event(1, data={"title": "x", "command": "y"}, priority=-5, retry_count=9))
    [claimed] = queue.claim()
    assert claimed.job == {**json.loads(event(1)), "data": {"title": "x"}, "pqid": 1}


def fan_out(**fields: object) -> bytes:
    job = {"scene_id": 0, "update_type": "fanout", "data": {"entity": "tag", "id": 1, "sources": [4]}}
    return json.dumps({**job, "enqueued_at": 10.0, "job_key": "tag_1", **fields}).encode()


def test_spooled_change_of_an_entity_waits_behind_the_scenes(queue: EmbeddedQueue, queue_path: Path) -> None:
    spool.write_event(str(queue_path), fan_out())
    spool.write_event(str(queue_path), event(2))
    claimed = queue.claim(5)
    assert [(one.job["job_key"], one.priority) for one in claimed] == [("scene_2", 0), ("tag_1", 20)]
    assert claimed[1].job["data"] == {"entity": "tag", "id": 1, "sources": [4]}


def test_spooled_change_brings_no_place_to_begin_and_no_key_of_its_own(queue: EmbeddedQueue, queue_path: Path) -> None:
    data = {"entity": "tag", "id": 1, "after": 900, "title": "Harbour"}
    spool.write_event(str(queue_path), fan_out(data=data, job_key="scene_3", scene_id=3))
    (claim,) = queue.claim()
    assert (claim.job["job_key"], claim.job["scene_id"], claim.job["data"]) == ("tag_1", 0, {"entity": "tag", "id": 1})


def test_spooled_change_of_nothing_known_is_set_aside(queue: EmbeddedQueue, queue_path: Path) -> None:
    spool.write_event(str(queue_path), fan_out(data={"entity": "gallery", "id": 1}))
    assert queue.take_in_spool() == 0
    assert [path.suffix for path in (queue_path / "spool").iterdir()] == [".unreadable"]


def test_events_in_the_temporary_folder_are_found_if_the_folder_is_private(
    queue: EmbeddedQueue, queue_path: Path, tmp_path: Path
) -> None:
    assert queue.claim() == []
    (tmp_path / "blocked").write_text("")
    queue_path.joinpath("spool").write_text("a file where the spool folder should be")
    path = Path(spool.write_event(str(queue_path), event(1)))
    assert path.parent.parent == Path(tempfile.gettempdir())
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_snapshot(queue_path).spooled == 1
    assert queue.wait_for_change(10)
    assert [one.job["scene_id"] for one in queue.claim()] == [1]
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("planted", ["open to others", "link", "another user's name"])
def test_folder_that_anybody_could_have_planted_is_left_alone(
    queue: EmbeddedQueue, queue_path: Path, tmp_path: Path, planted: str
) -> None:
    queue_path.joinpath("spool").write_text("blocks the first choice")
    folder = Path(spool.write_event(str(queue_path), event(1))).parent
    if planted == "open to others":
        folder.chmod(0o777)
    elif planted == "link":
        moved = folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(moved)
    else:
        folder.rename(folder.with_name(folder.name.rsplit("-", 1)[0] + "-54321"))
    assert queue.claim() == []
    assert read_snapshot(queue_path).spooled == 0
    if planted != "another user's name":
        with pytest.raises(PermissionError, match="somebody else"):
            spool.write_event(str(queue_path), event(2))


def test_spool_file_that_is_a_link_is_not_followed(queue: EmbeddedQueue, queue_path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(event(1))
    folder = queue_path / "spool"
    folder.mkdir()
    (folder / f"1-1{spool.SUFFIX}").symlink_to(secret)
    assert queue.claim() == []
    assert secret.exists()


def test_half_written_event_is_invisible(
    queue: EmbeddedQueue, queue_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        spool.write_event(str(queue_path), event(1))
    assert queue.claim() == []
    assert list(queue_path.rglob("*.tmp")) == []
