from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from store_engines import on_sqlite
from store_samples import OTHER_SERVER, SERVER

from scenesync.domain.circuit import Circuit, CircuitState
from scenesync.domain.diff import Baseline, ImageBaseline, ItemBaselines
from scenesync.domain.field_rules import PosterFit
from scenesync.domain.fields import Field
from scenesync.domain.holds import Hold
from scenesync.domain.journal import JournalEntry, JournalFilter, Lock
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.domain.photos import PhotoBaseline
from scenesync.store import journal_runs
from scenesync.store.attempts import KEPT_PER_SCENE, AttemptStore
from scenesync.store.baselines import BaselineStore
from scenesync.store.circuits import CircuitStore
from scenesync.store.holds import HoldStore, count_held, list_held, release_held
from scenesync.store.journal import JournalStore, count_scenes, forget_edits, search_edits, search_runs
from scenesync.store.journal_runs import COUNTED_TO, LatestRun, latest_runs
from scenesync.store.memory import Memory
from scenesync.store.outages import KEPT, KEPT_FOR_S, Outage, OutageStore
from scenesync.store.pauses import Pause, PauseStore
from scenesync.store.photos import PhotoStore
from scenesync.store.service_state import ServiceState, ServiceStateStore

if TYPE_CHECKING:
    from store_engines import OpenStore

    from scenesync.store.database import Database

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


def test_baselines_come_back_as_they_were_written(open_store: OpenStore) -> None:
    with open_store() as database:
        BaselineStore(database, SERVER).write("101", 7, WRITTEN)
    with open_store() as reopened:
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


def test_an_edit_comes_back_from_the_journal_as_it_went_in(database: Database) -> None:
    kept = JournalEntry(
        at=1.0,
        scene_id=7,
        rating_key="101",
        field=Field.GENRES,
        before=("Sea", "A, B"),
        after=(),
        cause="sync",
        shown=("Sea",),
        lock_before=Lock.PERSON,
        lock_after=Lock.OURS,
        file="/media/quay.mkv",
        run_id="run",
        number=1,
    )
    journal = JournalStore(database, SERVER, run_id="run")
    journal.append([kept])
    assert journal.history("101") == (kept,)
    assert JournalStore(database, "another server").history("101") == ()


def test_the_journal_is_searched_by_scene_time_and_run(database: Database) -> None:
    JournalStore(database, SERVER, run_id="one").append([entry(1.0, 7, "first"), entry(2.0, 8, "other")])
    journal = JournalStore(database, SERVER, run_id="two")
    journal.append([entry(3.0, 7, "second")])
    journal.append([])

    def found(chosen: JournalFilter, limit: int = 10) -> list[object]:
        return [each.after for each in search_edits(database, chosen, limit=limit)]

    assert found(JournalFilter()) == ["second", "other", "first"]
    assert found(JournalFilter(), limit=1) == ["second"]
    assert found(JournalFilter(scene_ids=(7,))) == ["second", "first"]
    assert found(JournalFilter(since=2.0)) == ["second", "other"]
    assert found(JournalFilter(scene_ids=(7,), run_id="one")) == ["first"]
    assert found(JournalFilter(numbers=(1, 3))) == ["second", "first"]
    assert found(JournalFilter(scene_ids=(8,), numbers=(1,))) == []
    assert [count_scenes(database, each) for each in (JournalFilter(), JournalFilter(run_id="two"))] == [2, 1]
    assert journal.scenes(JournalFilter(since=2.0)) == (7, 8)
    assert journal.items_of(7) == ("101",)
    assert [(run.run_id, run.scenes, run.fields) for run in search_runs(database, JournalFilter(), limit=5)] == [
        ("two", 1, 1),
        ("one", 2, 2),
    ]


