"""What undo does to a field, row by row: entries are written as (before, after), oldest first."""

from __future__ import annotations

from typing import Any

import pytest

from scenesync.domain.diff import Baseline
from scenesync.domain.fields import Field, FieldValue
from scenesync.domain.item import Item, UploadedImage
from scenesync.domain.journal import SYNC, UNDO, JournalEntry, JournalFilter, Lock
from scenesync.domain.undo import FieldUndo, Refusal, shows_what_was_synced, undo_edit, undo_item

EVERYTHING = JournalFilter(scene_ids=(7,))
OWN_KEY, OUR_KEY = "media://1/frame.jpg", "upload://posters/" + "a" * 40


def entry(number: int, before: FieldValue, after: FieldValue, **facts: Any) -> JournalEntry:
    known: dict[str, Any] = {
        "at": float(number),
        "scene_id": 7,
        "rating_key": "101",
        "field": Field.TITLE,
        "cause": SYNC,
        "lock_before": Lock.NONE if number == 1 else Lock.OURS,
        "lock_after": Lock.OURS,
        "run_id": f"run {number}",
        "number": number,
    }
    return JournalEntry(before=before, after=after, **(known | facts))


def item(values: dict[Field, FieldValue], *locked: Field) -> Item:
    return Item("101", "1", (), values, frozenset(field.value for field in locked))


def undone(
    shown: FieldValue,
    *history: JournalEntry,
    locked: bool = True,
    chosen: JournalFilter = EVERYTHING,
    baseline: Baseline | None = None,
    force: bool = False,
) -> FieldUndo:
    field = history[0].field
    (found,) = undo_item(
        item({field: shown}, *([field] if locked else [])),
        history,
        chosen,
        {} if baseline is None else {field: baseline},
        {},
        force=force,
    )
    return found


@pytest.mark.parametrize(
    ("shown", "history", "target"),
    [
        ("B", [("A", "B")], "A"),
        ("C", [("A", "B"), ("B", "C")], "A"),
        ("B", [("", "B")], ""),
        ("B", [("A", "B"), ("B", "A"), ("A", "B")], "A"),
        # A person's edit between two of ours goes as well: the choice begins before it.
        ("C", [("A", "B"), ("P", "C")], "A"),
    ],
)
def test_a_field_goes_back_to_before_the_first_chosen_edit(
    shown: str, history: list[tuple[str, str]], target: str
) -> None:
    found = undone(shown, *(entry(number, *step) for number, step in enumerate(history, 1)))
    assert (found.refusal, found.target, found.lock) == (None, target, Lock.NONE)
    assert found.changes_value
    assert found.changes_lock


@pytest.mark.parametrize(
    ("chosen", "target"),
    [
        (JournalFilter(since=2.0), "B"),
        (JournalFilter(since=3.0), "C"),
        (JournalFilter(run_id="run 3"), "C"),
        (JournalFilter(scene_ids=(7,), since=2.0), "B"),
        (JournalFilter(numbers=(3,)), "C"),
        (JournalFilter(numbers=(2, 3)), "B"),
    ],
)
def test_how_far_it_goes_back_is_a_matter_of_choice(chosen: JournalFilter, target: str) -> None:
    found = undone("D", entry(1, "A", "B"), entry(2, "B", "C"), entry(3, "C", "D"), chosen=chosen)
    assert (found.target, found.lock, found.changes_lock) == (target, Lock.OURS, False)


def test_what_was_not_chosen_is_not_looked_at() -> None:
    history = (entry(1, "A", "B"), entry(2, "", "text", field=Field.SUMMARY))
    found = undo_item(item({Field.TITLE: "B"}), history, JournalFilter(run_id="run 2"), {}, {})
    assert [undo.field for undo in found] == [Field.SUMMARY]
    assert undo_item(item({}), history, JournalFilter(scene_ids=(8,)), {}, {}) == ()


@pytest.mark.parametrize(
    ("shown", "history", "locked", "refusal"),
    [
        ("by hand", [entry(1, "A", "B")], True, Refusal.EDITED),
        ("by hand", [entry(1, "A", "B", shown="b")], True, Refusal.EDITED),
        ("B", [entry(1, "A", "B", lock_after=Lock.NONE)], True, Refusal.LOCKED),
    ],
)
def test_a_persons_newer_edit_or_lock_stays_unless_forced(
    shown: str, history: list[JournalEntry], refusal: Refusal, *, locked: bool
) -> None:
    found = undone(shown, *history, locked=locked)
    assert (found.refusal, found.puts_back) == (refusal, False)
    forced = undone(shown, *history, locked=locked, force=True)
    assert (forced.refusal, forced.target, forced.changes_value) == (None, "A", True)


