"""Moving an installation into a database and back: all of it, verified, once, and by nobody's side while they work."""

from __future__ import annotations

import contextlib
import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import insert

from scenesync.app.cli import run_cli
from scenesync.app.data_directory import queue_folder, worker_lock
from scenesync.app.distributed import engines
from scenesync.app.distributed import moving as app_moving
from scenesync.app.exit_codes import DONE, FAILED, USAGE
from scenesync.app.opening import embedded_queue_at, embedded_state, open_queue, open_state
from scenesync.app.settings import Settings
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.diff import Baseline
from scenesync.domain.fields import Field
from scenesync.domain.job import PRIORITY_BULK, PRIORITY_PERSON, scene_job
from scenesync.domain.journal import JournalEntry
from scenesync.postgres.address import SCHEMA
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.moving import QueueContents
from scenesync.store.baselines import BaselineStore
from scenesync.store.journal import JournalStore
from scenesync.store.memory import Memory
from scenesync.store.moving import moved_tables
from scenesync.store.outages import OutageStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from private_postgres import PrivatePostgres
    from sqlalchemy import Table

    from scenesync.queue.port import Queue


WAKES_AT = time.time() + 600
RETRIED = {"retry_count": 3, "next_retry_at": WAKES_AT, "last_error_type": "PlexNotFound"}
SCENES = 40


@pytest.fixture(scope="module")
def ready_database(postgres: PrivatePostgres) -> str:
    """The name of a database in which all tables are made, for others to be copied from."""
    engines.upgrade(postgres.new_database("ready"), SCHEMA)
    return "ready"


@pytest.fixture
def url(postgres: PrivatePostgres, ready_database: str, request: pytest.FixtureRequest) -> str:
    name = request.node.name[:60]
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {ready_database}'.encode())
    return postgres.url(name)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def migrate(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """Runs the command and returns its status and its document, or what it said."""
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(data_dir))

    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = run_cli(["migrate", *arguments, "--yes", "--json"])
        out = capsys.readouterr()
        document = json.loads(out.out)
        return status, document.get("error", document)

    return run


@pytest.fixture
def embedded(data_dir: Path) -> Settings:
    """An installation in which something of everything is kept."""
    settings = Settings(data_dir=data_dir)
    with (
        closing(embedded_queue_at(settings, auto_resume=True, repairs=False)) as queue,
        embedded_state(settings) as state,
    ):
        queue.put_job(scene_job(900, 1.0), PRIORITY_BULK)
        queue.complete(queue.claim()[0])
        queue.put_many([scene_job(scene_id, 5.0) for scene_id in range(1, SCENES + 1)])
        queue.put_job(scene_job(1, 6.0, data={"title": "Harbour at dawn"}), PRIORITY_PERSON)
        (late,) = queue.claim()
        queue.requeue(late, {**late.job, **RETRIED})
        for scene_id in (501, 502):
            queue.dead_letters.add(letter(scene_id))
        queue.dead_letters.discard([1])
        with state.transaction() as connection:
            for table in moved_tables():
                connection.execute(insert(table), [sample_of(table, number) for number in (1, 2)])
        OutageStore(state).begin("stash", "refused \0 by", at=1.0, jobs_waiting=1)
    return settings


def letter(scene_id: int) -> DeadLetter:
    return DeadLetter(
        dict(scene_job(scene_id, 1.0)),
        "AmbiguousMatch",
        "two \0 items",
        attempts=2,
        failed_at=5.0,
        details={"candidates": ["101", "102"]},
    )


def sample_of(table: Table, number: int) -> dict[str, Any]:
    """Return a row with a value of its kind in every column, one that ``number`` keeps apart from others."""
    values = {"TEXT": f"Évening {number}", "BIGINT": 2**40 + number, "DOUBLE_PRECISION": 0.1 + number}
    return {column.name: values[str(column.type).replace(" ", "_")] for column in table.columns}


def shared(settings: Settings, url: str) -> Settings:
    return Settings(data_dir=settings.data_dir, database_url=url)


def contents_of(queue: Queue) -> list[tuple[Any, ...]]:
    pending = queue.list_pending(10_000)
    return [(each.job, each.priority, each.deliveries, each.enqueued_timestamp, each.due_at) for each in pending]


