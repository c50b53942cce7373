import hashlib
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from plex_over_http import World, world

from scenesync.simulators.http_server import Answer, HttpServer, Request, Response
from scenesync.simulators.plex.model import PlexItem

JPEG = b"\xff\xd8\xff\xe0 harbour"
PNG = b"\x89PNG harbour"


@pytest.fixture
def there() -> Iterator[World]:
    with world() as running:
        yield running


@pytest.fixture
def film(there: World) -> PlexItem:
    return there.film()


def upload_key(data: bytes) -> str:
    return f"upload://posters/{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"


def post(there: World, film: PlexItem, data: bytes, element: str = "posters") -> int:
    return there.send("POST", f"/library/metadata/{film.rating_key}/{element}", body=data).status


def test_new_bytes_are_selected_and_known_bytes_are_not(there: World, film: PlexItem) -> None:
    assert post(there, film, JPEG) == 200
    assert post(there, film, PNG) == 200
    assert film.poster is not None
    assert film.poster.key == upload_key(PNG)
    assert post(there, film, JPEG) == 200
    assert film.poster.key == upload_key(PNG)
    candidates = there.json(f"/library/metadata/{film.rating_key}/posters")["Metadata"]
    assert [(one["ratingKey"], one["selected"]) for one in candidates][1:] == [
        (upload_key(JPEG), False),
        (upload_key(PNG), True),
    ]
    assert film.locked == frozenset()


def test_selecting_locks(there: World, film: PlexItem) -> None:
    post(there, film, JPEG)
    post(there, film, PNG)
    path = f"/library/metadata/{film.rating_key}/poster"
    assert there.send("PUT", path, ("url", upload_key(JPEG))).status == 200
    assert film.poster is not None
    assert (film.poster.sha1, film.locked) == (upload_key(JPEG).rpartition("/")[2], {"thumb"})
    assert there.send("PUT", path, ("url", "upload://posters/none")).status == 404
    assert there.send("GET", path, ("url", upload_key(PNG))).status == 200  # a GET selects nothing
    assert film.poster.key == upload_key(JPEG)


def test_backgrounds_are_separate(there: World, film: PlexItem) -> None:
    assert film.art is None
    assert post(there, film, JPEG, "arts") == 200
    assert film.art is not None
    assert film.art.data == JPEG
    assert there.read(film)["art"].startswith(f"/library/metadata/{film.rating_key}/art/")
    assert there.send("DELETE", f"/library/metadata/{film.rating_key}/art").status == 200
    assert (film.art, film.locked) == (None, {"art"})


def test_bytes_can_be_fetched_back_in_three_ways(there: World, film: PlexItem) -> None:
    post(there, film, JPEG)
    current = there.send("GET", there.read(film)["thumb"])
    assert (current.data, current.headers["Content-Type"]) == (JPEG, "image/jpeg")
    candidate = there.json(f"/library/metadata/{film.rating_key}/posters")["Metadata"][1]
    assert there.send("GET", candidate["key"]).data == JPEG
    transcoded = there.send("GET", "/photo/:/transcode", ("url", there.read(film)["thumb"]), ("width", 10))
    assert transcoded.data == JPEG
    assert there.send("GET", "/photo/:/transcode", ("url", candidate["key"])).data == JPEG


def test_a_key_that_is_not_fully_encoded_is_not_found(there: World, film: PlexItem) -> None:
    post(there, film, JPEG)
    path = f"/library/metadata/{film.rating_key}/file?url="
    assert there.send("GET", path + quote(upload_key(JPEG), safe="")).status == 200
    assert there.send("GET", path + upload_key(JPEG)).status == 404


def test_the_address_of_an_image_changes_with_the_image(there: World, film: PlexItem) -> None:
    addresses = [there.read(film)["thumb"]]
    for data in (JPEG, PNG):
        post(there, film, data)
        addresses.append(there.read(film)["thumb"])
    assert len(set(addresses)) == 3


def test_too_large_or_empty_images(there: World, film: PlexItem) -> None:
    assert post(there, film, b"x" * 10_480_001) == 500
    assert post(there, film, b"") == 400
    assert len(film.posters) == 1


@pytest.mark.parametrize(
    ("switches", "selected", "locked"),
    [
        ({"posted_image_selects": "always"}, JPEG, frozenset()),
        ({"posted_image_selects": "never"}, None, frozenset()),
        ({"posted_image_locks": True}, PNG, {"thumb"}),
    ],
)
def test_what_posting_does_is_open(
    there: World, film: PlexItem, switches: dict[str, object], selected: bytes | None, locked: set[str]
) -> None:
    there.plex.behaviour = replace(there.plex.behaviour, **switches)
    for data in (JPEG, PNG, JPEG):
        post(there, film, data)
    assert film.poster is not None
    assert film.poster.data == (selected or b"frame of harbour")
    assert film.locked == locked


def test_a_locked_field_may_refuse_a_posted_image(there: World, film: PlexItem) -> None:
    there.plex.behaviour = replace(there.plex.behaviour, locked_image_refuses_post=True)
    there.edit(film, ("thumb.locked", 1))
    post(there, film, JPEG)
    assert film.poster is not None
    assert film.poster.data == b"frame of harbour"
    there.edit(film, ("thumb.locked", 0))
    post(there, film, PNG)
    assert film.poster.data == PNG


def test_an_image_named_by_its_address_is_fetched_by_the_server(there: World, film: PlexItem) -> None:
    async def pictures(request: Request) -> Answer:
        return Response(200, JPEG) if request.path == "/harbour.jpg" else Response(404, b"no")

    path = f"/library/metadata/{film.rating_key}/posters"
    with HttpServer(pictures) as elsewhere:
        assert there.send("POST", path, ("url", f"{elsewhere.url}/harbour.jpg")).status == 200
        assert film.poster is not None
        assert film.poster.key == upload_key(JPEG)
        assert there.send("POST", path, ("url", f"{elsewhere.url}/nothing.jpg")).status == 500
    assert there.send("POST", path, ("url", f"{elsewhere.url}/harbour.jpg")).status == 500
    assert len(film.posters) == 2


def test_unknown_items_have_no_images(there: World) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert there.send(method, "/library/metadata/9/posters", body=JPEG).status == 404
