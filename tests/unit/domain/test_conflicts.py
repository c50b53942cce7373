"""Who wins in a field, whose lock it is, and what is nobody's business but the owner's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from scenesync.domain.diff import Baseline, Conflict, ConflictPolicy, Edit, plan_edit
from scenesync.domain.fields import FILLED_BY_OTHERS, NEVER_LOCKED, Field, FieldValue
from scenesync.domain.item import Item

if TYPE_CHECKING:
    from collections.abc import Mapping

STASH, PLEX, FILL = ConflictPolicy.STASH, ConflictPolicy.PLEX, ConflictPolicy.FILL
Values = dict[Field, FieldValue]


def item(values: Mapping[Field, FieldValue], *locked: str) -> Item:
    return Item("10", "1", (), dict(values), frozenset(locked))


def changes(edit: Edit) -> Values:
    return {change.field: change.after for change in edit.changes}


class TestPolicyPerField:
    def test_a_field_may_have_a_policy_of_its_own(self) -> None:
        shown: Values = {Field.TITLE: "Theirs", Field.SUMMARY: "Theirs.", Field.STUDIO: "Theirs"}
        baselines = {field: Baseline("Ours", "Ours") for field in shown}
        wanted: Values = {Field.TITLE: "New", Field.SUMMARY: "New.", Field.STUDIO: "New"}
        policies = {Field.TITLE: PLEX, Field.STUDIO: FILL}
        edit = plan_edit(item(shown), wanted, baselines, policy=STASH, policies=policies)
        assert changes(edit) == {Field.SUMMARY: "New."}

    def test_it_may_let_stash_win_where_plex_does_elsewhere(self) -> None:
        shown: Values = {Field.TAGLINE: "Theirs", Field.SUMMARY: "Theirs."}
        baselines = {field: Baseline("Ours", "Ours") for field in shown}
        wanted: Values = {Field.TAGLINE: "New", Field.SUMMARY: "New."}
        edit = plan_edit(item(shown), wanted, baselines, policy=PLEX, policies={Field.TAGLINE: STASH})
        assert changes(edit) == {Field.TAGLINE: "New"}


class TestAWriteThatStoppedHalfWay:
    @pytest.mark.parametrize(
        ("shown", "is_ours"),
        [
            (("Kept", "Old", "New"), True),
            (("Kept",), True),
            (("kept", "new"), True),
            (("Old", "New"), False),  # nothing of ours takes off what stays
            (("Kept", "New", "Theirs"), False),
        ],
    )
    @pytest.mark.parametrize("policy", [PLEX, FILL])
    def test_a_list_between_both_is_no_persons_edit(
        self, shown: tuple[str, ...], policy: ConflictPolicy, *, is_ours: bool
    ) -> None:
        unproven = Baseline(("Kept", "New"), replaced=("Kept", "Old"))
        wanted: Values = {Field.GENRES: ("Kept", "Newer")}
        edit = plan_edit(item({Field.GENRES: shown}, "genre"), wanted, {Field.GENRES: unproven}, policy=policy)
        assert bool(edit.changes) is is_ours

    def test_once_proven_what_is_shown_otherwise_is_a_persons(self) -> None:
        proven = Baseline(("Kept", "New"), ("Kept", "New"))
        wanted: Values = {Field.GENRES: ("Newer",)}
        assert not plan_edit(item({Field.GENRES: ("Kept",)}), wanted, {Field.GENRES: proven}, policy=PLEX).changes


class TestLocks:
    OURS = Baseline("Ours.", "Ours.")
    UNLOCKED_OURS = Baseline("Ours.", "Ours.", locked=False)

    @pytest.mark.parametrize(
        ("policy", "baseline", "is_locked", "is_written"),
        [
            (PLEX, OURS, True, True),  # our value, our lock
            (PLEX, OURS, False, True),  # somebody took the lock off: no edit
            (PLEX, UNLOCKED_OURS, False, True),
            (PLEX, UNLOCKED_OURS, True, False),  # our value, but somebody locked it
            (PLEX, None, True, False),
            (FILL, OURS, True, True),
            (FILL, UNLOCKED_OURS, True, False),
            (STASH, UNLOCKED_OURS, True, True),
            (STASH, None, True, True),
        ],
    )
    def test_a_lock_that_is_not_ours_counts_as_a_persons_edit(
        self, policy: ConflictPolicy, baseline: Baseline | None, *, is_locked: bool, is_written: bool
    ) -> None:
        shown = item({Field.SUMMARY: "Ours."}, *(["summary"] if is_locked else []))
        baselines = {Field.SUMMARY: baseline} if baseline else {}
        assert bool(plan_edit(shown, {Field.SUMMARY: "New."}, baselines, policy=policy)) is is_written

    def test_an_empty_field_that_a_person_locked_is_not_filled(self) -> None:
        edit = plan_edit(item({}, "summary"), {Field.SUMMARY: "New."}, {}, policy=FILL)
        assert not edit

    def test_with_locking_every_written_field_but_the_rating_is_locked(self) -> None:
        wanted: Values = {Field.SUMMARY: "New.", Field.RATING: "8", Field.GENRES: ("Sea",)}
        edit = plan_edit(item({}), wanted, {})
        assert {field for field in wanted if edit.leaves_locked(field)} == {Field.SUMMARY, Field.GENRES}
        assert Field.RATING in NEVER_LOCKED

    def test_without_locking_nothing_is_locked_and_no_lock_is_taken_off(self) -> None:
        wanted: Values = {Field.SUMMARY: "New.", Field.STUDIO: "New", Field.RATING: "8"}
        edit = plan_edit(item({}, "summary", "userRating"), wanted, {}, lock=False)
        assert {field for field in wanted if edit.leaves_locked(field)} == {Field.SUMMARY, Field.RATING}
        assert not any(edit.locks(field) for field in wanted)


class TestSharedListsWherePersonsWin:
    def step(self, shown: tuple[str, ...], wanted: tuple[str, ...], baseline: Baseline | None, *locks: str) -> Edit:
        values: Values = {Field.LABELS: shown} if shown else {}
        baselines = {Field.LABELS: baseline} if baseline else {}
        return plan_edit(item(values, *locks), {Field.LABELS: wanted}, baselines, policy=PLEX)

    def test_their_own_labels_do_not_keep_ours_out(self) -> None:
        edit = self.step(("Theirs", "Organized"), ("Organized", "New"), Baseline(("Organized",), ("Organized",)))
        assert changes(edit) == {Field.LABELS: ("Theirs", "Organized", "New")}

    def test_one_of_ours_that_they_took_off_stays_off(self) -> None:
        edit = self.step(("Theirs",), ("Organized",), Baseline(("Organized",), ("Organized",)))
        assert not edit

    def test_one_that_may_not_have_arrived_is_sent_again(self) -> None:
        edit = self.step((), ("Organized",), Baseline(("Organized",), replaced=()))
        assert changes(edit) == {Field.LABELS: ("Organized",)}

    def test_a_list_that_they_locked_is_left_alone(self) -> None:
        assert not self.step(("Theirs",), ("Organized",), None, "label")

    def test_where_stash_wins_it_comes_back(self) -> None:
        baselines = {Field.LABELS: Baseline(("Organized",), ("Organized",))}
        edit = plan_edit(item({}), {Field.LABELS: ("Organized",)}, baselines)
        assert changes(edit) == {Field.LABELS: ("Organized",)}


@pytest.mark.parametrize("field", sorted(FILLED_BY_OTHERS))
class TestWhatOthersFill:
    VALUE: ClassVar = {Field.DATE: "2024-05-01", Field.RATING: "8", Field.CONTENT_RATING: "16"}

    def test_what_stash_does_not_have_and_we_did_not_write_stays(self, field: Field) -> None:
        assert not plan_edit(item({field: self.VALUE[field]}), {field: ""}, {})

    def test_what_we_wrote_goes_when_stash_empties_it(self, field: Field) -> None:
        value = self.VALUE[field]
        edit = plan_edit(item({field: value}), {field: ""}, {field: Baseline(value, value)})
        assert changes(edit) == {field: ""}

    def test_an_emptying_that_did_not_arrive_is_sent_again(self, field: Field) -> None:
        value = self.VALUE[field]
        edit = plan_edit(item({field: value}), {field: ""}, {field: Baseline("", replaced=value)})
        assert changes(edit) == {field: ""}

    def test_emptied_is_emptied(self, field: Field) -> None:
        assert not plan_edit(item({}), {field: ""}, {field: Baseline("", "")})


def test_a_rating_that_somebody_gave_after_ours_was_taken_off_is_theirs() -> None:
    assert not plan_edit(item({Field.RATING: "6"}), {Field.RATING: ""}, {Field.RATING: Baseline("", "")})


def test_a_rating_that_a_server_rounded_is_right_and_still_ours() -> None:
    baselines = {Field.RATING: Baseline("8.5", "8")}
    rounded = item({Field.RATING: "8"})
    assert not plan_edit(rounded, {Field.RATING: "8.5"}, baselines, policy=PLEX)
    assert changes(plan_edit(rounded, {Field.RATING: "4"}, baselines, policy=PLEX)) == {Field.RATING: "4"}


class TestWhatAPersonDidIsTold:
    OURS = Baseline("Ours.", "Ours.")
    UNPROVEN = Baseline("Ours.", replaced="Before.")
    EDITED, LOCKED = (False, "edit"), (True, "lock")

    @pytest.mark.parametrize(
        ("shown", "baseline", "is_locked", "told"),
        [
            ("Theirs.", OURS, False, EDITED),
            ("Theirs.", OURS, True, EDITED),
            ("Ours.", OURS, True, None),  # our lock
            ("Ours.", Baseline("Ours.", "Ours.", locked=False), True, LOCKED),
            ("Agent's.", None, False, None),  # never written by us: nobody's doing
            ("Agent's.", None, True, LOCKED),
            ("Before.", UNPROVEN, False, None),
            ("", OURS, False, None),  # emptied by a refresh, most likely
            ("New.", OURS, True, None),  # what Stash wants is shown: there is nothing to tell
        ],
    )
    @pytest.mark.parametrize("policy", list(ConflictPolicy))
    def test_whoever_wins(
        self,
        shown: str,
        baseline: Baseline | None,
        told: tuple[bool, str] | None,
        policy: ConflictPolicy,
        *,
        is_locked: bool,
    ) -> None:
        locks = ("summary",) if is_locked else ()
        baselines = {Field.SUMMARY: baseline} if baseline else {}
        edit = plan_edit(item({Field.SUMMARY: shown}, *locks), {Field.SUMMARY: "New."}, baselines, policy=policy)
        if told is None:
            assert edit.conflicts == ()
        else:
            overwritten = policy is STASH
            assert edit.conflicts == (Conflict(Field.SUMMARY, is_lock=told[0], is_overwritten=overwritten),)
            assert bool(edit.changes) is overwritten

    def test_the_sort_title_and_lists_that_people_fill_too_are_not_told(self) -> None:
        shown: Values = {Field.SORT_TITLE: "theirs", Field.LABELS: ("Theirs",)}
        baselines = {Field.SORT_TITLE: Baseline("x", "x"), Field.LABELS: Baseline(("Ours",), ("Ours",))}
        wanted: Values = {Field.SORT_TITLE: "y", Field.LABELS: ("New",)}
        assert plan_edit(item(shown, "label", "titleSort"), wanted, baselines, policy=STASH).conflicts == ()
