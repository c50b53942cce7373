"""Messages of Plex's notification websocket as facts/plex.md 6.2 has them, in the spellings of several versions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenesync.plex.announcements import ItemAnnounced, ScanEnded, announcements


def timeline(*entries: object) -> str:
    container = {"type": "timeline", "size": len(entries), "TimelineEntry": list(entries)}
    return json.dumps({"NotificationContainer": container})


def entry(**fields: Any) -> dict[str, Any]:
    whole = {"identifier": "com.plexapp.plugins.library", "sectionID": "1", "itemID": "10141", "type": "1"}
    return {**whole, "title": "Beach Walk", "state": "5", **fields}


@pytest.mark.parametrize(
    "told",
    [
        entry(metadataState="created"),
        entry(sectionID=1, itemID=10141, type=1, state=5),
        entry(state="9", metadataState="deleted"),
        entry(type="-1", metadataState="created"),
        entry(type=-1),
        entry(state="1"),
        {"itemID": "10141", "sectionID": "1", "type": 1, "state": 5},
    ],
    ids=["1.43", "older", "deleted", "deleted in 1.43", "deleted, number", "no agent", "without identifier"],
)
def test_whatever_became_of_a_movie_it_is_worth_a_look(told: dict[str, Any]) -> None:
    assert announcements(timeline(told)) == (ItemAnnounced("10141", "1"),)


@pytest.mark.parametrize(
    "told",
    [
        entry(state="0", metadataState="created"),
        entry(state="3"),
        entry(type="18"),
        entry(type="4"),
        entry(identifier="com.plexapp.plugins.channels"),
        entry(itemID="../1"),
        entry(itemID=None),
        entry(itemID=True),
        entry(state=True),
        "no entry at all",
    ],
)
def test_what_is_still_going_on_or_no_movie_is_not(told: object) -> None:
    assert announcements(timeline(told)) == ()


def test_several_entries_in_one_message_all_count() -> None:
    told = announcements(timeline(entry(itemID="1"), entry(itemID="2", state="0"), entry(itemID="3")))
    assert told == (ItemAnnounced("1", "1"), ItemAnnounced("3", "1"))


def test_the_end_of_a_scan_is_told() -> None:
    activity = {"type": "library.update.section", "Context": {"librarySectionID": 2}}
    ended = {"event": "ended", "uuid": "x", "Activity": activity}
    container = {"type": "activity", "size": 1, "ActivityNotification": [ended, {**ended, "event": "updated"}]}
    assert announcements(json.dumps({"NotificationContainer": container})) == (ScanEnded("2"),)


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", b"\xff", '{"NotificationContainer": []}', "[" * 100_000])
def test_what_cannot_be_understood_announces_nothing(text: str | bytes) -> None:
    assert announcements(text) == ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(["itemID", "sectionID", "type", "state", "identifier", "event", "Activity", "Context"])


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["timeline", "activity", "playing", "progress"]),
    array=st.sampled_from(["TimelineEntry", "ActivityNotification"]),
    entries=_JSON | st.lists(st.dictionaries(_KEYS, _JSON, max_size=6), max_size=3),
)
def test_no_message_whatever_its_shape_raises(kind: str, array: str, entries: object) -> None:
    announcements(json.dumps({"NotificationContainer": {"type": kind, array: entries}}))
