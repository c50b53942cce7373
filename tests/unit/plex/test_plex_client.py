"""The client's requests and answers over real HTTP."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from plex_documents import full_item, library_read
from plex_stub import PlexStub, Reply, Seen, json_reply

from scenesync.domain.diff import Edit, FieldChange
from scenesync.domain.fields import Field
from scenesync.domain.item import Library, ServerIdentity, UploadedImage
from scenesync.plex.dialect import Dialect
from scenesync.plex.exceptions import PlexBusy, PlexPermanentError, PlexServerDown
from scenesync.plex.exchange import Exchange, RequestRecord, Timeouts
from scenesync.plex.request import RawAnswer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.domain.ports import MediaServer
    from scenesync.plex.client import PlexClient

    Connect = Callable[..., PlexClient]

NEVER_NEEDED = "Country,Guid,Rating,Writer,Producer,Similar,Style,Mood,Format,Image,UltraBlurColors"
REST_OF_FIELDS = "studio,contentRating,userRating,year,originallyAvailableAt,thumb,art,guid"


def title_edit(title: str = "Beach Walk", *, lock: bool = True) -> Edit:
    return Edit("1201", "4", (FieldChange(Field.TITLE, before="Old", after=title),), lock)


def summary_edit(length: int) -> Edit:
    return Edit("1201", "4", (FieldChange(Field.SUMMARY, before="", after="Aye. " * (length // 5)),))


def items_that_exist(*existing: str, omits_missing: bool = True) -> Callable[[Seen], Reply | None]:
    """Answer reads of several items as a server that leaves missing ones out, or that hides all behind one."""

    def judge(seen: Seen) -> Reply | None:
        asked = seen.path.rpartition("/")[2].split(",")
        found = [key for key in asked if key in existing]
        if not found or (len(found) < len(asked) and not omits_missing):
            return Reply(404, b"<html><head><title>Not Found</title></head></html>")
        return json_reply(library_read(*map(full_item, found)))

    return judge


def test_the_client_is_a_media_server(client: PlexClient) -> None:
    server: MediaServer = client

    assert server.identity() == ServerIdentity("m-1", "1.43.2.1")


def test_every_request_says_who_asks(client: PlexClient, stub: PlexStub) -> None:
    client.identity()

    (seen,) = stub.seen
    assert (seen.method, seen.target, seen.body) == ("GET", "/identity", b"")
    assert dict(seen.headers) == {
        "host": stub.url.removeprefix("http://"),
        "accept-encoding": "identity",
        "accept": "application/json",
        "user-agent": "SceneSync/0.1.0",
        "x-plex-product": "SceneSync",
        "x-plex-version": "0.1.0",
        "x-plex-client-identifier": "client-1",
        "x-plex-token": "t0ken-not-to-be-seen",
    }


def test_libraries_are_read(client: PlexClient, stub: PlexStub) -> None:
    section = {"key": "4", "type": "movie", "title": "Scenes", "Location": [{"path": "/data"}]}
    stub.default = json_reply({"MediaContainer": {"Directory": [section]}})

    assert client.libraries() == (Library("4", "Scenes", ("/data",)),)
    assert [seen.target for seen in stub.seen] == ["/library/sections"]


def test_a_page_is_asked_for_by_id_and_lean(client: PlexClient, stub: PlexStub) -> None:
    stub.default = json_reply(library_read(full_item(), totalSize=900, offset=500))

    page = client.list_items("4", start=500, size=200)

    assert (len(page.items), page.total) == (1, 900)
    (seen,) = stub.seen
    assert (seen.method, seen.path) == ("GET", "/library/sections/4/all")
    assert seen.query == [
        ("type", "1"),
        ("sort", "id"),
        ("X-Plex-Container-Start", "500"),
        ("X-Plex-Container-Size", "200"),
        (
            "excludeElements",
            f"{NEVER_NEEDED},Genre,Collection,Director,Role",
        ),
        (
            "excludeFields",
            f"summary,tagline,titleSort,originalTitle,{REST_OF_FIELDS}",
        ),
    ]


def test_a_page_with_its_fields_leaves_out_what_nothing_is_compared_with(client: PlexClient, stub: PlexStub) -> None:
    stub.default = json_reply(library_read(full_item(), totalSize=900, offset=500))

    page = client.list_shown_items("4", start=500, size=200)

    (shown,) = page.items
    assert (shown.listed.rating_key, page.total) == ("1201", 900)
    assert shown.value(Field.SUMMARY) == "Two friends walk.\nThen they swim."
    assert shown.beginnings[Field.GENRES] == ("Outdoor", "Sea")
    assert stub.seen[0].query[4:] == [("excludeElements", NEVER_NEEDED)]


def test_an_item_tells_up_to_when_its_time_of_change_says_all(client: PlexClient, stub: PlexStub) -> None:
    # 1700000400 is when the item changed last.
    for date, settled in (
        ("Tue, 14 Nov 2023 22:20:00 GMT", False),
        ("Tue, 14 Nov 2023 22:20:01 GMT", False),  # as long as the answer may have been on its way
        ("Tue, 14 Nov 2023 22:20:05 GMT", True),
        ("no time at all", False),
    ):
        stub.default = json_reply(library_read(full_item()), headers={"Date": date})
        item = client.read_items(["1201"])["1201"]
        assert (item.updated_at, item.is_settled) == (1700000400, settled)
    stub.default = json_reply(library_read(full_item()))
    assert not client.read_items(["1201"])["1201"].is_settled


def test_a_page_may_be_asked_for_by_time_of_change(client: PlexClient, stub: PlexStub) -> None:
    stub.default = json_reply(library_read(full_item()))

    client.list_items("4", start=0, size=50, newest_first=True)

    assert "&sort=updatedAt%3Adesc&" in stub.seen[0].target


def test_the_total_may_come_in_a_header(client: PlexClient, stub: PlexStub) -> None:
    stub.default = json_reply(library_read(full_item()), headers={"X-Plex-Container-Total-Size": "77"})

    assert client.list_items("4", start=0, size=50).total == 77


def test_a_server_that_takes_exclusions_for_a_filter_is_asked_plainly(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = lambda seen: json_reply(
        library_read(totalSize=0) if "exclude" in seen.target else library_read(full_item())
    )

    assert len(client.list_items("4", start=0, size=50).items) == 1
    assert client.dialect.lean_listing is False
    assert len(client.list_items("4", start=0, size=50).items) == 1
    assert len(stub.seen) == 3


def test_an_empty_library_leaves_the_dialect_as_it_is(client: PlexClient, stub: PlexStub) -> None:
    stub.default = json_reply(library_read(totalSize=0))

    assert client.list_items("4", start=0, size=50).items == ()
    assert client.list_items("4", start=50, size=50).items == ()
    assert client.dialect == Dialect()
    assert len(stub.seen) == 3


def test_items_are_read_in_one_request(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = items_that_exist("3", "2", "1")

    found = client.read_items(["2", "1", "2"])

    assert list(found) == ["2", "1"]
    assert found["1"].values[Field.TITLE] == "Beach Walk"
    assert [seen.target for seen in stub.seen] == ["/library/metadata/2,1?skipRefresh=1"]


def test_no_items_are_no_request(client: PlexClient, stub: PlexStub) -> None:
    assert client.read_items([]) == {}
    assert stub.seen == []


def test_more_than_a_hundred_items_take_several_requests(client: PlexClient, stub: PlexStub) -> None:
    keys = [str(key) for key in range(220)]
    stub.judge = items_that_exist(*keys)

    assert list(client.read_items(keys)) == keys
    assert sorted(seen.target.count(",") + 1 for seen in stub.seen) == [20, 100, 100]


def test_what_many_items_are_is_read_in_turn_with_others_that_compute(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = items_that_exist("1")
    turn = threading.RLock()
    client.compute_with(turn)
    found: list[str] = []

    with turn:
        assert list(client.read_items(["1"])) == ["1"], "whoever has the turn may read"
        other = threading.Thread(target=lambda: found.extend(client.read_items(["1"])))
        other.start()
        while len(stub.seen) < 2:
            time.sleep(0.001)
        assert found == [], "the answer is there, and waits for its turn"
    other.join()
    assert found == ["1"]


def test_long_keys_keep_the_request_line_under_the_limit(client: PlexClient, stub: PlexStub) -> None:
    keys = [f"{key:064d}" for key in range(50)]
    stub.judge = items_that_exist(*keys)

    assert list(client.read_items(keys)) == keys
    assert len(stub.seen) == 2
    assert all(len(f"GET {seen.target}") <= 3000 for seen in stub.seen)


def test_missing_items_are_not_in_the_answer(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = items_that_exist("1", "3")

    assert list(client.read_items(["1", "2", "3"])) == ["1", "3"]
    assert len(stub.seen) == 1


def test_a_single_missing_item_is_an_empty_answer(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = items_that_exist("1")

    assert client.read_items(["2"]) == {}
    assert len(stub.seen) == 1


def test_one_missing_item_hides_no_others_on_any_server(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = items_that_exist("1", "3", "4", omits_missing=False)

    assert list(client.read_items(["1", "2", "3", "4"])) == ["1", "3", "4"]
    assert client.dialect.omits_missing is False


def test_once_known_to_omit_missing_items_a_404_means_all_of_them(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = items_that_exist("1")
    client.read_items(["1", "2"])

    assert client.read_items(["7", "8", "9"]) == {}
    assert client.dialect.omits_missing is True
    assert len(stub.seen) == 2


def test_items_that_nobody_asked_for_are_left_out(client: PlexClient, stub: PlexStub) -> None:
    stub.default = json_reply(library_read(full_item("1"), full_item("99")))

    assert list(client.read_items(["1"])) == ["1"]


def test_a_list_of_ids_too_long_is_split_and_the_limit_learned(client: PlexClient, stub: PlexStub) -> None:
    keys = [str(key) for key in range(10_000, 10_050)]
    exist = items_that_exist(*keys)
    stub.judge = lambda seen: Reply(414) if len(seen.target) > 200 else exist(seen)

    assert list(client.read_items(keys)) == keys
    assert client.dialect.ids_line_bytes < 200
    before = len(stub.seen)
    client.read_items(keys[:4])
    assert len(stub.seen) == before + 1


@pytest.mark.parametrize("keys", [["1"], ["1", "2", "3"]])
def test_a_server_that_takes_no_list_at_all_is_an_error(client: PlexClient, stub: PlexStub, keys: list[str]) -> None:
    stub.default = Reply(414)

    with pytest.raises(PlexPermanentError, match="so long a request"):
        client.read_items(keys)


def test_an_edit_is_one_put(client: PlexClient, stub: PlexStub) -> None:
    client.apply_edit(title_edit("Crème & Co"))

    (seen,) = stub.seen
    assert seen.method == "PUT"
    assert seen.target == ("/library/sections/4/all?type=1&id=1201&title.value=Cr%C3%A8me%20%26%20Co&title.locked=1")
    assert seen.body == b""
    assert seen.headers["content-length"] == "0"


def test_brackets_and_double_encoding_reach_the_wire_as_built(client: PlexClient, stub: PlexStub) -> None:
    client.apply_edit(Edit("1201", "4", (FieldChange(Field.GENRES, before=("A, B",), after=("New",)),)))

    assert stub.seen[0].target.endswith("&genre%5B0%5D.tag.tag=New&genre%5B%5D.tag.tag-=A%252C%2520B&genre.locked=1")


def test_an_edit_without_changes_asks_nothing(client: PlexClient, stub: PlexStub) -> None:
    client.apply_edit(Edit("1201", "4", ()))

    assert stub.seen == []


def test_locks_are_set_without_values(client: PlexClient, stub: PlexStub) -> None:
    client.apply_edit(Edit("1201", "4", (), also_lock=(Field.POSTER,)))

    assert [seen.target for seen in stub.seen] == ["/library/sections/4/all?type=1&id=1201&thumb.locked=1"]


def test_an_edit_refused_as_too_long_is_split_and_the_limit_learned(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = lambda seen: Reply(414) if len(seen.target) > 4096 else None
    actors = tuple(f"Actor number {number}" for number in range(60))
    change = FieldChange(Field.ACTORS, before=(), after=actors)

    client.apply_edit(Edit("1201", "4", (*summary_edit(1800).changes, change)))

    assert [len(seen.target) > 4096 for seen in stub.seen] == [True, False, False]
    assert client.dialect.item_line_bytes == 4000
    client.apply_edit(title_edit())
    assert len(stub.seen) == 4


def test_a_summary_refused_as_too_long_is_cut_as_fit_says_from_then_on(
    client: PlexClient, stub: PlexStub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.judge = lambda seen: Reply(414) if len(seen.target) > 4096 else None
    edit = summary_edit(5000)

    client.apply_edit(edit)

    sent = dict(stub.seen[-1].query)["summary.value"]
    assert client.fit(Field.SUMMARY, edit.changes[0].after) == sent
    assert "cut to what fits into a request item=1201 field=summary" in caplog.text
    assert "Aye" not in caplog.text


def test_fit_leaves_all_else_alone(client: PlexClient) -> None:
    assert client.fit(Field.TITLE, "T" * 9000) == "T" * 9000
    assert client.fit(Field.GENRES, ("a",)) == ("a",)
    assert client.fit(Field.SUMMARY, "short") == "short"


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_connection_that_breaks_twice_means_too_long(client: PlexClient, stub: PlexStub, fault: str) -> None:
    stub.judge = lambda seen: Reply(fault=fault) if len(seen.target) > 4096 else None

    client.apply_edit(summary_edit(5000))

    assert [len(seen.target) > 4096 for seen in stub.seen if seen.method == "PUT"] == [True, True] * 2 + [False]
    assert client.dialect.item_line_bytes == 4000


def test_a_connection_that_breaks_once_over_a_long_edit_is_an_accident(client: PlexClient, stub: PlexStub) -> None:
    stub.replies.append(Reply(fault="reset"))

    client.apply_edit(summary_edit(5000))

    assert len(stub.asked) == 2
    assert client.dialect == Dialect()


def test_nothing_is_learned_from_a_server_that_breaks_every_edit(client: PlexClient, stub: PlexStub) -> None:
    stub.default = Reply(fault="reset")

    with pytest.raises(PlexBusy):
        client.apply_edit(summary_edit(5000))
    assert client.dialect == Dialect()
    assert len(stub.asked) == 7  # 8000, 6000 and 4000 bytes twice, 3000 once


def test_a_server_that_refuses_any_length_ends_the_edit(client: PlexClient, stub: PlexStub) -> None:
    stub.default = Reply(414)

    with pytest.raises(PlexPermanentError, match="so long a request"):
        client.apply_edit(summary_edit(5000))
    assert len(stub.asked) == 6
    assert client.dialect == Dialect()


def test_the_worker_may_change_the_encoding_of_removals(client: PlexClient, stub: PlexStub) -> None:
    edit = Edit("1201", "4", (FieldChange(Field.GENRES, before=("A & B",), after=()),))

    client.adopt_other_dialect([edit])
    client.apply_edit(edit)

    assert "tag-=A%20%26%20B&" in stub.seen[0].target
    assert client.dialect == Dialect(minus_encoding="plain")


@pytest.mark.parametrize(("field", "place"), [(Field.POSTER, "posters"), (Field.BACKGROUND, "arts")])
def test_a_picture_is_uploaded_as_it_is(client: PlexClient, stub: PlexStub, field: Field, place: str) -> None:
    content = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5000

    client.upload_image("1201", field, content)

    (seen,) = stub.seen
    assert (seen.method, seen.target) == ("POST", f"/library/metadata/1201/{place}")
    assert seen.body == content
    assert seen.headers["content-type"] == "image/png"
    assert "transfer-encoding" not in seen.headers


@pytest.mark.parametrize(
    ("beginning", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", "application/octet-stream"),
    ],
)
def test_the_type_of_a_picture_is_seen_in_its_bytes(
    client: PlexClient, stub: PlexStub, beginning: bytes, media_type: str
) -> None:
    client.upload_image("1201", Field.POSTER, beginning)

    assert stub.seen[0].headers["content-type"] == media_type


@pytest.mark.parametrize("content", [b"", b"x" * 10_480_001])
def test_a_picture_that_plex_would_not_take_is_not_sent(client: PlexClient, stub: PlexStub, content: bytes) -> None:
    with pytest.raises(PlexPermanentError, match="picture"):
        client.upload_image("1201", Field.POSTER, content)
    assert stub.seen == []


@pytest.mark.parametrize(("field", "place"), [(Field.POSTER, "posters"), (Field.BACKGROUND, "arts")])
def test_candidates_are_listed(client: PlexClient, stub: PlexStub, field: Field, place: str) -> None:
    stub.default = json_reply(library_read({"ratingKey": "upload://posters/ab", "selected": True}))

    assert client.uploaded_images("1201", field) == (UploadedImage("upload://posters/ab", selected=True),)
    assert stub.asked == [f"GET /library/metadata/1201/{place}"]


@pytest.mark.parametrize(("field", "place"), [(Field.POSTER, "poster"), (Field.BACKGROUND, "art")])
def test_a_candidate_is_selected_by_its_key(client: PlexClient, stub: PlexStub, field: Field, place: str) -> None:
    client.select_image("1201", field, "upload://posters/ab&c")

    (seen,) = stub.seen
    assert seen.method == "PUT"
    assert seen.target == f"/library/metadata/1201/{place}?url=upload%3A%2F%2Fposters%2Fab%26c"


@pytest.mark.parametrize(("field", "place"), [(Field.POSTER, "thumb"), (Field.BACKGROUND, "art")])
def test_a_picture_is_taken_away_without_its_item(client: PlexClient, stub: PlexStub, field: Field, place: str) -> None:
    client.remove_image("1201", field)

    assert stub.asked == [f"DELETE /library/metadata/1201/{place}"]


@pytest.mark.parametrize(
    "path",
    [
        "/library/metadata/1201",
        "/library/metadata/1201/",
        "/library/metadata/1201,1202/thumb",
        "/library/metadata//thumb",
        "/library/metadata/1201/posters",
        "/library/metadata/1201/thumb/../",
        "/library/sections/1/all",
    ],
)
def test_whoever_builds_it_nothing_but_a_picture_is_deleted(path: str) -> None:
    sent: list[Request] = []

    def send(request: Request, *, read_timeout_s: float, probe: bool = False) -> RawAnswer:  # noqa: ARG001
        sent.append(request)
        return RawAnswer(200)

    with pytest.raises(PlexPermanentError, match="refused to delete"):
        Exchange(send, Timeouts(), None).write(Request("DELETE", path), "select")
    assert sent == []


def test_only_pictures_are_pictures(client: PlexClient) -> None:
    with pytest.raises(PlexPermanentError, match="not a picture"):
        client.uploaded_images("1201", Field.TITLE)


@pytest.mark.parametrize("key", ["", "1,2", "1/../2", "1?x"])
def test_a_key_that_does_not_name_one_thing_never_reaches_plex(client: PlexClient, stub: PlexStub, key: str) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: client.read_items(["1", key]),
        lambda: client.list_items(key, start=0, size=1),
        lambda: client.apply_edit(Edit(key, "4", title_edit().changes)),
        lambda: client.apply_edit(Edit("1201", key, title_edit().changes)),
        lambda: client.apply_edit(Edit(key, "4", (), also_lock=(Field.POSTER,))),
        lambda: client.apply_edit(Edit("1201", key, (), also_lock=(Field.POSTER,))),
        lambda: client.upload_image(key, Field.POSTER, b"x"),
        lambda: client.select_image(key, Field.POSTER, "upload://x"),
        lambda: client.remove_image(key, Field.POSTER),
        lambda: client.uploaded_images(key, Field.POSTER),
    ]
    for attempt in attempts:
        with pytest.raises(PlexPermanentError, match="refused"):
            attempt()
    assert stub.seen == []


@pytest.mark.parametrize(
    "query", ["", "type=1", "type=1&title.value=X", "type=1&id=&title.value=X", "type=1&id=,&x=1", "id=1&x=1"]
)
def test_whoever_builds_it_an_edit_of_a_whole_library_is_not_sent(query: str) -> None:
    sent: list[Request] = []

    def send(request: Request, *, read_timeout_s: float, probe: bool = False) -> RawAnswer:  # noqa: ARG001
        sent.append(request)
        return RawAnswer(200)

    with pytest.raises(PlexPermanentError, match="names no item"):
        Exchange(send, Timeouts(), None).write(Request("PUT", "/library/sections/4/all", query), "edit")
    assert sent == []


def test_every_request_is_reported_without_its_texts(stub: PlexStub, connect: Connect) -> None:
    records: list[RequestRecord] = []
    client = connect(stub.url, on_request=records.append, read_timeout_s=0.3)
    stub.replies.extend([Reply(200), Reply(fault="silence")])

    client.apply_edit(title_edit("Private"))
    with pytest.raises(PlexBusy):
        client.apply_edit(title_edit("Private"))

    assert [(record.method, record.kind, record.path, record.outcome) for record in records] == [
        ("PUT", "edit", "/library/sections/4/all", 200),
        ("PUT", "edit", "/library/sections/4/all", "silent"),
        ("GET", "identity", "/identity", 200),
    ]
    assert records[1].duration_s > 0.5
    assert "Private" not in repr(records)


def test_connections_are_reused(client: PlexClient, stub: PlexStub) -> None:
    stub.default = json_reply(library_read(full_item()))
    for _ in range(5):
        client.read_items(["1201"])
        client.apply_edit(title_edit())

    assert stub.accepted == 1


def test_many_threads_share_one_client(stub: PlexStub, connect: Connect) -> None:
    client = connect(stub.url, pool_size=4)
    keys = [str(key) for key in range(200)]
    stub.judge = items_that_exist(*keys)

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda key: client.read_items([key])[key].rating_key, keys))

    assert found == keys
    assert stub.accepted <= 4


def test_the_identity_is_asked_although_all_connections_hang(stub: PlexStub, connect: Connect) -> None:
    client = connect(stub.url, pool_size=1, read_timeout_s=20.0)
    stub.default = Reply(fault="silence")
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(client.libraries)
        while not stub.seen:
            time.sleep(0.01)

        assert client.identity().machine_identifier == "m-1"
        assert not hanging.done()
        stub.stopping.set()
        assert isinstance(hanging.exception(), PlexServerDown)
