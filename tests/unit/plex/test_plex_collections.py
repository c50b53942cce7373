from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from plex_stub import Reply, json_reply

from scenesync.domain.diff import Edit, FieldChange
from scenesync.domain.fields import Field
from scenesync.plex.dialect import Dialect
from scenesync.plex.edit_request import edit_requests
from scenesync.plex.exceptions import PlexPermanentError
from scenesync.plex.exchange import Exchange, Timeouts
from scenesync.plex.request import RawAnswer, Request

if TYPE_CHECKING:
    from plex_stub import PlexStub

    from scenesync.plex.client import PlexClient


def row(key: int, title: str = "North Pier", **more: Any) -> dict[str, Any]:
    return {"ratingKey": str(key), "type": "collection", "title": title, "childCount": "2", **more}


def page(*rows: dict[str, Any], total: int | None = None, name: str = "Metadata") -> Reply:
    container: dict[str, Any] = {"size": len(rows), "librarySectionID": 4, name: list(rows)}
    return json_reply({"MediaContainer": container | ({} if total is None else {"totalSize": total})})


def test_the_collections_of_a_library_are_listed_without_a_filter(stub: PlexStub, client: PlexClient) -> None:
    stub.replies.append(page(row(301, summary="Text."), row(302, "Tour", smart="1"), total=2))
    first, second = client.collections.of_library("4")
    (seen,) = stub.seen
    assert (seen.method, seen.path) == ("GET", "/library/sections/4/all")
    assert dict(seen.query) == {"type": "18", "X-Plex-Container-Start": "0", "X-Plex-Container-Size": "1000"}
    assert (first.item.rating_key, first.item.library_key, first.title, first.member_count) == (
        *("301", "4", "North Pier", 2),
    )
    assert (first.item.value(Field.SUMMARY), first.is_smart, second.is_smart) == ("Text.", False, True)


@pytest.mark.parametrize("total", [3, None])
def test_a_listing_in_short_pages_is_read_to_its_end(stub: PlexStub, client: PlexClient, total: int | None) -> None:
    stub.replies += [page(row(301), row(302), total=total), page(row(302), row(303), total=total), page(total=total)]
    assert [each.item.rating_key for each in client.collections.of_library("4")] == ["301", "302", "303"]


def test_collections_may_come_as_directories(stub: PlexStub, client: PlexClient) -> None:
    stub.replies.append(page(row(301), total=1, name="Directory"))
    assert [each.title for each in client.collections.of_library("4")] == ["North Pier"]


def test_what_is_no_collection_is_not_taken_for_one(stub: PlexStub, client: PlexClient) -> None:
    stub.replies.append(page(row(301), row(1201, type="movie")))
    assert set(client.collections.read(["301", "1201"])) == {"301"}
    assert stub.asked == ["GET /library/metadata/301,1201"]


def test_where_one_missing_collection_hides_the_others_each_is_asked_for(stub: PlexStub, client: PlexClient) -> None:
    stub.judge = lambda seen: page(row(301)) if seen.path.endswith("/301") else Reply(404)
    assert set(client.collections.read(["300", "301", "301"])) == {"301"}


def test_nothing_to_read_is_no_request(stub: PlexStub, client: PlexClient) -> None:
    assert client.collections.read([]) == {}
    assert stub.seen == []


def test_the_members_are_told_in_their_order(stub: PlexStub, client: PlexClient) -> None:
    stub.replies.append(page({"ratingKey": "1203"}, {"ratingKey": "1201"}, total=2))
    assert client.collections.members("301") == ("1203", "1201")
    assert stub.asked == ["GET /library/collections/301/children"]


def test_a_collection_is_deleted_under_its_own_path(stub: PlexStub, client: PlexClient) -> None:
    client.collections.delete("301")
    stub.replies.append(Reply(404))
    client.collections.delete("302")  # gone already
    assert stub.asked == ["DELETE /library/collections/301", "DELETE /library/collections/302"]


@pytest.mark.parametrize("key", ["", "301,302", "301/items", "../metadata/1", "301?x=1"])
def test_a_key_that_names_anything_but_one_collection_is_refused(stub: PlexStub, client: PlexClient, key: str) -> None:
    with pytest.raises(PlexPermanentError, match="refused"):
        client.collections.delete(key)
    assert stub.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/library/metadata/1201",
        "/library/collections",
        "/library/collections/",
        "/library/collections/301/items/1201",
        "/library/sections/4",
        "/library/collections/301/../../metadata/1201",
    ],
)
def test_a_request_that_deletes_anything_else_is_not_sent(path: str) -> None:
    sent: list[Request] = []

    def send(request: Request, *, read_timeout_s: float, probe: bool = False) -> RawAnswer:  # noqa: ARG001 - as Send
        sent.append(request)
        return RawAnswer(200)

    with pytest.raises(PlexPermanentError, match="refused to delete"):
        Exchange(send, Timeouts(), None).write(Request("DELETE", path), "delete collection")
    assert sent == []


def test_an_edit_of_a_collection_cannot_reach_a_film() -> None:
    change = FieldChange(Field.SUMMARY, "", "Text.")
    (request,) = edit_requests(Edit("301", "4", (change,), of_collection=True), Dialect())
    assert request.target == "/library/sections/4/all?type=18&id=301&summary.value=Text.&summary.locked=1"


def test_members_are_moved_behind_one_another_or_to_the_front(stub: PlexStub, client: PlexClient) -> None:
    client.collections.sort_by_hand("301")
    client.collections.move("301", "1202", after="1201")
    client.collections.move("301", "1203", after="")
    assert [f"{each.method} {each.target}" for each in stub.seen] == [
        "PUT /library/collections/301/prefs?collectionSort=2",
        "PUT /library/collections/301/items/1202/move?after=1201",
        "PUT /library/collections/301/items/1203/move",
    ]