def test_the_latest_runs_come_newest_first_and_large_ones_are_not_counted_to_the_end(database: Database) -> None:
    long, short = (JournalStore(database, SERVER, run_id=run) for run in ("a long run", "short"))
    long.append([entry(1.0, 7, "first")])
    short.append([entry(2.0, 7, "second"), entry(3.0, 8, "third")])
    long.append([entry(4.0 + number, number, "many") for number in range(COUNTED_TO)])
    large, small = latest_runs(database, limit=5)
    assert (large.run_id, large.began_at, large.ended_at) == ("a long run", 1.0, 3.0 + COUNTED_TO)
    assert (large.fields, large.is_counted) == (COUNTED_TO, False)
    assert small == LatestRun("short", "sync", 2.0, 3.0, 3, scenes=2, fields=2, is_counted=True)
    assert latest_runs(database, limit=1) == (large,)
    assert latest_runs(database, limit=5, before=large.last_number) == (small,)
    assert latest_runs(database, limit=5, before=small.last_number) == ()


@on_sqlite
def test_runs_and_their_edits_are_found_by_the_index(database: Database) -> None:
    JournalStore(database, SERVER, run_id="one").append([entry(1.0, 7, "first")])
    for statement in (journal_runs.LATEST, journal_runs.BEGINNING, journal_runs.COUNTS):
        values = {"run": "one", "before": 9, "most": 9}
        with database.reading() as connection:
            ready = statement.compile(dialect=connection.dialect)
            bound = tuple(values.get(name, 0) for name in ready.positiontup or ())
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {ready}", bound)]
        assert not [step for step in plan if step.startswith("SCAN journal")], plan
        assert any("journal_by_run" in step for step in plan), plan


def test_how_the_server_shows_an_edit_is_noted_with_the_latest_one_of_the_field(database: Database) -> None:
    journal = JournalStore(database, SERVER)
    journal.append([entry(1.0, 7, " Quay"), entry(2.0, 7, " Pier")])
    journal.note_shown({"101": {Field.TITLE: "Pier", Field.SUMMARY: "not written"}})
    assert [found.shown for found in journal.history("101")] == [None, "Pier"]


def test_the_journal_loses_only_what_is_too_old_or_beyond_its_size(database: Database) -> None:
    journal = JournalStore(database, SERVER)
    assert forget_edits(database, older_than=3.0, beyond=2) == 0
    journal.append([entry(float(at), 7, str(at)) for at in range(5)])
    assert forget_edits(database) == 0
    assert forget_edits(database, older_than=1.0) == 1
    assert forget_edits(database, beyond=2) == 2
    assert [found.after for found in journal.history("101")] == ["3", "4"]


def test_holds_are_kept_per_server_and_released_one_by_one_or_all(database: Database) -> None:
    ours, theirs = HoldStore(database, SERVER), HoldStore(database, "another server")
    ours.put([Hold(7, "as it was", 1.0, "run"), Hold(8, "as it was", 1.0, "run")])
    ours.put([Hold(7, "newer", 2.0, "run")])
    theirs.put([Hold(7, "as it was", 3.0)])
    assert (ours.of_scene(7), ours.of_scene(9)) == (Hold(7, "newer", 2.0, "run"), None)
    assert [hold.scene_id for hold in ours.all()] == [7, 8]
    assert count_held(database) == 2
    ours.release([7, 9])
    assert ours.of_scene(7) is None
    assert [(hold.scene_id, hold.since) for hold in list_held(database)] == [(7, 3.0), (8, 1.0)]
    assert release_held(database, [7]) == 1
    assert release_held(database, None) == 1
    assert count_held(database) == 0


def test_baselines_and_journal_can_be_kept_as_one(database: Database) -> None:
    baselines, journal = BaselineStore(database, SERVER), JournalStore(database, SERVER)
    with database.transaction():
        journal.append([entry(1.0, 7, "Quay")])
        baselines.write("101", 7, WRITTEN)
    assert (len(journal.history("101")), baselines.read("101")) == (1, WRITTEN)


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
    assert [outage.cause for outage in outages.latest(1, 1)] == ["refused"]
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


def test_attempts_that_ended_together_are_kept_in_one_step_and_in_order(database: Database) -> None:
    store = AttemptStore(database)
    store.add_all([attempt(7, float(at)) for at in range(KEPT_PER_SCENE + 5)] + [attempt(8, 1.0)])
    assert [made.started_at for made in store.latest(7, 3)] == [104.0, 103.0, 102.0]
    assert len(store.latest(7, 1000)) == KEPT_PER_SCENE
    assert store.latest(8, 10) == (attempt(8, 1.0),)
    store.add_all([])