def test_all_of_it_is_there_afterwards_and_works(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]]
) -> None:
    with closing(embedded_queue_at(embedded, auto_resume=False, repairs=False)) as queue:
        before, totals = contents_of(queue), queue.totals()
    status, moved = migrate("--to", url)
    assert (status, moved["changed"]) == (DONE, True)
    assert {name: each["rows"] for name, each in moved["tables"].items()} == {
        **{table.name: 3 if table.name == "outage" else 2 for table in moved_tables()},
        "queue: jobs": SCENES,
        "queue: dead letters": 1,
        "queue: totals": 2,
        "queue: outboxes": 0,
    }
    with open_queue(shared(embedded, url)) as queue, open_state(shared(embedded, url)) as state:
        assert contents_of(queue) == before
        assert queue.totals() == totals
        assert [(each.id, each.details) for each in queue.dead_letters.list()] == [(2, {"candidates": ["101", "102"]})]
        assert abs(((queue.claim(SCENES) and queue.next_due_at()) or 0) - WAKES_AT) < 5, "one sleeps on"
        JournalStore(state, "server", run_id="run").append(
            [JournalEntry(1.0, 5, "101", Field.TITLE, "Quay", "Harbour", "sync")]
        )
        assert queue.dead_letters.add(letter(503)) == 3, "numbers go on behind those that were moved"
    with closing(EmbeddedQueue(queue_folder(embedded.data_dir), auto_resume=False)) as outbox:
        assert (outbox.total, outbox.dead_letters.count()) == (0, 0), "a job is never in two queues"


def test_a_second_run_finds_the_same_and_changes_nothing(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]]
) -> None:
    first = migrate("--to", url)[1]
    with closing(EmbeddedQueue(queue_folder(embedded.data_dir), auto_resume=False)) as outbox:
        outbox.put_job(scene_job(1, time.time()))  # by a hook, since then
    status, second = migrate("--to", url)
    assert (status, second["changed"], second["tables"]) == (DONE, False, first["tables"])
    with closing(EmbeddedQueue(queue_folder(embedded.data_dir), auto_resume=False)) as outbox:
        assert outbox.total == 1


def test_one_that_was_killed_before_its_last_step_is_ended_by_the_next(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(app_moving.queue_moving, "forget_moved", lambda *_: (_ for _ in ()).throw(OSError("cut")))
        assert migrate("--to", url)[0] == FAILED
    with closing(EmbeddedQueue(queue_folder(embedded.data_dir), auto_resume=False)) as outbox:
        assert outbox.total == SCENES
        outbox.put_job(scene_job(2, time.time()))
    assert migrate("--to", url)[1]["changed"] is False
    with closing(EmbeddedQueue(queue_folder(embedded.data_dir), auto_resume=False)) as outbox:
        assert [each.job["scene_id"] for each in outbox.list_pending()] == [2], "what came since stays, to be sent on"


def test_what_is_not_the_same_when_it_is_read_again_is_taken_back_as_a_whole(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(app_moving.shared_queue, "read", lambda _: QueueContents())
        status, said = migrate("--to", url)
    assert (status, "queue: jobs" in said) == (FAILED, True)
    with open_queue(shared(embedded, url)) as queue, open_state(shared(embedded, url)) as state:
        assert queue.total == 0
        assert BaselineStore(state, "Évening 1").read("Évening 1") == {}
    assert migrate("--to", url)[1]["changed"] is True, "and begun anew"


def test_nothing_is_written_over_what_another_one_keeps_there(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]]
) -> None:
    with open_state(shared(embedded, url)) as state:
        BaselineStore(state, "server").write("7", 7, {Field.TITLE: Baseline("another's")})
    status, said = migrate("--to", url)
    assert (status, "--replace" in said) == (FAILED, True)
    assert migrate("--to", url, "--replace")[1]["changed"] is True
    with open_state(shared(embedded, url)) as state:
        assert BaselineStore(state, "server").read("7") == {}


