"""Edits under way name collections as they were called; what they are called now is known for a while."""

from __future__ import annotations

from scenesync.domain.collection import KnownCollection, Standing
from scenesync.domain.diff import Edit, FieldChange
from scenesync.domain.fields import Field
from scenesync.worker.collections.recent_renames import RecentRenames


def collection(title: str, library: str = "1") -> KnownCollection:
    return KnownCollection(library, title, Standing.OURS, "900")


def edit(*names: str, before: tuple[str, ...] = (), library: str = "1") -> Edit:
    title = FieldChange(Field.TITLE, "Old", "New")
    return Edit("7", library, (title, FieldChange(Field.COLLECTIONS, before, names, owned=names)))


def test_a_title_is_followed_through_several_renames_and_in_its_own_library_alone() -> None:
    renames = RecentRenames()
    renames.note(collection("North Pier"), collection("West Pier"))
    renames.note(collection("West Pier"), collection("South Pier"))
    assert renames.as_called_now(edit("Evenings", "north pier")) == edit("Evenings", "South Pier")
    elsewhere = edit("North Pier", library="2")
    assert renames.as_called_now(elsewhere) is elsewhere


def test_a_name_there_and_back_is_what_it_was() -> None:
    renames = RecentRenames()
    renames.note(collection("North Pier"), collection("West Pier"))
    renames.note(collection("West Pier"), collection("North Pier"))
    as_made = edit("North Pier")
    assert renames.as_called_now(as_made) is as_made
    assert renames.as_called_now(edit("West Pier")) == edit("North Pier")


def test_both_titles_in_one_list_become_one() -> None:
    renames = RecentRenames()
    renames.note(collection("North Pier"), collection("West Pier"))
    assert renames.as_called_now(edit("North Pier", "Evenings", "West Pier")) == edit("West Pier", "Evenings")


def test_what_persons_call_their_collections_stays_to_the_letter() -> None:
    renames = RecentRenames()
    renames.note(collection("North Pier"), collection("West Pier"))
    theirs = edit("  Odd \t name ", "EVENINGS", "Evenings")
    assert renames.as_called_now(theirs) is theirs


def test_another_collection_of_the_old_title_goes_by_that() -> None:
    renames = RecentRenames()
    renames.note(collection("North Pier"), collection("West Pier"))
    renames.forget("1", "north pier")
    as_made = edit("North Pier")
    assert renames.as_called_now(as_made) is as_made
