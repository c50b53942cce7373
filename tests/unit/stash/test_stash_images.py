from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stash_answers import FULL_SCENE
from stash_stub import Reply, StubStash, picture

from scenesync.domain.errors import ImageTooLarge, ImageUnusable, StashRefused, StashUnauthorized, StashUnavailable
from scenesync.stash import transport
from scenesync.stash.client import StashClient
from scenesync.stash.images import StashImage

if TYPE_CHECKING:
    from scenesync.domain.ports import Image

COVER = FULL_SCENE["paths"]["screenshot"]
PATH = "/scene/2/screenshot"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\x00" * 40
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + b"\x00" * 40
GIF = b"GIF89a" + b"\x00" * 40
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp"), (GIF, "image/gif"), (PNG, "Image/JPEG; q=1")],
)
def test_a_cover_comes_with_its_etag(stub: StubStash, client: StashClient, content: bytes, media_type: str) -> None:
    stub.answers[PATH] = picture(content, media_type, '"0cc175b9"')

    cover: Image | None = client.image(COVER)

    assert cover == StashImage(content, '"0cc175b9"')
    assert stub.seen[0].method == "GET"
    assert "if-none-match" not in stub.seen[0].headers


def test_the_address_of_stash_as_it_sees_itself_is_replaced_by_ours(stub: StubStash) -> None:
    stub.answers["*"] = picture(JPEG, "image/jpeg")
    with StashClient(stub.url, api_key="FAKE-API-KEY") as client:
        for url in (COVER, "https://stash.example/scene/2/screenshot?t=1795467521", PATH, "scene/2/screenshot"):
            client.image(url)

    query = "?t=1795467521"
    assert [seen.path for seen in stub.seen] == [PATH + query, PATH + query, PATH, PATH]
    assert {seen.headers["apikey"] for seen in stub.seen} == {"FAKE-API-KEY"}


def test_a_path_in_front_of_stash_stands_once_in_the_address(stub: StubStash) -> None:
    stub.answers["*"] = picture(JPEG, "image/jpeg")
    with StashClient(f"{stub.url}/stash") as client:
        client.image("http://localhost:9999/scene/2/screenshot")
        client.image("https://stash.example/stash/scene/2/screenshot")
    assert [seen.path for seen in stub.seen] == ["/stash/scene/2/screenshot"] * 2


def test_an_unchanged_cover_is_nothing(stub: StubStash, client: StashClient) -> None:
    stub.answers[PATH] = Reply(304, b"", (("ETag", '"0cc175b9"'),))

    assert client.image(COVER, known_etag='"0cc175b9"') is None
    assert stub.seen[0].headers["if-none-match"] == '"0cc175b9"'


def test_the_drawing_for_a_scene_without_a_cover_is_empty(stub: StubStash, client: StashClient) -> None:
    stub.answers[PATH] = picture(SVG, "image/svg+xml; charset=utf-8", '"default"')
    assert client.image(COVER) == StashImage(b"", '"default"')


def test_a_scene_that_names_no_cover_asks_nothing(stub: StubStash, client: StashClient) -> None:
    assert client.image("") == StashImage(b"")
    assert stub.seen == []


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"<html>log in</html>", "text/html; charset=utf-8"),
        (JPEG, "text/html"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"<html>log in</html>", "image/jpeg"),
        (b"RIFF\x24\x00\x00\x00WAVE", "image/webp"),
        (b"", "image/jpeg"),
        (JPEG, ""),
    ],
)
def test_what_is_no_picture_is_refused(stub: StubStash, client: StashClient, content: bytes, media_type: str) -> None:
    stub.answers[PATH] = picture(content, media_type)
    with pytest.raises(ImageUnusable):
        client.image(COVER)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(302, b"", (("Location", "/login?returnURL=%2Fscene%2F2%2Fscreenshot"),)), StashUnauthorized),
        (Reply(401), StashUnauthorized),
        (Reply(404, b"not found"), ImageUnusable),
        (Reply(400), ImageUnusable),
        (Reply(500), StashUnavailable),
        (Reply(resets=True), StashUnavailable),
        (Reply(200, JPEG, (("Content-Type", "image/jpeg"),), missing_bytes=9), StashUnavailable),
    ],
)
def test_each_failure_says_what_it_means_and_follows_nothing(
    stub: StubStash, client: StashClient, reply: Reply, error: type[Exception]
) -> None:
    stub.answers[PATH] = reply
    with pytest.raises(error) as caught:
        client.image(COVER)
    assert type(caught.value) is error
    assert len(stub.seen) == 1


def test_a_picture_beyond_the_limit_is_not_read_to_the_end(stub: StubStash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "IMAGE_LIMIT_BYTES", 1024 * 1024)
    with StashClient(stub.url, max_connections=1) as client:
        stub.answers[PATH] = picture(JPEG.ljust(1024 * 1024, b"\0"), "image/jpeg")
        assert client.image(COVER) is not None
        stub.answers[PATH] = picture(JPEG.ljust(1024 * 1024 + 1, b"\0"), "image/jpeg")
        with pytest.raises(ImageTooLarge, match="more than 1 MiB"):
            client.image(COVER)
        stub.answers[PATH] = picture(JPEG, "image/jpeg")
        assert client.image(COVER) == StashImage(JPEG), "the one connection was not left blocked"


def test_an_address_that_cannot_be_read_is_refused(stub: StubStash, client: StashClient) -> None:
    with pytest.raises(StashRefused, match="address"):
        client.image("http://[localhost/scene/2/screenshot")
    assert stub.seen == []


def test_bytes_of_a_picture_never_fill_a_log() -> None:
    assert "JFIF" not in repr(StashImage(JPEG, "e"))
