from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenesync.domain.diff import Baseline, ConflictPolicy, Edit, FieldChange, plan_edit
from scenesync.domain.fields import LIST_FIELDS, Field, FieldValue, empty_value
from scenesync.domain.item import Item

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[Field, FieldValue]
STASH, PLEX, FILL = ConflictPolicy.STASH, ConflictPolicy.PLEX, ConflictPolicy.FILL


def item(values: Mapping[Field, FieldValue], *, locked: frozenset[str] = frozenset()) -> Item:
    return Item("10", "1", (), dict(values), locked)


def changes(edit: Edit) -> Values:
    return {change.field: change.after for change in edit.changes}


class TestTheSmallestEdit:
    def test_an_item_that_is_right_needs_none(self) -> None:
        shown: Values = {Field.TITLE: "Harbour", Field.GENRES: ("Travel",), Field.DATE: "2024-05-17"}
        edit = plan_edit(item(shown), {**shown, Field.SORT_TITLE: "Harbour", Field.SUMMARY: "", Field.ACTORS: ()}, {})
        assert not edit
        assert edit.changes == ()

    def test_only_what_differs_is_written_with_what_was_there_before(self) -> None:
        edit = plan_edit(
            item({Field.SUMMARY: "Old.", Field.STUDIO: "North Pier"}),
            {Field.SUMMARY: "New.", Field.STUDIO: "North Pier"},
            {},
            lock=False,
        )
        assert edit == Edit("10", "1", (FieldChange(Field.SUMMARY, "Old.", "New."),), lock=False)
        assert edit

    def test_pictures_to_lock_are_a_reason_to_send_too(self) -> None:
        assert Edit("10", "1", (), also_lock=(Field.POSTER,))
        assert not Edit("10", "1", ())

    def test_what_is_not_wanted_at_all_is_left_alone(self) -> None:
        assert not plan_edit(item({Field.SUMMARY: "Theirs."}), {}, {})

    def test_a_field_emptied_in_stash_is_emptied_in_plex(self) -> None:
        shown: Values = {Field.SUMMARY: "Old.", Field.GENRES: ("Travel", "Sea"), Field.ACTORS: ("Ann",)}
        edit = plan_edit(item(shown), {field: empty_value(field) for field in shown}, {})
        assert changes(edit) == {field: empty_value(field) for field in shown}
        assert {change.field: change.removed for change in edit.changes} == {
            Field.SUMMARY: (),
            Field.GENRES: ("Travel", "Sea"),
            Field.ACTORS: ("Ann",),
        }


class TestLists:
    def test_the_order_counts_for_actors_only(self) -> None:
        shown: Values = {Field.ACTORS: ("Ann", "Bo"), Field.GENRES: ("Sea", "Travel"), Field.DIRECTORS: ("X", "Y")}
        wanted: Values = {Field.ACTORS: ("Bo", "Ann"), Field.GENRES: ("Travel", "Sea"), Field.DIRECTORS: ("Y", "X")}
        assert changes(plan_edit(item(shown), wanted, {})) == {Field.ACTORS: ("Bo", "Ann")}

    def test_names_that_must_leave_are_told_as_the_server_shows_them(self) -> None:
        edit = plan_edit(item({Field.GENRES: ("Sea", "TRAVEL", "Old Town")}), {Field.GENRES: ("travel", "New")}, {})
        (change,) = edit.changes
        assert change.after == ("travel", "New")
        assert change.removed == ("Sea", "Old Town")

    def test_nothing_is_removed_from_a_text(self) -> None:
        assert FieldChange(Field.SUMMARY, "Old.", "").removed == ()