def test_baselines_of_many_items_are_written_in_one_step(database: Database) -> None:
    store = BaselineStore(database, SERVER)
    store.write_all([ItemBaselines("101", 7, WRITTEN), ItemBaselines("102", 8, {Field.TITLE: Baseline("Pier")})])
    assert store.read("101") == WRITTEN
    assert store.read("102") == {Field.TITLE: Baseline("Pier")}
    assert store.scenes_of("102") == {8}


def test_look_ups_that_share_a_connection_see_what_was_written_meanwhile(database: Database) -> None:
    store = BaselineStore(database, SERVER)
    with store.looking_up(), store.looking_up():
        assert store.read("101") == {}
        with ThreadPoolExecutor(1) as another:
            another.submit(store.write, "101", 7, WRITTEN).result()
        assert store.read("101") == WRITTEN
        with store.together():
            store.write("102", 8, WRITTEN)
            assert store.read("102") == WRITTEN, "what the thread itself is about to commit, too"
    assert store.read("102") == WRITTEN


class TestCircuits:
    def test_one_never_seen_is_closed_and_asking_writes_nothing(self, database: Database) -> None:
        store = CircuitStore(database, "plex")
        assert store.read() == Circuit()
        assert store.update(lambda kept: kept) == Circuit()

    def test_a_change_is_there_for_every_other_handle_and_service_by_service(
        self, database: Database, open_store: OpenStore
    ) -> None:
        changed = CircuitStore(database, "plex").update(
            lambda kept: replace(kept, state=CircuitState.HALF_OPEN, failures=1, opened_at=9.5, probe="mine")
        )
        assert changed.revision == 1
        with open_store() as beside:
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
    assert states.read("plex") == ServiceState("down", 9.0, "refused", known_since=8.0)
    assert states.read("stash") == ServiceState()


def test_a_pause_lasts_since_it_began_until_it_ends(database: Database, open_store: OpenStore) -> None:
    pauses = PauseStore(database)
    refused = Pause("plex", 10.0, "PlexUnauthorized", "check plex_token")
    pauses.begin(refused)
    pauses.begin(replace(refused, since=12.0))  # met once more
    pauses.begin(Pause("stash", 11.0, "StashUnauthorized", "check stash_api_key"))
    with open_store(read_only=True) as beside:
        assert PauseStore(beside).read() == (refused, Pause("stash", 11.0, "StashUnauthorized", "check stash_api_key"))
    assert pauses.end("stash")
    assert not pauses.end("stash")
    pauses.begin(Pause("plex", 13.0, "LibraryNotFound", "check plex_libraries"))
    assert pauses.read() == (Pause("plex", 13.0, "LibraryNotFound", "check plex_libraries"),)


def test_the_client_identifier_is_made_once_and_kept(database: Database, open_store: OpenStore) -> None:
    made = Memory(database).client_identifier()
    assert str(uuid.UUID(made)) == made
    with open_store() as beside:
        assert Memory(beside).client_identifier() == made


def test_facts_about_a_server_do_not_mix_with_others(database: Database) -> None:
    memory = Memory(database)
    memory.note("dialect 1.43", "{}", server_id=SERVER)
    memory.note("dialect 1.43", '{"tags":"replace"}', server_id=SERVER)
    assert memory.recall("dialect 1.43", server_id=SERVER) == '{"tags":"replace"}'
    assert memory.recall("dialect 1.43", server_id=OTHER_SERVER) is None
    assert memory.recall("dialect 1.43") is None


def test_what_was_done_about_a_photo_is_kept_by_server_and_name_whose_case_does_not_count(database: Database) -> None:
    ours, theirs = PhotoStore(database, SERVER), PhotoStore(database, OTHER_SERVER)
    done = PhotoBaseline(5, "100", "http://stash.example/performer/5/image?t=100", "etag", "shown", 1)
    ours.write({"Ann": replace(done, tries=2)})
    ours.write({"ANN": done, "Bo": replace(done, performer_id=6)})
    assert ours.read(("ann", "Bo", "Cy")) == {"ann": done, "Bo": replace(done, performer_id=6)}
    assert theirs.read(("Ann",)) == {}
    ours.write({})