def test_the_servers_own_way_of_showing_our_text_is_no_persons_edit() -> None:
    assert undone("b!", entry(1, "A", "B", shown="b!")).refusal is None
    assert undone("B", entry(1, "A", " B ")).refusal is None
    assert undone("b!", entry(1, "A", "B"), baseline=Baseline("B", shown="b!")).refusal is None


def test_what_a_later_run_wrote_is_not_lost_by_undoing_an_earlier_one() -> None:
    history = (entry(1, "A", "B"), entry(2, "B", "C"))
    found = undone("C", *history, chosen=JournalFilter(run_id="run 1"))
    assert found.refusal is Refusal.WRITTEN_SINCE
    assert undone("C", *history, chosen=JournalFilter(run_id="run 1"), force=True).target == "A"
    assert undone("C", *history, chosen=JournalFilter(run_id="run 2")).target == "B"


def test_what_shows_the_target_already_is_left_alone_and_so_is_a_persons_lock_on_it() -> None:
    by_a_person = undone("A", entry(1, "A", "B"))
    assert (by_a_person.puts_back, by_a_person.refusal, by_a_person.lock) == (False, None, Lock.OURS)
    by_undo = undone(
        "A",
        entry(1, "A", "B"),
        entry(2, "B", "A", cause=UNDO, lock_before=Lock.OURS, lock_after=Lock.NONE),
        locked=False,
    )
    assert not by_undo.puts_back


def test_an_undo_is_undone_like_any_edit_lock_and_owner_included() -> None:
    history = (
        entry(1, "A", "B"),
        entry(2, "B", "A", cause=UNDO, lock_before=Lock.OURS, lock_after=Lock.NONE),
    )
    found = undone("A", *history, locked=False, chosen=JournalFilter(run_id="run 2"))
    assert (found.target, found.lock, found.changes_lock) == ("B", Lock.OURS, True)
    assert shows_what_was_synced([found], history)
    first = undone("B", history[0])
    assert not shows_what_was_synced([first], history[:1])
    assert not shows_what_was_synced([], history)


@pytest.mark.parametrize(
    ("lock_before", "locked", "lock"),
    [
        (Lock.NONE, True, Lock.NONE),
        (Lock.PERSON, True, Lock.PERSON),
        (Lock.OURS, True, Lock.OURS),
        # Somebody took our lock off since: it stays off.
        (Lock.PERSON, False, Lock.NONE),
        (Lock.NONE, False, Lock.NONE),
    ],
)
def test_the_lock_goes_back_too_unless_a_person_changed_it_since(
    lock_before: Lock, lock: Lock, *, locked: bool
) -> None:
    assert undone("B", entry(1, "A", "B", lock_before=lock_before), locked=locked).lock is lock


def test_of_edits_whose_locks_were_not_noted_the_lock_stays_as_it_is() -> None:
    found = undone("B", entry(1, "A", "B", lock_before=None, lock_after=None))
    assert (found.target, found.changes_lock) == ("A", False)


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_an_undo_that_failed_so_often_counts_for_nothing(failures: int) -> None:
    ours = entry(1, ("Theirs",), ("Theirs", "Pier"), field=Field.COLLECTIONS)
    failed = [
        entry(number, ours.after, ours.before, field=Field.COLLECTIONS, cause=UNDO, lock_after=Lock.NONE)
        for number in range(2, 2 + failures)
    ]
    unproven = Baseline(("Pier",), replaced=ours.after, locked=False)
    found = undone(ours.after, ours, *failed, baseline=unproven)
    assert (found.target, found.owned, found.lock) == (("Theirs",), (), Lock.NONE)
    assert found.changes_value


def test_an_edit_that_was_noted_but_never_carried_out_counts_for_nothing() -> None:
    unproven = Baseline("C", replaced="B")
    found = undone("B", entry(1, "A", "B"), entry(2, "B", "C"), baseline=unproven)
    assert (found.refusal, found.target) == (None, "A")
    assert not undone("A", entry(1, "A", "B"), baseline=Baseline("B", replaced="A")).puts_back
    # Proven, it is a person who went back.
    assert undone("B", entry(1, "A", "B"), entry(2, "B", "C"), baseline=Baseline("C", "C")).refusal is Refusal.EDITED


@pytest.mark.parametrize(
    ("shown", "puts_back"), [(("A", "B"), False), (("B", "A"), True), (("B",), True), (("a", "B"), True)]
)
def test_lists_go_back_in_their_order_and_capitals(shown: tuple[str, ...], *, puts_back: bool) -> None:
    found = undone(shown, entry(1, ("A", "B"), shown, field=Field.GENRES), locked=False)
    assert found.changes_value is puts_back