def test_nobody_may_work_on_either_side(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(embedded.data_dir):
        status, said = migrate("--to", url)
        assert (status, "end the daemon first" in said) == (FAILED, True)
    with open_queue(shared(embedded, url)) as queue:
        queue.claim()  # a worker on some machine
        status, said = migrate("--to", url)
        assert (status, "1 workers are at work" in said) == (FAILED, True)
        monkeypatch.setenv("SCENESYNC_DATABASE_URL", url)
        assert migrate("--to", "embedded")[0] == FAILED
    monkeypatch.delenv("SCENESYNC_DATABASE_URL")
    assert migrate("--to", url)[0] == DONE


@contextlib.contextmanager
def held(data_dir: Path) -> Any:
    lock = worker_lock(data_dir)
    assert lock.acquire()
    yield
    lock.release()


def test_there_and_back_again_is_the_same(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(embedded_queue_at(embedded, auto_resume=False, repairs=False)) as queue:
        before, totals = contents_of(queue), queue.totals()
    there = migrate("--to", url)[1]
    with embedded_state(embedded) as state:
        Memory(state).note("of the former", "store")
    monkeypatch.setenv("SCENESYNC_DATABASE_URL", url)
    status, back = migrate("--to", "embedded")
    assert (status, back["changed"], back["tables"]) == (DONE, True, there["tables"])
    assert Path(back["former_state"]).is_file()
    with closing(embedded_queue_at(embedded, auto_resume=True, repairs=False)) as queue:
        assert contents_of(queue) == before
        assert queue.totals() == totals
        assert [each.id for each in queue.dead_letters.list()] == [2]
    with embedded_state(embedded) as state:
        assert Memory(state).recall("of the former") is None
    assert migrate("--to", "embedded")[1]["changed"] is False


def test_moved_to_and_fro_no_job_and_no_dead_letter_is_left_on_the_other_side(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(embedded_queue_at(embedded, auto_resume=False, repairs=False)) as queue:
        before = contents_of(queue)
    migrate("--to", url)
    monkeypatch.setenv("SCENESYNC_DATABASE_URL", url)
    for back_again in (("--to", url), ("--to", url, "--replace")):
        assert migrate("--to", "embedded")[1]["changed"] is True, "the state alone was there before"
        assert held_by(embedded) == (before, [2])
        assert migrate(*back_again)[1]["changed"] is False, "the database has all of it"
        assert held_by(embedded) == ([], []), "a job is never in two queues"
    assert migrate("--to", "embedded")[1]["changed"] is True
    assert held_by(embedded) == (before, [2])
    assert migrate("--to", "embedded")[1]["changed"] is False
    assert held_by(embedded) == (before, [2])


def test_the_way_back_is_open_while_both_sides_are_the_same_whoever_worked_there_before(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate("--to", url)
    monkeypatch.setenv("SCENESYNC_DATABASE_URL", url)
    with open_queue(shared(embedded, url)) as queue, open_state(shared(embedded, url)) as state:
        queue.complete(queue.claim()[0])
        queue.dead_letters.add(letter(504))
        BaselineStore(state, "server").write("7", 7, {Field.TITLE: Baseline("written meanwhile")})
    assert migrate("--to", "embedded")[1]["changed"] is True
    for _ in range(2):
        status, again = migrate("--to", url)
        assert (status, again["changed"], again["tables"]["queue: dead letters"]["rows"]) == (DONE, False, 2)
    assert held_by(embedded) == ([], [])

    assert migrate("--to", "embedded")[1]["changed"] is True
    with embedded_state(embedded) as state:
        BaselineStore(state, "server").write("7", 7, {Field.TITLE: Baseline("written here")})
    status, said = migrate("--to", url)
    assert (status, "--replace" in said) == (FAILED, True), "of two that went on, nobody but a person can choose"
    assert len(held_by(embedded)[0]) == SCENES - 1


def held_by(settings: Settings) -> tuple[list[tuple[Any, ...]], list[int]]:
    """Return what the data directory's own queue holds: jobs, and the numbers of dead letters."""
    with closing(embedded_queue_at(settings, auto_resume=False, repairs=False)) as queue:
        return contents_of(queue), [each.id for each in queue.dead_letters.list()]


def test_what_waits_on_this_machine_is_kept_when_the_rest_comes_back(
    embedded: Settings, url: str, migrate: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate("--to", url)
    with closing(EmbeddedQueue(queue_folder(embedded.data_dir), auto_resume=False)) as outbox:
        outbox.put_job(scene_job(2, time.time()))
        outbox.put_job(scene_job(777, time.time()))
    monkeypatch.setenv("SCENESYNC_DATABASE_URL", url)
    assert migrate("--to", "embedded")[0] == DONE
    with closing(embedded_queue_at(embedded, auto_resume=True, repairs=False)) as queue:
        assert queue.total == SCENES + 1
        assert queue.waiting_scenes([2, 777]) == {2, 777}


def test_an_address_is_checked_and_may_come_by_another_way(
    url: str, migrate: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrate("--to", "mysql://db.example/x")[0] == USAGE
    assert migrate("--to", "embedded")[0] == USAGE, "without database_url there is nothing to move back"
    monkeypatch.setattr("click.prompt", lambda *_, **__: f" {url}\n")
    assert migrate("--to", "-")[0] == DONE
    with psycopg.connect(url) as connection:
        notes = connection.execute("SELECT count(*) FROM scenesync.fact WHERE name LIKE 'state taken over%'")
        assert notes.fetchone() == (1,)