class TestWhatTheServerMakesOfIt:
    @pytest.mark.parametrize(
        ("field", "written", "shown"),
        [
            (Field.GENRES, ("travel",), ("Travel",)),
            (Field.ACTORS, ("Ann", "Bo"), ("Bo", "Ann")),
            (Field.SUMMARY, "One. \nTwo.", "One.\nTwo."),
        ],
    )
    def test_what_it_showed_after_our_write_is_right(
        self, field: Field, written: FieldValue, shown: FieldValue
    ) -> None:
        assert not plan_edit(item({field: shown}), {field: written}, {field: Baseline(written, shown)})
        assert plan_edit(item({field: shown}), {field: written}, {})

    def test_anything_else_is_a_change_even_if_it_looks_alike(self) -> None:
        baselines = {Field.ACTORS: Baseline(("Ann", "Bo"), ("Ann", "Bo"))}
        assert plan_edit(item({Field.ACTORS: ("Bo", "Ann")}), {Field.ACTORS: ("Ann", "Bo")}, baselines)

    def test_an_ignored_write_is_not_taken_for_the_servers_way(self) -> None:
        baselines = {Field.SUMMARY: Baseline("New.", "Old.")}
        assert plan_edit(item({Field.SUMMARY: "Old."}), {Field.SUMMARY: "New."}, baselines)

    def test_a_new_wish_is_written_whatever_was_written_before(self) -> None:
        edit = plan_edit(
            item({Field.SUMMARY: "One."}), {Field.SUMMARY: "Two."}, {Field.SUMMARY: Baseline("One.", "One.")}
        )
        assert changes(edit) == {Field.SUMMARY: "Two."}

    def test_a_corrected_capital_is_written(self) -> None:
        edit = plan_edit(
            item({Field.STUDIO: "north pier"}),
            {Field.STUDIO: "North Pier"},
            {Field.STUDIO: Baseline("north pier", "north pier")},
        )
        assert changes(edit) == {Field.STUDIO: "North Pier"}


class TestDate:
    def test_a_date_that_plex_filled_by_itself_is_left(self) -> None:
        assert not plan_edit(item({Field.DATE: "2024-06-01"}), {Field.DATE: ""}, {})

    def test_a_date_that_we_wrote_is_cleared(self) -> None:
        baselines = {Field.DATE: Baseline("2024-05-17", "2024-05-17")}
        assert changes(plan_edit(item({Field.DATE: "2024-05-17"}), {Field.DATE: ""}, baselines)) == {Field.DATE: ""}

    def test_a_date_that_plex_filled_gives_way_to_a_known_one(self) -> None:
        assert changes(plan_edit(item({Field.DATE: "2024-06-01"}), {Field.DATE: "2024-05-17"}, {})) == {
            Field.DATE: "2024-05-17"
        }


class TestSortTitle:
    def test_it_is_written_with_every_new_title_even_if_it_was_right(self) -> None:
        shown: Values = {Field.TITLE: "harbour.mp4", Field.SORT_TITLE: "Harbour"}
        edit = plan_edit(item(shown), {Field.TITLE: "Harbour", Field.SORT_TITLE: "Harbour"}, {})
        assert changes(edit) == {Field.TITLE: "Harbour", Field.SORT_TITLE: "Harbour"}

    def test_an_unset_one_is_the_title(self) -> None:
        assert not plan_edit(item({Field.TITLE: "Harbour"}), {Field.TITLE: "Harbour", Field.SORT_TITLE: "Harbour"}, {})

    def test_one_that_the_server_made_is_corrected_alone(self) -> None:
        shown: Values = {Field.TITLE: "The Harbour", Field.SORT_TITLE: "Harbour"}
        edit = plan_edit(item(shown), {Field.TITLE: "The Harbour", Field.SORT_TITLE: "The Harbour"}, {})
        assert changes(edit) == {Field.SORT_TITLE: "The Harbour"}

    def test_it_stays_out_when_it_is_switched_off(self) -> None:
        edit = plan_edit(item({Field.TITLE: "harbour.mp4"}), {Field.TITLE: "Harbour"}, {})
        assert changes(edit) == {Field.TITLE: "Harbour"}

    def test_one_that_a_person_chose_survives_a_new_title_under_the_policy_plex(self) -> None:
        shown: Values = {Field.TITLE: "Harbour", Field.SORT_TITLE: "01 Harbour"}
        baselines = {Field.TITLE: Baseline("Harbour", "Harbour"), Field.SORT_TITLE: Baseline("Harbour", "Harbour")}
        wanted: Values = {Field.TITLE: "Port", Field.SORT_TITLE: "Port"}
        assert changes(plan_edit(item(shown), wanted, baselines, policy=PLEX)) == {Field.TITLE: "Port"}


