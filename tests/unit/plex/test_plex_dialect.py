"""What the client learns about a server's ways with ratings and with lists longer than a request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from plex_documents import full_item, library_read
from plex_stub import PlexStub, Reply, Seen, json_reply

from scenesync.domain.diff import Edit, FieldChange
from scenesync.domain.fields import Field
from scenesync.plex.dialect import Dialect
from scenesync.plex.exceptions import PlexPermanentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.plex.client import PlexClient

TITLE = FieldChange(Field.TITLE, before="Old", after="Beach Walk")


def also_title(edit: Edit) -> Edit:
    return replace(edit, changes=(TITLE, *edit.changes))


def item_with_actors(names: Sequence[str]) -> Callable[[Seen], Reply | None]:
    """Answer reads with this cast, and let writes pass."""
    answer = json_reply(library_read(full_item(Role=[{"tag": name} for name in names])))
    return lambda seen: answer if seen.method == "GET" else None


def rating_edit(rating: str) -> Edit:
    return Edit("1201", "4", (FieldChange(Field.RATING, before="3", after=rating),))


def test_a_rating_travels_with_the_other_fields_and_is_not_locked(client: PlexClient, stub: PlexStub) -> None:
    client.apply_edit(also_title(rating_edit("8.5")))

    (seen,) = stub.seen
    query = dict(seen.query)
    assert (query["userRating.value"], query["userRating.locked"], query["title.locked"]) == ("8.5", "0", "1")


@pytest.mark.parametrize(("rating", "sent"), [("8.5", "8.5"), ("", "-1")])
def test_where_edits_do_not_rate_the_request_for_ratings_does(
    client: PlexClient, stub: PlexStub, rating: str, sent: str
) -> None:
    client.adopt_other_dialect([rating_edit(rating)])
    assert client.dialect == Dialect(rating_request="rate")

    client.apply_edit(also_title(rating_edit(rating)))

    edit, rate = stub.seen
    assert "userRating" not in edit.target
    assert (rate.method, rate.path) == ("PUT", "/:/rate")
    assert dict(rate.query) == {"key": "1201", "identifier": "com.plexapp.plugins.library", "rating": sent}


def test_a_rating_without_an_item_is_not_sent(client: PlexClient, stub: PlexStub) -> None:
    client.adopt_other_dialect([rating_edit("8")])

    with pytest.raises(PlexPermanentError, match="as a rating key"):
        client.apply_edit(replace(rating_edit("8"), rating_key=""))
    assert stub.asked == []


def test_the_other_dialect_is_the_other_answer_to_each_question(client: PlexClient, stub: PlexStub) -> None:
    removal = FieldChange(Field.GENRES, before=("A & B",), after=())

    client.apply_in_other_dialect(replace(rating_edit("8"), changes=(removal, *rating_edit("8").changes)))

    assert "tag-=A%20%26%20B&" in stub.seen[0].target
    assert stub.seen[1].path == "/:/rate"
    assert client.dialect == Dialect()


CREW = tuple(f"Member {number:03d} of the harbour choir" for number in range(400))


def crew_edit() -> Edit:
    return Edit("1201", "4", (FieldChange(Field.ACTORS, before=("Gone",), after=CREW),))


def test_a_list_longer_than_a_request_is_sent_in_several_where_names_are_added(
    client: PlexClient, stub: PlexStub
) -> None:
    stub.judge = item_with_actors(CREW)

    client.apply_edit(crew_edit())

    assert client.dialect == Dialect(long_lists="added")
    sent = [value for seen in stub.seen for name, value in seen.query if name.endswith("tag.tag")]
    assert tuple(sent) == CREW
    assert client.fit(Field.ACTORS, CREW) == CREW
    asked = len(stub.seen)
    client.apply_edit(crew_edit())
    assert [seen.method for seen in stub.seen[asked:]] == ["PUT"] * (asked - 1)  # known now: no look is needed


def test_a_list_longer_than_a_request_is_cut_to_one_where_names_are_replaced(
    client: PlexClient, stub: PlexStub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.judge = item_with_actors(CREW[-40:])

    client.apply_edit(crew_edit())

    assert client.dialect == Dialect(long_lists="replaced")
    kept = client.fit(Field.ACTORS, CREW)
    assert not isinstance(kept, str)
    assert 100 < len(kept) < len(CREW)
    assert kept == CREW[: len(kept)]
    last = [value for name, value in stub.seen[-1].query if name.endswith("tag.tag")]
    assert tuple(last) == kept
    assert f"field=actor kept={len(kept)} of=400" in caplog.text
    assert "Member" not in caplog.text


def test_nothing_is_learned_from_a_list_that_is_not_there_yet(client: PlexClient, stub: PlexStub) -> None:
    stub.judge = item_with_actors(["Gone"])

    client.apply_edit(crew_edit())

    assert client.dialect == Dialect()