def test_a_list_that_the_server_keeps_in_its_own_order_is_back_for_all_that() -> None:
    baseline = Baseline(("A", "B"), shown=("B", "A"))
    history = (entry(1, ("A", "B"), ("C",), field=Field.GENRES), entry(2, ("C",), ("A", "B"), field=Field.GENRES))
    assert not undone(("B", "A"), *history, baseline=baseline).changes_value


def test_a_list_that_was_left_empty_half_way_is_ours_to_put_back() -> None:
    history = (entry(1, ("A", "B"), ("B",), field=Field.ACTORS), entry(2, ("B",), ("A", "B"), field=Field.ACTORS))
    found = undone((), *history, baseline=Baseline(("A", "B"), replaced=()))
    assert (found.refusal, found.target) == (None, ("A", "B"))
    assert undone((), *history, baseline=Baseline(("A", "B"), ("A", "B"))).refusal is Refusal.EDITED


@pytest.mark.parametrize(
    ("history", "shown", "target"),
    [
        ([((), ("Ours",))], ("Ours",), ()),
        ([(("Theirs",), ("Theirs", "Ours"))], ("Theirs", "Ours", "Later"), ("Theirs", "Later")),
        ([(("Old",), ("New",))], ("New", "Later"), ("Later", "Old")),
        ([((), ("One",)), (("One", "Theirs"), ("Theirs", "Two"))], ("Theirs", "Two"), ("Theirs",)),
        ([((), ("stash",))], ("Stash",), ()),
        ([((), ("Ours",))], (), ()),
    ],
)
def test_of_a_list_that_people_fill_too_only_our_own_steps_are_taken_back(
    history: list[tuple[tuple[str, ...], tuple[str, ...]]], shown: tuple[str, ...], target: tuple[str, ...]
) -> None:
    steps = [entry(number, *step, field=Field.LABELS) for number, step in enumerate(history, 1)]
    found = undone(shown, *steps, baseline=Baseline(steps[-1].after))
    assert (found.refusal, found.target) == (None, target)


@pytest.mark.parametrize(
    ("shown", "steps", "target"),
    [
        ((), [("", "Pier"), ("Pier", ""), ("Pier", "")], ()),
        (("Pier",), [("", "Pier"), ("", "Pier")], ()),
        (("Pier",), [("Pier", ""), ("", "Pier"), ("", "Pier")], ("Pier",)),
        ((), [("Pier", ""), ("Pier", "")], ("Pier",)),
        (("Pier",), [("", "Pier"), ("Pier", ""), ("Pier", ""), ("", "Pier")], ()),
    ],
)
def test_a_step_that_took_several_attempts_is_one_step(
    shown: tuple[str, ...], steps: list[tuple[str, str]], target: tuple[str, ...]
) -> None:
    history = [
        entry(number, tuple(filter(None, [before])), tuple(filter(None, [after])), field=Field.COLLECTIONS)
        for number, (before, after) in enumerate(steps, 1)
    ]
    assert undone(shown, *history).target == target


def test_an_undo_that_arrived_in_part_goes_on_and_takes_nothing_that_a_person_put_there() -> None:
    history = [
        entry(1, (), ("Pier", "Quay"), field=Field.COLLECTIONS),
        entry(2, ("Pier", "Quay"), (), field=Field.COLLECTIONS, cause=UNDO, lock_after=Lock.NONE),
    ]
    half_way = Baseline(("Pier", "Quay"), replaced=("Pier", "Quay"), locked=False)
    assert undone(("Quay", "Theirs"), *history, locked=False, baseline=half_way).target == ("Theirs",)
    proven = Baseline((), shown=(), locked=False)
    assert undone(("Quay", "Theirs"), *history, locked=False, baseline=proven).target == ("Quay", "Theirs")


def test_names_that_an_undo_put_back_in_part_are_all_put_back_by_the_next() -> None:
    history = [
        entry(1, ("Pier", "Quay"), (), field=Field.COLLECTIONS),
        entry(2, (), ("Pier", "Quay"), field=Field.COLLECTIONS, cause=UNDO),
    ]
    half_way = Baseline(("Pier", "Quay"), replaced=())
    found = undone(("Pier",), *history, baseline=half_way)
    assert (found.target, found.owned) == (("Pier", "Quay"), ("Pier", "Quay"))


def test_our_own_names_that_come_back_into_a_shared_list_are_known_as_ours() -> None:
    step = entry(1, ("Theirs", "Old"), ("Theirs", "New"), field=Field.COLLECTIONS)
    found = undone(("Theirs", "New"), step, baseline=Baseline(("New",)))
    assert (found.target, found.owned, found.kept) == (("Theirs", "Old"), ("Old",), ("Old",))