class TestConflicts:
    OURS = Baseline("Ours.", "Ours.")

    @pytest.mark.parametrize(
        ("policy", "shown", "baseline", "locked", "is_written"),
        [
            (STASH, "Theirs.", OURS, True, True),
            (STASH, "Theirs.", None, True, True),
            (PLEX, "Theirs.", OURS, True, False),
            (PLEX, "Theirs.", OURS, False, False),
            (PLEX, "ours.", OURS, True, False),
            (PLEX, "", OURS, True, False),
            (PLEX, "Ours.", OURS, True, True),
            (PLEX, "Agent's.", None, False, True),
            (PLEX, "Theirs.", None, True, False),
            (PLEX, "", None, False, True),
            (FILL, "", None, False, True),
            (FILL, "Agent's.", None, False, False),
            (FILL, "Theirs.", OURS, True, False),
            (FILL, "Ours.", OURS, True, True),
            (FILL, "", OURS, True, True),
        ],
    )
    def test_who_wins(
        self, *, policy: ConflictPolicy, shown: str, baseline: Baseline | None, locked: bool, is_written: bool
    ) -> None:
        edited = item({Field.SUMMARY: shown} if shown else {}, locked=frozenset({"summary"} if locked else ()))
        baselines = {Field.SUMMARY: baseline} if baseline else {}
        edit = plan_edit(edited, {Field.SUMMARY: "New."}, baselines, policy=policy)
        assert bool(edit) is is_written

    def test_what_the_server_made_of_our_value_is_still_ours(self) -> None:
        baselines = {Field.GENRES: Baseline(("travel",), ("Travel",))}
        for policy in ConflictPolicy:
            edit = plan_edit(item({Field.GENRES: ("Travel",)}), {Field.GENRES: ("Sea",)}, baselines, policy=policy)
            assert changes(edit) == {Field.GENRES: ("Sea",)}

    def test_under_the_policy_stash_lists_become_exactly_the_wanted_ones(self) -> None:
        baselines = {Field.GENRES: Baseline(("Sea",), ("Sea",))}
        edit = plan_edit(item({Field.GENRES: ("Sea", "Theirs")}), {Field.GENRES: ("Sea",)}, baselines)
        (change,) = edit.changes
        assert (change.after, change.removed) == (("Sea",), ("Theirs",))


class TestCollections:
    def plan(self, shown: tuple[str, ...], wanted: tuple[str, ...], ours: tuple[str, ...] | None) -> FieldChange | None:
        baselines = {} if ours is None else {Field.COLLECTIONS: Baseline(ours, shown)}
        edit = plan_edit(item({Field.COLLECTIONS: shown}), {Field.COLLECTIONS: wanted}, baselines)
        return edit.changes[0] if edit.changes else None

    def test_ours_is_added_to_theirs(self) -> None:
        change = self.plan(("Favourites",), ("North Pier",), None)
        assert change is not None
        assert (change.after, change.removed) == (("Favourites", "North Pier"), ())
        assert change.written == ("North Pier",)

    def test_only_what_we_put_there_is_removed(self) -> None:
        change = self.plan(("Favourites", "north pier", "Summer"), ("South Pier",), ours=("North Pier",))
        assert change is not None
        assert change.after == ("Favourites", "Summer", "South Pier")
        assert change.removed == ("north pier",)
        assert change.written == ("South Pier",)

    def test_one_that_a_person_put_there_first_never_becomes_ours(self) -> None:
        assert self.plan(("North Pier",), ("north pier",), None) is None
        change = self.plan(("North Pier",), ("North Pier", "Series"), None)
        assert change is not None
        assert change.written == ("Series",)

    def test_all_of_ours_can_go(self) -> None:
        change = self.plan(("Favourites", "North Pier"), (), ours=("North Pier",))
        assert change is not None
        assert (change.after, change.removed, change.written) == (("Favourites",), ("North Pier",), ())

    def test_for_other_fields_all_that_is_written_is_ours(self) -> None:
        assert FieldChange(Field.GENRES, ("Sea",), ("Travel",)).written == ("Travel",)
        assert FieldChange(Field.SUMMARY, "", "Ships.").written == "Ships."


