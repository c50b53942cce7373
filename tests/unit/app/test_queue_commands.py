"""``queue list|clear`` and ``dlq purge``, on a real queue file."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.app.cli import run_cli
from scenesync.app.wording.times import moment
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.snapshot import read_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_S = 86_400


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[EmbeddedQueue]:
    waiting = EmbeddedQueue(tmp_path / "queue")
    yield waiting
    waiting.close()


class Terminal(io.StringIO):
    """Stands for a person's keyboard."""

    def isatty(self) -> bool:
        return True


def scenesync(tmp_path: Path, *arguments: str) -> int:
    return run_cli(["--data-dir", str(tmp_path), *arguments])


def listed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def fill(queue: EmbeddedQueue) -> None:
    now = time.time()
    queue.put_job(scene_job(1, now))
    queue.put_job(
        {**scene_job(2, now), "retry_count": 2, "next_retry_at": now + 300, "last_error_type": "PlexNotFound"}
    )
    queue.put_many([scene_job(3, now)], priority=PRIORITY_BULK)


def test_the_list_shows_what_waits_and_why(
    tmp_path: Path, queue: EmbeddedQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(queue)
    assert scenesync(tmp_path, "queue", "list", "--json") == 3
    jobs = listed(capsys)
    assert [(job["scene_id"], job["lane"]) for job in jobs] == [(1, "person"), (2, "person"), (3, "bulk")]
    assert jobs[1]["last_error_type"] == "PlexNotFound"
    assert jobs[1]["due_at"] == pytest.approx(time.time() + 300, abs=30)
    assert scenesync(tmp_path, "queue", "list") == 3
    text = capsys.readouterr().out
    assert "scene_2" in text
    assert "PlexNotFound" in text


@pytest.mark.parametrize(
    ("arguments", "found"),
    [(("--scene", "3"), [3]), (("--error", "PlexNotFound"), [2]), (("--limit", "1"), [1]), (("--scene", "9"), [])],
)
def test_the_list_can_be_narrowed(
    tmp_path: Path,
    queue: EmbeddedQueue,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    found: list[int],
) -> None:
    fill(queue)
    assert scenesync(tmp_path, "queue", "list", "--json", *arguments) == (3 if found else 0)
    assert [job["scene_id"] for job in listed(capsys)] == found


def test_an_empty_queue_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scenesync(tmp_path, "queue", "list") == 0
    assert capsys.readouterr().out == "No jobs wait.\n"


def test_clearing_drops_what_was_chosen_and_nothing_else(
    tmp_path: Path, queue: EmbeddedQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(queue)
    held = queue.claim(1)
    assert scenesync(tmp_path, "queue", "clear", "--scene", "2", "--yes", "--json") == 0
    assert listed(capsys) == {"dropped": 1}
    assert scenesync(tmp_path, "queue", "clear", "--all", "--yes") == 0
    assert capsys.readouterr().out == "1 job dropped.\n"
    left = read_snapshot(tmp_path / "queue")
    assert (left.pending, left.in_progress) == (0, 1)
    queue.complete(held[0])


@pytest.mark.parametrize(
    "command",
    [
        ("queue", "list", "--scene"),
        ("queue", "clear", "--scene"),
        ("dlq", "list", "--scene"),
        ("sync", "--no-wait", "--"),
        ("plan", "--"),
        ("explain", "--"),
        ("undo", "--"),
        ("journal", "--"),
        ("unpin", "--"),
    ],
)
@pytest.mark.parametrize("number", ["0", "-1", "9223372036854775808", "99999999999999999999", "one"])
def test_a_number_that_can_be_no_scene_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], number: str
) -> None:
    assert scenesync(tmp_path, *command, number) == 2
    assert f"'{number}' is no id of a scene" in capsys.readouterr().err
    assert read_snapshot(tmp_path / "queue").pending == 0


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 3)])
def test_a_person_is_asked_before_jobs_are_dropped(
    tmp_path: Path, queue: EmbeddedQueue, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    fill(queue)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert scenesync(tmp_path, "queue", "clear", "--all") == (1 if left else 0)
    assert read_snapshot(tmp_path / "queue").pending == left


@pytest.mark.parametrize(
    "arguments", [("queue", "clear"), ("queue", "clear", "--all"), ("queue", "clear", "--all", "--scene", "1", "--yes")]
)
def test_nothing_is_dropped_without_a_choice_and_a_yes(
    tmp_path: Path, queue: EmbeddedQueue, arguments: tuple[str, ...]
) -> None:
    fill(queue)
    assert scenesync(tmp_path, *arguments) == 2
    assert read_snapshot(tmp_path / "queue").pending == 3


def test_a_letter_is_shown_with_every_attempt_and_its_time(
    tmp_path: Path, queue: EmbeddedQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    attempts = [
        {"at": now - 60, "outcome": "retry", "error": "PlexTemporaryError: 500"},
        {"at": now, "outcome": "dead", "error": "PlexTemporaryError: 502"},
    ]
    letter = DeadLetter.from_error(
        scene_job(7, now),
        ValueError("502"),
        failed_at=now,
        advice="Look into Plex's log.",
        details={"attempts": attempts},
    )
    letter_id = DeadLetterStore(queue).add(letter)
    assert scenesync(tmp_path, "dlq", "show", str(letter_id)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "What would help: Look into Plex's log." in lines
    assert f"Attempt {moment(now - 60)}: retry PlexTemporaryError: 500" in lines
    assert f"Attempt {moment(now)}: dead PlexTemporaryError: 502" in lines


def test_purging_deletes_letters_by_age(
    tmp_path: Path, queue: EmbeddedQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    letters = DeadLetterStore(queue)
    for scene_id, age_days in ((1, 40), (2, 8), (3, 1)):
        letters.add(
            DeadLetter.from_error(
                scene_job(scene_id, time.time()), ValueError("odd"), failed_at=time.time() - age_days * DAY_S
            )
        )
    assert scenesync(tmp_path, "dlq", "purge", "--older-than", "7d") == 2  # nobody there to say yes
    assert letters.count() == 3
    assert scenesync(tmp_path, "dlq", "purge", "--older-than", "7d", "--yes", "--json") == 0
    assert listed(capsys) == {"purged": 2}
    assert [letter.job["scene_id"] for letter in letters.list()] == [3]


@pytest.mark.parametrize(
    "arguments",
    [
        ("queue", "list", "--limit", "99999999999999999999"),
        ("queue", "clear", "--older-than", f"{'9' * 400}w", "--yes"),
        ("dlq", "list", "--limit", "99999999999999999999"),
        ("dlq", "show", "99999999999999999999"),
        ("dlq", "replay", "99999999999999999999"),
        ("dlq", "purge", "--older-than", "99999999999999999999d", "--yes"),
        ("journal", "--limit", "99999999999999999999"),
        ("drain", "--timeout", "nan"),
        ("drain", "--wait", "nan"),
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_numbers_that_cannot_be_are_wrong_usage(
    tmp_path: Path, queue: EmbeddedQueue, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    fill(queue)
    assert scenesync(tmp_path, *arguments) == 2
    assert "Invalid value" in capsys.readouterr().err
    assert read_snapshot(tmp_path / "queue").pending == 3
