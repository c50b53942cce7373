from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from store_samples import OTHER_SERVER, SERVER

from scenesync.domain.circuit import Circuit, CircuitState
from scenesync.domain.diff import Baseline, ImageBaseline
from scenesync.domain.field_rules import PosterFit
from scenesync.domain.fields import Field
from scenesync.domain.journal import JournalEntry
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.store.attempts import KEPT_PER_SCENE, AttemptStore
from scenesync.store.baselines import BaselineStore
from scenesync.store.circuits import CircuitStore
from scenesync.store.database import Database, open_database
from scenesync.store.journal import JournalStore, forget_edits
from scenesync.store.memory import Memory
from scenesync.store.outages import KEPT, KEPT_FOR_S, Outage, OutageStore
from scenesync.store.service_state import ServiceState, ServiceStateStore

if TYPE_CHECKING:
    from pathlib import Path

POSTER = ImageBaseline("a" * 40, "/thumb/1", "etag", "b" * 40, PosterFit.CROP)
WRITTEN = {
    Field.TITLE: Baseline('Café "am Kai"\nzweite Zeile', shown='Café "am Kai"'),
    Field.SUMMARY: Baseline("", locked=False),
    Field.ACTORS: Baseline(("Ann Example", "Ben Example"), shown=("Ben Example", "Ann Example")),
    Field.GENRES: Baseline((), shown=()),
}


def entry(at: float, scene_id: int, after: str) -> JournalEntry:
    return JournalEntry(at, scene_id, "101", Field.TITLE, "before", after, "sync")


def attempt(scene_id: int, started_at: float, outcome: Outcome = Outcome.SYNCED) -> Attempt:
    return Attempt(scene_id, outcome, started_at, 0.25, "PlexBusy", "busy", "path", ("101", "102"), ("title",), 99.5)


def test_baselines_come_back_as_they_were_written(database: Database, database_path: Path) -> None:
    BaselineStore(database, SERVER).write("101", 7, WRITTEN)
    database.close()
    with open_database(database_path) as reopened:
        assert BaselineStore(reopened, SERVER).read("101") == WRITTEN
        assert BaselineStore(reopened, OTHER_SERVER).read("101") == {}


def test_writing_one_baseline_leaves_the_others(database: Database) -> None:
    store = BaselineStore(database, SERVER)
    store.write("101", 7, WRITTEN)
    store.write("101", 7, {Field.TITLE: Baseline("Quay")})
    assert store.read("101") == {**WRITTEN, Field.TITLE: Baseline("Quay")}


def test_forgetting_an_item_takes_texts_and_pictures_of_that_server_only(database: Database) -> None:
    ours, theirs = BaselineStore(database, SERVER), BaselineStore(database, OTHER_SERVER)
    for store in (ours, theirs):
        store.write("101", 7, WRITTEN)
        store.write_image("101", 7, Field.POSTER, POSTER)
    ours.forget("101")
    assert (ours.read("101"), ours.read_image("101", Field.POSTER)) == ({}, None)
    assert (theirs.read("101"), theirs.read_image("101", Field.POSTER)) == (
        WRITTEN,
        POSTER,
    )


def test_the_journal_gives_a_scenes_edits_newest_first(database: Database) -> None:
    journal = JournalStore(database, SERVER, run_id="run")
    journal.append([entry(1.0, 7, "first"), entry(2.0, 8, "other"), entry(3.0, 7, "second")])
    journal.append([])
    assert [found.after for found in journal.latest(7, 10)] == ["second", "first"]
    assert journal.latest(7, 1) == (entry(3.0, 7, "second"),)


def test_the_journal_loses_only_what_is_too_old(database: Database) -> None:
    journal = JournalStore(database, SERVER)
    journal.append([entry(float(at), 7, str(at)) for at in range(5)])
    assert forget_edits(database, older_than=3.0) == 3
    assert [found.after for found in journal.latest(7, 10)] == ["4", "3"]


def test_baselines_and_journal_can_be_kept_as_one(database: Database) -> None:
    baselines, journal = BaselineStore(database, SERVER), JournalStore(database, SERVER)
    with database.transaction():
        journal.append([entry(1.0, 7, "Quay")])
        baselines.write("101", 7, WRITTEN)
    assert (len(journal.latest(7, 5)), baselines.read("101")) == (1, WRITTEN)


def test_attempts_come_back_as_they_were_newest_first(database: Database) -> None:
    store = AttemptStore(database)
    for at in range(4):
        store.add(attempt(7, float(at)))
    store.add(attempt(8, 9.0, Outcome.DEAD))
    assert store.latest(7, 2) == (attempt(7, 3.0), attempt(7, 2.0))
    assert store.outcomes_since(2.0) == {"dead": 1, "synced": 2}


