import hashlib
from dataclasses import replace
from typing import Any

import pytest

from scenesync.app.demo.comparison import (
    FIELDS,
    Difference,
    compare_locks,
    compare_scene,
    needless_writes,
    said_by_stash,
)
from scenesync.simulators.plex.model import ImageCandidate, PlexItem
from scenesync.simulators.plex.records import FieldWrite, RequestRecord
from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.stash.server import StashSimulator

COVER = b"\x89PNG\r\n\x1a\n the harbour at dawn"
COVER_SHA1 = hashlib.sha1(COVER, usedforsecurity=False).hexdigest()


@pytest.fixture
def stash() -> StashSimulator:
    return StashSimulator()


@pytest.fixture
def plex() -> PlexSimulator:
    return PlexSimulator()


def add_harbour(stash: StashSimulator, **changes: Any) -> int:
    pier = stash.add_studio("Pier Records")
    cast = [stash.add_performer("Ada Sample"), stash.add_performer("Tove Sato")]
    tags = [stash.add_tag("Live"), stash.add_tag("Acoustic")]
    scene = {
        "title": "Harbour at dawn",
        "path": "/data/stash/Films/harbour.one.mkv",
        "details": "The first ferry.\n\nThe last one.",
        "date": "2019-05-17",
        "studio": pier,
        "performers": cast,
        "tags": tags,
        "director": "Jun Moreau",
        "cover": COVER,
    }
    return stash.add_scene(**{**scene, **changes}).id


def shown_harbour(plex: PlexSimulator, **changes: Any) -> PlexItem:
    library = plex.add_library("Films", ["/mnt/media"])
    item = plex.add_item(library, file="/mnt/media/Films/harbour.one.mkv")
    fields = {
        "title": "Harbour at dawn",
        "title_sort": "Harbour at dawn",
        "summary": "The first ferry.\n\nThe last one.",
        "originally_available_at": "2019-05-17",
        "studio": "Pier Records",
        "actors": ["Ada Sample", "Tove Sato"],
        "genres": ["Live", "Acoustic"],
        "directors": ["Jun Moreau"],
    }
    plex.edit_by_hand(item, **{**fields, **changes})
    item.posters = (ImageCandidate("upload://posters/1", COVER, selected=True),)
    item.arts = (ImageCandidate("upload://art/1", COVER, selected=True),)
    return item


def differing(stash: StashSimulator, scene_id: int, item: PlexItem | None) -> list[str]:
    return [difference.field for difference in compare_scene(stash.scene(scene_id), stash.library, item)]


def test_an_item_that_shows_everything_has_no_difference(stash: StashSimulator, plex: PlexSimulator) -> None:
    assert differing(stash, add_harbour(stash), shown_harbour(plex)) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "Harbour at dusk", "title_sort": "Harbour at dawn"}, "title"),
        ({"title_sort": "Dawn"}, "sort title"),
        ({"summary": "The first ferry. The last one."}, "summary"),
        ({"originally_available_at": "2019-05-18"}, "date"),
        ({"studio": ""}, "studio"),
        ({"actors": ["Tove Sato", "Ada Sample"]}, "actors"),
        ({"genres": ["Live"]}, "genres"),
        ({"directors": []}, "director"),
    ],
)
def test_each_field_that_differs_is_named_alone(
    stash: StashSimulator, plex: PlexSimulator, change: dict[str, Any], field: str
) -> None:
    assert differing(stash, add_harbour(stash), shown_harbour(plex, **change)) == [field]


@pytest.mark.parametrize(("kind", "field"), [("posters", "poster"), ("arts", "background")])
def test_a_picture_counts_by_its_bytes_and_only_if_it_is_selected(
    stash: StashSimulator, plex: PlexSimulator, kind: str, field: str
) -> None:
    scene_id, item = add_harbour(stash), shown_harbour(plex)
    (ours,) = getattr(item, kind)
    setattr(item, kind, (replace(ours, selected=False), ImageCandidate("media://frame", b"a frame", selected=True)))
    assert differing(stash, scene_id, item) == [field]


