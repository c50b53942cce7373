from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scenesync.domain.departure import label_edit, unlock_edit, unlocked, without_label
from scenesync.domain.diff import Baseline, ImageBaseline
from scenesync.domain.fields import Field
from scenesync.domain.item import Item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.fields import FieldValue

LABEL = "Stash-Deleted"


def item(values: Mapping[Field, FieldValue] | None = None, *, locked: frozenset[str] = frozenset()) -> Item:
    return Item("10", "1", (), dict(values or {}), locked)


class TestUnlock:
    def test_only_locks_that_are_ours_come_off(self) -> None:
        baselines = {
            Field.TITLE: Baseline("Harbour", "Harbour"),
            Field.SUMMARY: Baseline("Quiet.", "Quiet.", locked=False),
            Field.STUDIO: Baseline("Pier", "Pier"),
        }
        locked = frozenset({"title", "summary", "genre", "thumb"})
        edit = unlock_edit(item(locked=locked), baselines, {})
        assert edit.also_unlock == (Field.TITLE,)
        assert (edit.changes, edit.also_lock) == ((), ())

    @pytest.mark.parametrize(("selected", "ours"), [("/ours", True), ("/theirs", False)])
    def test_the_lock_of_a_picture_is_ours_while_it_is_our_picture(self, selected: str, *, ours: bool) -> None:
        shown = item({Field.POSTER: selected}, locked=frozenset({"thumb"}))
        edit = unlock_edit(shown, {}, {Field.POSTER: ImageBaseline("sha", "/ours")})
        assert (Field.POSTER in edit.also_unlock) is ours

    def test_nothing_to_unlock_is_no_edit(self) -> None:
        assert not unlock_edit(item(), {Field.TITLE: Baseline("Harbour")}, {})

    def test_afterwards_a_lock_there_is_a_persons(self) -> None:
        baselines = {Field.TITLE: Baseline("Harbour", "harbour"), Field.STUDIO: Baseline("Pier")}
        edit = unlock_edit(item(locked=frozenset({"title"})), baselines, {})
        assert unlocked(edit, baselines) == {Field.TITLE: Baseline("Harbour", "harbour", locked=False)}


class TestLabel:
    def test_it_is_added_to_what_people_put_there_and_is_ours(self) -> None:
        edit = label_edit(item({Field.LABELS: ("Kids",)}), LABEL, {})
        (change,) = edit.changes
        assert (change.after, change.written, change.removed) == (("Kids", LABEL), (LABEL,), ())

    def test_labels_that_were_ours_stay_ours(self) -> None:
        known = {Field.LABELS: Baseline(("Organized",))}
        (change,) = label_edit(item({Field.LABELS: ("Kids", "Organized")}), LABEL, known).changes
        assert change.written == ("Organized", LABEL)

    def test_in_whatever_capitals_it_is_there_once(self) -> None:
        assert not label_edit(item({Field.LABELS: ("STASH-deleted",)}), LABEL, {})

    @pytest.mark.parametrize(
        ("locked", "ours", "after"), [(True, True, True), (True, False, True), (False, True, False)]
    )
    def test_a_lock_stays_as_it_is(self, *, locked: bool, ours: bool, after: bool) -> None:
        shown = item({Field.LABELS: ("Kids",)}, locked=frozenset({"label"} if locked else ()))
        edit = label_edit(shown, LABEL, {Field.LABELS: Baseline(("Organized",), locked=ours)})
        assert edit.leaves_locked(Field.LABELS) is after
        assert edit.locks(Field.LABELS) is (locked and ours)


class TestAScenesReturn:
    def test_the_label_goes_and_our_others_stay(self) -> None:
        known = {Field.LABELS: Baseline(("Organized", "stash-deleted"))}
        assert without_label({Field.TITLE: "A"}, LABEL, known) == {Field.TITLE: "A", Field.LABELS: ("Organized",)}

    @pytest.mark.parametrize(
        "known", [{}, {Field.LABELS: Baseline(("Organized",))}, {Field.GENRES: Baseline((LABEL,))}]
    )
    def test_a_label_that_we_did_not_add_is_none_of_our_business(self, known: Mapping[Field, Baseline]) -> None:
        assert without_label({Field.TITLE: "A"}, LABEL, known) == {Field.TITLE: "A"}

    def test_where_labels_are_synced_the_wanted_ones_are_right_already(self) -> None:
        wanted: dict[Field, FieldValue] = {Field.LABELS: ("Organized",)}
        assert without_label(wanted, LABEL, {Field.LABELS: Baseline((LABEL,))}) == wanted
