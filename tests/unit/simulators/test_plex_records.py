"""What the simulator remembers, so that other tests can assert cost and duplicates."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from freezegun import freeze_time
from plex_over_http import World, world

from scenesync.simulators.plex.records import FieldWrite


@pytest.fixture
def there() -> Iterator[World]:
    with world() as running:
        yield running


def fields(writes: list[FieldWrite]) -> list[tuple[str, object, object, bool]]:
    return [(write.field, write.before, write.value, write.changed) for write in writes]


def test_every_request_is_noted_with_what_it_was_for(there: World) -> None:
    film = there.film()
    before = time.monotonic()
    there.send("GET", "/identity")
    there.listed(("sort", "id"))
    there.read(film)
    there.edit(film, ("title.value", "Sea"))
    there.send("POST", f"/library/metadata/{film.rating_key}/posters", body=b"picture")
    there.send("GET", f"/library/metadata/{film.rating_key}/posters")
    there.send("GET", f"/library/sections/{there.library.key}/refresh")
    there.send("GET", "/nowhere")
    records = there.plex.requests
    assert [(record.method, record.kind, record.status) for record in records] == [
        ("GET", "identity", 200),
        ("GET", "list", 200),
        ("GET", "read", 200),
        ("PUT", "edit", 200),
        ("POST", "image", 200),
        ("GET", "image_list", 200),
        ("GET", "scan", 200),
        ("GET", "unknown", 404),
    ]
    assert records[1].path == f"/library/sections/{there.library.key}/all"
    assert ("sort", "id") in records[1].query
    assert before <= records[0].at_monotonic <= records[-1].at_monotonic <= time.monotonic()
    assert there.plex.counts() == dict(Counter(record.kind for record in records))
    there.plex.clear_records()
    assert (there.plex.requests, there.plex.counts()) == ([], {})


def test_a_change_costs_one_read_and_one_write(there: World) -> None:
    film = there.film()
    there.read(film)
    there.edit(film, ("title.value", "Sea"), ("genre[0].tag.tag", "Pier"), ("thumb.locked", 1))
    assert there.plex.counts() == {"read": 1, "edit": 1}


def test_every_field_of_an_edit_is_noted_with_what_was_there_before(there: World) -> None:
    film = there.film(title="Walk")
    began = time.time()
    there.edit(
        film,
        ("title.value", "Sea"),
        ("title.locked", 1),
        ("userRating.value", "7"),
        ("actor[0].tag.tag", "Ann"),
        ("actor[0].tagging.text", "Herself"),
        ("thumb.locked", 1),
    )
    writes = there.plex.field_writes
    assert fields(writes) == [
        ("title", "Walk", "Sea", True),
        ("userRating", "", "7.0", True),
        ("actor", (), ("Ann as Herself",), True),
        ("thumb.locked", "0", "1", True),
    ]
    assert all(write.rating_key == film.rating_key and began <= write.at <= time.time() for write in writes)


def test_a_write_that_changes_nothing_shows_as_such(there: World) -> None:
    film = there.film()
    edit = (("title.value", "Sea"), ("title.locked", 1), ("genre[0].tag.tag", "Pier"), ("genre.locked", 1))
    there.edit(film, *edit)
    there.edit(film, *edit)
    assert [write.changed for write in there.plex.field_writes] == [True, True, False, False]
    there.edit(film, ("title.value", "Sea"), ("title.locked", 0))  # only the lock differs
    assert fields(there.plex.field_writes[-1:]) == [("title", "Sea", "Sea", True)]


def test_a_new_photo_is_a_change(there: World) -> None:
    film = there.film()
    there.edit(film, ("actor[0].tag.tag", "Ann"), ("actor.locked", 1))
    there.edit(film, ("actor[0].tag.tag", "Ann"), ("actor[0].tag.thumb", "http://a/b.jpg"), ("actor.locked", 1))
    assert [write.changed for write in there.plex.field_writes] == [True, True]


def test_values_written_twice_can_be_found(there: World) -> None:
    first, second = there.film("a.mp4"), there.film("b.mp4")
    for film, title in ((first, "Sea"), (second, "Sea"), (first, "Town"), (first, "Sea")):
        there.edit(film, ("title.value", title))
    written = Counter((write.rating_key, write.field, write.value) for write in there.plex.field_writes)
    assert [key for key, times in written.items() if times > 1] == [(first.rating_key, "title", "Sea")]


def test_images_are_noted_by_their_sha1(there: World) -> None:
    film = there.film()
    for _ in range(2):
        there.send("POST", f"/library/metadata/{film.rating_key}/posters", body=b"picture")
    first, second = there.plex.field_writes
    assert film.poster is not None
    assert (first.field, first.value, first.changed) == ("poster", film.poster.sha1, True)
    assert (second.value, second.changed) == (film.poster.sha1, False)


def test_frozen_time_reaches_items_and_records(there: World) -> None:
    with freeze_time("2024-01-01") as frozen:
        film = there.film()
        frozen.tick(60)
        there.edit(film, ("title.value", "Sea"))
    assert (film.added_at, film.updated_at, there.plex.field_writes[0].at) == (1704067200, 1704067260, 1704067260.0)


def test_what_a_person_does_and_what_failed_is_no_record(there: World) -> None:
    film = there.film()
    there.plex.edit_by_hand(film, title="Mine", genres=["Sea"])
    there.edit(film, ("userRating.value", "99"))
    assert (film.title, film.genres, film.locked) == ("Mine", ("Sea",), {"title", "genre"})
    assert there.plex.field_writes == []
    with pytest.raises(KeyError):
        there.plex.edit_by_hand(film, colour="red")
