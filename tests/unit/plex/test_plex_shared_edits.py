"""Edits that are equal for several items: what goes over the wire, and what is no longer sent so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from plex_stub import PlexStub, Reply, Seen

from scenesync.domain.diff import Edit, FieldChange
from scenesync.domain.fields import Field
from scenesync.plex.dialect import from_text, to_text
from scenesync.plex.exceptions import PlexNotFound, PlexPermanentError
from scenesync.plex.watching import Nobody

if TYPE_CHECKING:
    from scenesync.plex.client import PlexClient


class Listening(Nobody):
    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def was_written(self, rating_key: str) -> None:
        self.heard.append(rating_key)


class TestEditsOfEqualWording:
    def edits(self, count: int, after: str = "North Pier") -> list[Edit]:
        change = FieldChange(Field.STUDIO, before="Pier", after=after)
        return [Edit(str(100_000 + number), "4", (change,)) for number in range(count)]

    def keys(self, seen: Seen) -> list[str]:
        return dict(seen.query)["id"].split(",")

    def test_they_go_out_as_one_request_that_names_every_item(self, client: PlexClient, stub: PlexStub) -> None:
        client.apply_to_all(self.edits(3))
        (seen,) = stub.seen
        assert seen.query == [
            ("type", "1"),
            ("id", "100000,100001,100002"),
            ("studio.value", "North Pier"),
            ("studio.locked", "1"),
        ]

    def test_what_the_items_showed_before_makes_no_difference(self, client: PlexClient, stub: PlexStub) -> None:
        first, second = self.edits(2)
        second = replace(second, changes=(FieldChange(Field.STUDIO, before="Elsewhere", after="North Pier"),))
        client.apply_to_all([first, second])
        assert len(stub.seen) == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"changes": (FieldChange(Field.STUDIO, before="Pier", after="South Pier"),)},
            {"library_key": "5"},
            {"lock": False},
            {"also_lock": (Field.POSTER,)},
            {"of_collection": True},
            {"changes": (FieldChange(Field.GENRES, before=("Storm",), after=("Reel",)),)},
        ],
    )
    def test_unequal_ones_are_refused(self, client: PlexClient, stub: PlexStub, other: dict[str, Any]) -> None:
        first, second = self.edits(2)
        with pytest.raises(PlexPermanentError, match="differ"):
            client.apply_to_all([first, replace(second, **other)])
        assert stub.seen == []

    def test_names_to_remove_are_part_of_the_wording(self) -> None:
        reel = Edit("1", "4", (FieldChange(Field.GENRES, before=("Storm", "Reel"), after=("Reel",)),))
        plain = Edit("2", "4", (FieldChange(Field.GENRES, before=("Reel",), after=("Reel",)),))
        assert reel.wording != plain.wording

    def test_a_line_is_no_longer_than_one_of_a_read(self, client: PlexClient, stub: PlexStub) -> None:
        client.apply_to_all(self.edits(600))
        assert len(stub.seen) > 1
        assert all(len(f"PUT {seen.target}") <= client.dialect.ids_line_bytes for seen in stub.seen)
        assert sorted(key for seen in stub.seen for key in self.keys(seen)) == [str(100_000 + n) for n in range(600)]

    def test_a_server_that_takes_shorter_lines_is_sent_shorter_ones(self, client: PlexClient, stub: PlexStub) -> None:
        stub.judge = lambda seen: Reply(414) if len(seen.target) > 1_000 else None
        client.apply_to_all(self.edits(300))
        taken = [seen for seen in stub.seen if len(seen.target) <= 1_000]
        assert sorted(key for seen in taken for key in self.keys(seen)) == [str(100_000 + n) for n in range(300)]
        assert client.dialect.ids_line_bytes <= 1_000

    def test_what_is_too_long_to_be_shared_is_sent_item_by_item(self, client: PlexClient, stub: PlexStub) -> None:
        change = FieldChange(Field.SUMMARY, before="", after="Aye. " * 900)
        client.apply_to_all([Edit(key, "4", (change,)) for key in ("1201", "1202")])
        assert sorted(map(self.keys, stub.seen)) == [["1201"], ["1202"]]

    def test_names_that_must_travel_alone_are_sent_item_by_item(self, client: PlexClient, stub: PlexStub) -> None:
        client.adopt(lambda dialect: replace(dialect, minus_encoding="plain"))
        change = FieldChange(Field.GENRES, before=("A, B", "C"), after=("C",))
        client.apply_to_all([Edit(key, "4", (change,)) for key in ("1201", "1202")])
        assert {tuple(self.keys(seen)) for seen in stub.seen} == {("1201",), ("1202",)}

    def test_whoever_watches_hears_of_every_item(self, client: PlexClient) -> None:
        heard: list[str] = []
        client.watch_with(Listening(heard))
        client.apply_to_all(self.edits(3))
        assert sorted(heard) == ["100000", "100001", "100002"]

    def test_a_refusal_is_raised(self, client: PlexClient, stub: PlexStub) -> None:
        stub.default = Reply(404)
        with pytest.raises(PlexNotFound):
            client.apply_to_all(self.edits(2))

    def test_that_a_server_swallows_them_is_learned_for_good(self, client: PlexClient) -> None:
        assert client.edits_many
        client.edit_one_by_one()
        assert not client.edits_many
        assert from_text(to_text(client.dialect)).edits_many is False