def test_a_fresh_item_differs_in_every_field(stash: StashSimulator, plex: PlexSimulator) -> None:
    item = plex.add_item(plex.add_library("Films", ["/mnt/media"]), file="/mnt/media/Films/harbour.one.mkv")
    assert differing(stash, add_harbour(stash), item) == list(FIELDS)


def test_a_file_that_plex_lacks_is_a_difference(stash: StashSimulator) -> None:
    assert differing(stash, add_harbour(stash), None) == ["file"]


def test_the_order_of_genres_means_nothing(stash: StashSimulator, plex: PlexSimulator) -> None:
    assert differing(stash, add_harbour(stash), shown_harbour(plex, genres=["Acoustic", "Live"])) == []


@pytest.mark.parametrize(
    ("date", "day"), [("2019", "2019-01-01"), ("2019-05", "2019-05-01"), ("2019-05-17", "2019-05-17"), (None, "")]
)
def test_partial_dates_are_completed(stash: StashSimulator, date: str | None, day: str) -> None:
    scene = stash.scene(add_harbour(stash, date=date))
    assert said_by_stash(scene, stash.library)["date"] == day


def test_the_file_name_stands_in_for_an_empty_title(stash: StashSimulator) -> None:
    said = said_by_stash(stash.scene(add_harbour(stash, title="")), stash.library)
    assert (said["title"], said["sort title"]) == ("harbour.one", "harbour.one")


def test_namesakes_in_one_cast_are_told_apart_and_others_are_not(stash: StashSimulator) -> None:
    cellist, other, alone = (
        stash.add_performer("Leo Ferry", "cellist"),
        stash.add_performer("Leo Ferry"),
        stash.add_performer("Mira Novák", "actor"),
    )
    scene = stash.scene(add_harbour(stash, performers=[alone, other, cellist]))
    assert said_by_stash(scene, stash.library)["actors"] == ("Leo Ferry (cellist)", "Leo Ferry", "Mira Novák")


def test_a_scene_without_cover_says_nothing_about_pictures(stash: StashSimulator, plex: PlexSimulator) -> None:
    assert differing(stash, add_harbour(stash, cover=None), shown_harbour(plex)) == []


def written(field: str, *, changed: bool = True) -> FieldWrite:
    return FieldWrite("1001", field, "", "", changed, 0.0)


def test_exactly_the_written_fields_have_to_be_locked(stash: StashSimulator, plex: PlexSimulator) -> None:
    scene = stash.scene(add_harbour(stash))
    item = shown_harbour(plex)
    item.locked = frozenset({"title", "thumb"})
    assert compare_locks(scene, item, [written("title"), written("poster"), written("thumb.locked")]) == []
    missing = compare_locks(scene, item, [written("title"), written("poster"), written("genre")])
    assert missing == [Difference(scene.id, "locks", ("genre", "thumb", "title"), ("thumb", "title"))]
    assert compare_locks(scene, item, [written("title")]) != []


def edit(*parameters: tuple[str, str]) -> RequestRecord:
    query = (("type", "1"), ("id", "1001"), *parameters)
    return RequestRecord("PUT", "/library/sections/1/all", query, 200, 0.0, "edit")


REMOVAL = edit(("genre[].tag.tag-", "Rock%20%27n%27%20Roll"), ("genre.locked", "1"))


def test_a_value_written_again_is_needless() -> None:
    again = written("title", changed=False)
    assert needless_writes([written("title"), again], [edit(("title.value", "Harbour"))]) == [again]


def test_taking_a_name_off_a_list_is_not_needless_but_setting_the_list_again_is() -> None:
    off, again = written("genre", changed=False), written("genre", changed=False)
    assert needless_writes([written("genre"), off], [REMOVAL]) == []
    assert needless_writes([written("genre"), off, again], [REMOVAL]) == [again]
    set_again = edit(("genre[0].tag.tag", "Live"), ("genre[].tag.tag-", "Acoustic"), ("genre.locked", "1"))
    assert needless_writes([off], [set_again]) == [off]