def after(edit: Edit, before: Item, *, replaces: bool) -> Item:
    """Return the item as a server shows it after ``edit``: one that replaces lists, or one that adds to them."""
    values = dict(before.values)
    for change in edit.changes:
        if isinstance(change.after, str):
            values[change.field] = change.after
            continue
        shown = before.value(change.field)
        assert not isinstance(shown, str)
        have = {name.casefold() for name in shown}
        added = tuple(name for name in change.after if name.casefold() not in have)
        listed = change.after if replaces else (*shown, *added)
        values[change.field] = tuple(name for name in listed if name not in change.removed)
    locked = {change.field.value for change in edit.changes} if edit.lock else set()
    set_ = {field: value for field, value in values.items() if value}
    return replace(before, values=set_, locked=before.locked | locked)


def remembered(edit: Edit, shown: Item) -> dict[Field, Baseline]:
    return {change.field: Baseline(change.written, shown.value(change.field)) for change in edit.changes}


NAMES = st.lists(
    st.sampled_from(["Ann", "ann", "Bo", "BO", "Cy", "Dee"]), max_size=4, unique_by=lambda name: name.casefold()
).map(tuple)
TEXTS = st.sampled_from(["", "One.", "one.", "Two.\nThree."])
TEXT_FIELDS = (Field.TITLE, Field.SORT_TITLE, Field.SUMMARY, Field.DATE, Field.STUDIO)
SHOWN: Any = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(TEXT_FIELDS, TEXTS), **dict.fromkeys(sorted(LIST_FIELDS), NAMES)}
)
WANTED: Any = SHOWN.map(
    # No empty title is ever wanted.
    lambda values: {field: value or "Harbour" if "title" in field.value else value for field, value in values.items()}
)


@given(
    SHOWN,
    WANTED,
    st.frozensets(st.sampled_from([field.value for field in Field])),
    st.sampled_from(ConflictPolicy),
    st.booleans(),
    st.booleans(),
)
def test_an_applied_edit_leaves_nothing_to_do(
    shown: Values,
    wanted: Values,
    locked: frozenset[str],
    policy: ConflictPolicy,
    lock: bool,  # noqa: FBT001 - hypothesis fills it in
    replaces: bool,  # noqa: FBT001 - likewise
) -> None:
    before = item({field: value for field, value in shown.items() if value}, locked=locked)
    edit = plan_edit(before, wanted, {}, policy=policy, lock=lock)
    now = after(edit, before, replaces=replaces)
    assert not plan_edit(now, wanted, remembered(edit, now), policy=policy, lock=lock)


@given(NAMES, st.lists(NAMES, min_size=1, max_size=5), st.booleans())
def test_a_persons_collections_survive_all_our_edits_and_ours_do_not_pile_up(
    theirs: tuple[str, ...],
    wishes: list[tuple[str, ...]],
    replaces: bool,  # noqa: FBT001 - hypothesis fills it in
) -> None:
    now, baselines = item({Field.COLLECTIONS: theirs} if theirs else {}), dict[Field, Baseline]()
    for wanted in wishes:
        edit = plan_edit(now, {Field.COLLECTIONS: wanted}, baselines)
        now = after(edit, now, replaces=replaces)
        baselines |= remembered(edit, now)
        shown = now.value(Field.COLLECTIONS)
        assert set(theirs) <= set(shown)
        assert {name.casefold() for name in shown} == {name.casefold() for name in (*theirs, *wanted)}
