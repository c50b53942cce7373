from __future__ import annotations

from urllib.parse import parse_qsl

from scenesync.plex.photo_request import photo_requests

CAST = [f"Actor {number}" for number in range(12)]
URL = "http://stash.example:9999/performer/{}/image?t=1700000000"


def parsed(
    cast: list[str], photos: dict[str, str], *, lock: bool = True, line_bytes: int = 8000
) -> list[dict[str, str]]:
    requests = list(photo_requests("1", "5", cast, photos, lock=lock, line_bytes=line_bytes))
    assert all(request.line_bytes <= line_bytes for request in requests)
    return [dict(parse_qsl(request.query, keep_blank_values=True, strict_parsing=True)) for request in requests]


def test_one_request_has_the_whole_cast_and_the_photos_that_are_due() -> None:
    (query,) = parsed(["Ann", "Bo, Jr. & Co"], {"Bo, Jr. & Co": URL.format(2)})
    assert query == {
        "type": "1",
        "id": "5",
        "actor[0].tag.tag": "Ann",
        "actor[1].tag.tag": "Bo, Jr. & Co",
        "actor[1].tag.thumb": URL.format(2),
        "actor.locked": "1",
    }


def test_a_photo_is_taken_away_by_an_empty_address_and_an_unlocked_list_stays_unlocked() -> None:
    (query,) = parsed(["Ann"], {"Ann": ""}, lock=False)
    assert (query["actor[0].tag.thumb"], query["actor.locked"]) == ("", "0")


def test_what_is_too_long_for_a_request_takes_several_each_with_the_whole_cast() -> None:
    photos = {name: URL.format(number) for number, name in enumerate(CAST)}
    queries = parsed(CAST, photos, line_bytes=1_200)
    assert len(queries) > 1
    for query in queries:
        assert [query[f"actor[{place}].tag.tag"] for place in range(12)] == CAST
    sent = {key: value for query in queries for key, value in query.items() if key.endswith("thumb")}
    assert sent == {f"actor[{place}].tag.thumb": URL.format(place) for place in range(12)}


def test_beside_a_cast_that_leaves_no_room_there_is_no_request() -> None:
    assert parsed(CAST, {CAST[0]: URL.format(0)}, line_bytes=500) == []


def test_whoever_is_not_in_the_cast_gets_nothing() -> None:
    assert parsed(["Ann"], {"Bo": URL.format(2)}) == []