def test_an_outage_that_begins_twice_is_one(database: Database) -> None:
    outages = OutageStore(database)
    outages.begin("plex", "refused", at=10.0, jobs_waiting=3)
    outages.begin("plex", "timed out", at=11.0, jobs_waiting=5)
    outages.begin("stash", "refused", at=12.0, jobs_waiting=5)
    assert outages.end("plex", at=70.0, jobs_waiting=9)
    assert not outages.end("plex", at=80.0)
    outages.begin("plex", "again", at=90.0, jobs_waiting=0)
    assert outages.latest(10) == (
        Outage("plex", "again", 90.0, None, 0),
        Outage("stash", "refused", 12.0, None, 5),
        Outage("plex", "refused", 10.0, 70.0, 3, 9),
    )


def test_the_outages_of_a_window_are_those_that_reach_into_it(database: Database) -> None:
    outages = OutageStore(database)
    for begin, end in ((10.0, 20.0), (30.0, 50.0), (60.0, 70.0)):
        outages.begin("plex", "refused", at=begin, jobs_waiting=0)
        outages.end("plex", at=end)
    outages.begin("plex", "refused", at=80.0, jobs_waiting=0)
    outages.begin("stash", "refused", at=80.0, jobs_waiting=0)
    assert [outage.began_at for outage in outages.of_service("plex", since=40.0)] == [30.0, 60.0, 80.0]


def test_the_history_of_outages_is_bounded_in_number_and_in_time(database: Database) -> None:
    outages = OutageStore(database)
    outages.begin("stash", "open for ever", at=0.0, jobs_waiting=0)
    with database.transaction():
        for number in range(KEPT + 20):
            outages.begin("plex", "refused", at=float(number), jobs_waiting=0)
            outages.end("plex", at=number + 0.5)
    outages.begin("plex", "refused", at=float(KEPT + 20), jobs_waiting=0)
    found = outages.latest(2 * KEPT)
    assert len(found) == KEPT + 1
    assert [outage.cause for outage in found if outage.ended_at is None] == ["refused", "open for ever"]
    outages.end("plex", at=KEPT + 21.0)
    outages.begin("plex", "a year later", at=KEPT_FOR_S + KEPT + 22.0, jobs_waiting=0)
    assert [outage.cause for outage in outages.latest(2 * KEPT)] == ["a year later", "open for ever"]


def test_a_scenes_attempts_are_bounded_whatever_becomes_of_them(database: Database) -> None:
    store = AttemptStore(database)
    store.add(attempt(8, 0.0))
    with database.transaction():
        for at in range(KEPT_PER_SCENE + 30):
            store.add(attempt(7, float(at), Outcome.RETRY if at % 2 else Outcome.SYNCED))
    assert [made.started_at for made in store.latest(7, 1000)] == [float(at) for at in range(129, 29, -1)]
    assert len(store.latest(8, 10)) == 1


class TestCircuits:
    def test_one_never_seen_is_closed_and_asking_writes_nothing(self, database: Database) -> None:
        store = CircuitStore(database, "plex")
        assert store.read() == Circuit()
        assert store.update(lambda kept: kept) == Circuit()

    def test_a_change_is_there_for_every_other_handle_and_service_by_service(
        self, database: Database, database_path: Path
    ) -> None:
        changed = CircuitStore(database, "plex").update(
            lambda kept: replace(kept, state=CircuitState.HALF_OPEN, failures=1, opened_at=9.5, probe="mine")
        )
        assert changed.revision == 1
        with open_database(database_path) as beside:
            assert CircuitStore(beside, "plex").read() == changed
            assert CircuitStore(beside, "stash").read() == Circuit()

    def test_decisions_of_many_threads_come_one_after_the_other(self, database: Database) -> None:
        store = CircuitStore(database, "plex")
        with ThreadPoolExecutor(8) as pool:
            for _ in range(160):
                pool.submit(store.update, lambda kept: replace(kept, failures=kept.failures + 1))
        assert (store.read().failures, store.read().revision) == (160, 160)


def test_a_service_is_unknown_until_its_state_was_noted(database: Database) -> None:
    states = ServiceStateStore(database)
    assert states.read("plex") == ServiceState()
    states.write("plex", ServiceState("up", 8.0))
    states.write("plex", ServiceState("down", 9.0, "refused"))
    assert states.read("plex") == ServiceState("down", 9.0, "refused")
    assert states.read("stash") == ServiceState()


def test_the_client_identifier_is_made_once_and_kept(database: Database, database_path: Path) -> None:
    made = Memory(database).client_identifier()
    assert str(uuid.UUID(made)) == made
    with open_database(database_path) as beside:
        assert Memory(beside).client_identifier() == made


def test_facts_about_a_server_do_not_mix_with_others(database: Database) -> None:
    memory = Memory(database)
    memory.note("dialect 1.43", "{}", server_id=SERVER)
    memory.note("dialect 1.43", '{"tags":"replace"}', server_id=SERVER)
    assert memory.recall("dialect 1.43", server_id=SERVER) == '{"tags":"replace"}'
    assert memory.recall("dialect 1.43", server_id=OTHER_SERVER) is None
    assert memory.recall("dialect 1.43") is None
