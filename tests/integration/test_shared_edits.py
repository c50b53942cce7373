"""Edits that are equal for many scenes go out as few requests; each scene is noted, proven and remembered by itself."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.errors import EditIgnored
from scenesync.domain.fields import Field
from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.plex.exceptions import PlexNotFound
from scenesync.simulators.plex import faults
from scenesync.store.baselines import BaselineStore
from scenesync.store.journal import JournalStore
from scenesync.worker.loop import LoopLimits
from scenesync.worker.preparing import decide_together
from scenesync.worker.proof import Unproven
from scenesync.worker.sync_plan import Decided, SyncResult, WrittenItem

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.app.installation import Installation
    from scenesync.simulators.plex.model import PlexItem
    from scenesync.simulators.plex.records import RequestRecord
    from scenesync.worker.availability.plex_connection import PlexSession

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]
QUIET = {"sync_poster": False, "sync_background": False}


def edits(world: SyncWorld) -> list[RequestRecord]:
    return [record for record in world.plex.requests if record.kind == "edit"]


def items_named(record: RequestRecord) -> int:
    return len(dict(record.query)["id"].split(","))


def work_off(world: SyncWorld, scene_ids: list[int], **settings: object) -> list[Attempt]:
    attempts: list[Attempt] = []
    with world.installed(**{**QUIET, **settings}) as installation:
        installation.queue.put_many((scene_job(each, time.time()) for each in scene_ids), PRIORITY_BULK)
        loop = installation.work_loop(LoopLimits(until_idle=True), [attempts.append], unreachable_for_s=10)
        loop.run(threading.Event())
    return attempts


class StudioOfMany:
    """Films of one studio that Plex shows already, and then the studio gets another name."""

    def __init__(self, world: SyncWorld, films: int) -> None:
        self.world = world
        self.studio = world.stash.add_studio("Reel")
        pairs = [world.pair(title=f"Film {number}", studio=self.studio) for number in range(films)]
        self.scene_ids = [scene_id for scene_id, _ in pairs]
        self.items: list[PlexItem] = [item for _, item in pairs]
        assert {attempt.outcome for attempt in work_off(world, self.scene_ids)} == {Outcome.SYNCED}
        world.plex.clear_records()
        world.stash.save_studio(self.studio, name="Reel and Sons")

    def studios_shown(self) -> list[str]:
        return [self.world.plex.item(item.rating_key).studio for item in self.items]

    def decided(self, session: PlexSession, installation: Installation) -> list[Decided]:
        scenes = installation.stash.scenes(self.scene_ids)
        found = decide_together(session.scene_sync, list(scenes.values()))
        return [each for each in found if isinstance(each, Decided)]


def test_a_renamed_studio_of_two_hundred_films_takes_a_few_writes(world: SyncWorld) -> None:
    films = StudioOfMany(world, 200)
    attempts = work_off(world, films.scene_ids)
    assert [attempt.outcome for attempt in attempts] == [Outcome.SYNCED] * 200
    assert {attempt.changed_fields for attempt in attempts} == {("studio",)}
    assert films.studios_shown() == ["Reel and Sons"] * 200
    assert len(edits(world)) <= 200 / 25
    assert sum(map(items_named, edits(world))) == 200
    assert work_off(world, films.scene_ids)[0].outcome is Outcome.UNCHANGED


def test_each_film_has_its_own_entry_in_the_journal_and_its_own_baseline(world: SyncWorld) -> None:
    films = StudioOfMany(world, 10)
    work_off(world, films.scene_ids)
    with world.installed() as installation:
        server = world.session(installation).identity.machine_identifier
        journal, baselines = JournalStore(installation.database, server), BaselineStore(installation.database, server)
        for scene_id, item in zip(films.scene_ids, films.items, strict=True):
            last = journal.history(item.rating_key)[-1]
            assert (last.scene_id, last.field, last.before, last.after) == (
                scene_id, Field.STUDIO, "Reel", "Reel and Sons",
            )  # fmt: skip
            known = baselines.read(item.rating_key)[Field.STUDIO]
            assert (known.written, known.shown) == ("Reel and Sons", "Reel and Sons")


def test_films_that_differ_in_anything_are_written_one_by_one(world: SyncWorld) -> None:
    films = StudioOfMany(world, 9)
    for number, scene_id in enumerate(films.scene_ids):
        world.stash.save(scene_id, title=f"Another name {number}")
    work_off(world, films.scene_ids)
    assert [items_named(record) for record in edits(world)] == [1] * 9
    assert films.studios_shown() == ["Reel and Sons"] * 9


def test_lists_are_shared_only_where_the_whole_list_is_equal(world: SyncWorld) -> None:
    reel, pier, storm = (world.stash.add_tag(name) for name in ("Reel", "Pier", "Storm"))
    alike = [world.pair(title=f"Film {number}", tags=[reel])[0] for number in range(8)]
    other = world.pair(title="Another", tags=[reel, pier])[0]
    work_off(world, [*alike, other])
    world.plex.clear_records()
    for scene_id in alike:
        world.stash.save(scene_id, tags=[reel, storm])
    world.stash.save(other, tags=[reel, pier, storm])
    assert {attempt.outcome for attempt in work_off(world, [*alike, other])} == {Outcome.SYNCED}
    assert sorted(map(items_named, edits(world))) == [1, 8]
    shown = {world.plex.item(item.rating_key).title: world.plex.item(item.rating_key) for item in world.plex.items()}
    assert {use.tag.name for use in shown["Another"].tags["genre"]} == {"Reel", "Pier", "Storm"}
    assert {use.tag.name for use in shown["Film 3"].tags["genre"]} == {"Reel", "Storm"}


def test_a_film_that_vanished_after_the_read_takes_no_other_with_it(world: SyncWorld) -> None:
    films = StudioOfMany(world, 10)
    outcomes: dict[int, Exception | None] = {}
    with world.installed(**QUIET) as installation:
        session = world.session(installation)
        decided = films.decided(session, installation)
        world.plex.remove_item(films.items[4].rating_key)
        sent = session.scene_sync.send_together(decided, lambda _: True)
        for each in sent:
            edit = each.planned[0].edit
            result = SyncResult(each.match, (WrittenItem(edit, is_shared=True),))
            session.proofs.add(
                Unproven(each.scene.id, result, partial(outcomes.__setitem__, each.scene.id), lambda: True)
            )
        session.proofs.check(threading.Event())
    assert len(sent) == 10
    assert len(edits(world)) == 1
    gone = films.scene_ids[4]
    assert isinstance(outcomes.pop(gone), PlexNotFound)
    assert set(outcomes.values()) == {None}
    assert len(outcomes) == 9
    assert world.plex.whole_library_edits == []


def test_a_film_whose_job_was_lost_is_left_out_of_the_edit(world: SyncWorld) -> None:
    films = StudioOfMany(world, 8)
    with world.installed(**QUIET) as installation:
        session = world.session(installation)
        lost = films.scene_ids[2]
        sent = session.scene_sync.send_together(films.decided(session, installation), lambda scene: scene.id != lost)
    assert lost not in {each.scene.id for each in sent}
    assert all(each.is_sent for each in sent)
    assert films.studios_shown().count("Reel and Sons") == 7
    assert world.plex.item(films.items[2].rating_key).studio == "Reel"


def test_nothing_is_sent_together_that_rests_on_an_old_read(world: SyncWorld) -> None:
    films = StudioOfMany(world, 8)
    with world.installed(**QUIET) as installation:
        session = world.session(installation)
        decided = films.decided(session, installation)
        decided[3] = replace(decided[3], read_at=decided[3].read_at - 60)
        assert session.scene_sync.send_together(decided, lambda _: True) == ()
    assert edits(world) == []


@pytest.mark.parametrize("status", [400, 404])
def test_a_refusal_of_all_together_is_no_refusal_of_each(world: SyncWorld, status: int) -> None:
    films = StudioOfMany(world, 10)
    world.plex.fail_next(1, faults.status(status), only="edit")
    attempts = work_off(world, films.scene_ids)
    assert [attempt.outcome for attempt in attempts] == [Outcome.SYNCED] * 10
    assert films.studios_shown() == ["Reel and Sons"] * 10
    assert [items_named(record) for record in edits(world)] == [10, *[1] * 10]


def test_a_busy_plex_lets_all_of_them_wait_and_they_go_together_again(world: SyncWorld) -> None:
    films = StudioOfMany(world, 10)
    world.plex.fail_next(1, faults.status(500), only="edit")
    attempts = work_off(world, films.scene_ids)
    retried = [attempt for attempt in attempts if attempt.outcome is Outcome.RETRY]
    assert {attempt.error_type for attempt in retried} == {"PlexBusy"}
    assert len(retried) == 10
    assert films.studios_shown().count("Reel and Sons") in {0, 10}


def test_a_server_that_ignores_several_ids_is_sent_each_film_by_itself_from_then_on(world: SyncWorld) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, edit_of_several="ignored")
    films = StudioOfMany(world, 150)
    attempts = work_off(world, films.scene_ids, workers=1)
    assert {attempt.outcome for attempt in attempts} == {Outcome.SYNCED}
    assert films.studios_shown() == ["Reel and Sons"] * 150
    world.plex.clear_records()
    world.stash.save_studio(films.studio, name="Reel and Daughters")
    work_off(world, films.scene_ids)
    assert {items_named(record) for record in edits(world)} == {1}
    assert films.studios_shown() == ["Reel and Daughters"] * 150


def test_an_edit_that_plex_swallows_for_good_is_a_dead_letter_of_each(world: SyncWorld) -> None:
    films = StudioOfMany(world, 8)
    world.plex.ignored_fields = {"studio"}
    attempts = work_off(world, films.scene_ids)
    assert {attempt.outcome for attempt in attempts} == {Outcome.DEAD}
    assert {attempt.error_type for attempt in attempts} == {EditIgnored.__name__}


def test_pictures_follow_a_shared_edit(world: SyncWorld) -> None:
    films = StudioOfMany(world, 8)
    with_pictures = {"sync_poster": True, "sync_background": False}
    attempts = work_off(world, films.scene_ids, **with_pictures)
    assert {attempt.outcome for attempt in attempts} == {Outcome.SYNCED}
    assert films.studios_shown() == ["Reel and Sons"] * 8
    assert items_named(edits(world)[0]) == 8
    assert {attempt.outcome for attempt in work_off(world, films.scene_ids, **with_pictures)} == {Outcome.UNCHANGED}