@pytest.mark.parametrize(
    ("field", "history", "kept"),
    [
        (Field.TITLE, [("A", "B")], "A"),
        # The owner's rating from before the first sync is not ours to clear later; our own from an earlier run is.
        (Field.RATING, [("7", "8")], ""),
        (Field.RATING, [("7", "8"), ("8", "9")], "8"),
        (Field.DATE, [("", "2001-02-03")], ""),
    ],
)
def test_what_is_put_back_is_claimed_as_ours_unless_others_put_it_there(
    field: Field, history: list[tuple[str, str]], kept: str
) -> None:
    steps = [entry(number, *step, field=field, lock_before=Lock.NONE) for number, step in enumerate(history, 1)]
    last = JournalFilter(run_id=f"run {len(history)}")
    assert undone(steps[-1].after, *steps, chosen=last).kept == kept


def test_a_rating_half_a_step_away_is_put_back() -> None:
    step = entry(1, "8.5", "9", field=Field.RATING, lock_before=Lock.NONE, lock_after=Lock.NONE)
    assert undone("9", step, locked=False).target == "8.5"


def pictures(selected: str, *others: str) -> list[UploadedImage]:
    return [UploadedImage(key, selected=key == selected) for key in (selected, *others) if key]


@pytest.mark.parametrize(
    ("candidates", "steps", "target", "refusal"),
    [
        (pictures(OUR_KEY, OWN_KEY), [(OWN_KEY, "a" * 40)], OWN_KEY, None),
        (pictures(OUR_KEY), [("", "a" * 40)], "", None),
        (pictures(OWN_KEY, OUR_KEY), [(OWN_KEY, OUR_KEY)], OWN_KEY, None),  # never sent, or back already
        (pictures("upload://posters/" + "b" * 40, OUR_KEY), [("a" * 40, "b" * 40)], OUR_KEY, None),
        (pictures("upload://posters/" + "c" * 40, OWN_KEY), [(OWN_KEY, "a" * 40)], OWN_KEY, Refusal.EDITED),
        (pictures(OUR_KEY), [(OWN_KEY, "a" * 40)], OWN_KEY, Refusal.PICTURE_GONE),
        (pictures("", OUR_KEY, OWN_KEY), [(OWN_KEY, "a" * 40)], OWN_KEY, Refusal.EDITED),
    ],
)
def test_a_picture_goes_back_to_the_candidate_that_was_selected(
    candidates: list[UploadedImage], steps: list[tuple[str, str]], target: str, refusal: Refusal | None
) -> None:
    history = [entry(number, *step, field=Field.POSTER) for number, step in enumerate(steps, 1)]
    (found,) = undo_item(item({}, Field.POSTER), history, EVERYTHING, {}, {Field.POSTER: candidates})
    assert (found.target, found.refusal) == (target, refusal)
    if refusal is Refusal.PICTURE_GONE:
        (forced,) = undo_item(item({}, Field.POSTER), history, EVERYTHING, {}, {Field.POSTER: candidates}, force=True)
        assert forced.refusal is Refusal.PICTURE_GONE


def test_a_lock_that_was_set_on_a_picture_alone_comes_off_alone() -> None:
    step = entry(1, "a" * 40, "a" * 40, field=Field.POSTER)
    locked = item({}, Field.POSTER, Field.TITLE)
    fields = undo_item(locked, [step], EVERYTHING, {}, {Field.POSTER: pictures(OUR_KEY)})
    edit = undo_edit(locked, fields)
    assert (edit.changes, edit.also_lock, edit.also_unlock) == ((), (), (Field.POSTER,))


def test_one_edit_has_all_texts_and_says_of_each_field_whether_it_is_locked() -> None:
    history = (
        entry(1, "A", "B"),
        entry(2, "", "text", field=Field.SUMMARY, lock_before=Lock.PERSON),
        entry(3, ("Sea",), (), field=Field.GENRES, lock_before=Lock.NONE),
        entry(4, OWN_KEY, "a" * 40, field=Field.POSTER, lock_before=Lock.NONE),
        entry(5, "", "by hand", field=Field.STUDIO, lock_before=Lock.NONE),
    )
    shown = item(
        {Field.TITLE: "B", Field.SUMMARY: "text", Field.STUDIO: "another"},
        *(Field.TITLE, Field.SUMMARY, Field.GENRES, Field.POSTER, Field.STUDIO, Field.TAGLINE),
    )
    fields = undo_item(shown, history, EVERYTHING, {}, {Field.POSTER: pictures(OUR_KEY, OWN_KEY)})
    edit = undo_edit(shown, fields)
    assert [(change.field, change.after) for change in edit.changes] == [
        (Field.TITLE, "A"),
        (Field.SUMMARY, ""),
        (Field.GENRES, ("Sea",)),
    ]
    assert [edit.leaves_locked(change.field) for change in edit.changes] == [False, True, False]
    assert edit.also_unlock == (Field.POSTER,)
    assert {undo.field for undo in fields if undo.refusal} == {Field.STUDIO}
