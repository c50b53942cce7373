from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from stash_stub import Reply, Seen, StubStash, graphql

from scenesync.stash.client import ANY_ZONE_SLACK_S

if TYPE_CHECKING:
    from scenesync.stash.client import StashClient


class Rows:
    """The scenes as Stash's table has them: ordered by the text of updated_at, paged by offset."""

    def __init__(self, times: dict[int, str]) -> None:
        self.times = times

    def __call__(self, seen: Seen) -> Reply:
        page, limit = seen.variables["page"], seen.variables["limit"]
        ordered = sorted(self.times.items(), key=lambda row: row[1], reverse=True)[(page - 1) * limit : page * limit]
        rows = [{"id": str(i), "title": "", "updated_at": text, "files": []} for i, text in ordered]
        return graphql({"findScenes": {"count": len(self.times), "scenes": rows}})


@pytest.fixture
def rows(stub: StubStash) -> Rows:
    table = Rows({})
    stub.answers["ScenesByChange"] = table
    return table


def test_the_walk_stops_at_the_first_page_that_is_old_enough(stub: StubStash, client: StashClient, rows: Rows) -> None:
    newest = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
    rows.times = {i: (newest - timedelta(hours=i)).isoformat() for i in range(1, 101)}

    found = list(client.scenes_updated_since(newest - timedelta(hours=3), page_size=10))

    assert [hint.id for hint in found] == [1, 2, 3]
    assert len(stub.seen) == 1


def test_what_changed_within_the_overlap_is_found_again(client: StashClient, rows: Rows) -> None:
    rows.times = {1: "2026-11-23T12:00:00Z", 2: "2026-11-23T11:58:00Z", 3: "2026-11-23T11:57:59Z"}

    def ids(overlap_s: float) -> list[int]:
        return [hint.id for hint in client.scenes_updated_since("2026-11-23T12:00:00Z", overlap_s=overlap_s)]

    assert ids(120) == [1, 2]
    assert ids(0) == [1]


def test_a_text_of_stash_in_another_zone_is_the_same_moment(client: StashClient, rows: Rows) -> None:
    rows.times = {1: "2026-11-23T15:58:40-05:00", 2: "2026-11-23T15:50:00-05:00"}

    for since in ("2026-11-23T20:55:00Z", "2026-11-23T15:55:00.000000001-05:00", "2026-11-24T02:40:00+05:45"):
        assert [hint.id for hint in client.scenes_updated_since(since, overlap_s=0)] == [1]


def test_what_changed_after_the_clocks_went_back_is_found_below_older_rows(client: StashClient, rows: Rows) -> None:
    rows.times = {
        1: "2026-11-01T01:50:00-04:00",  # 05:50 UTC, still summer time
        2: "2026-11-01T01:10:00-05:00",  # 06:10 UTC, the hour that comes twice
        3: "2026-10-31T20:00:00-04:00",
    }

    found = client.scenes_updated_since("2026-11-01T05:55:00Z", overlap_s=0)

    assert [hint.id for hint in found] == [2]


def test_a_new_time_zone_of_stash_hides_nothing_with_the_wide_slack(client: StashClient, rows: Rows) -> None:
    rows.times = {i: f"2026-11-23T20:{i:02}:05Z" for i in range(10, 30)} | {1: "2026-11-23T15:51:04-05:00"}

    def ids(slack_s: float) -> list[int]:
        since = "2026-11-23T20:50:00Z"
        return [hint.id for hint in client.scenes_updated_since(since, overlap_s=0, zone_slack_s=slack_s, page_size=4)]

    assert ids(ANY_ZONE_SLACK_S) == [1]
    assert ids(0) == []


def test_pages_are_read_until_one_is_not_full(stub: StubStash, client: StashClient, rows: Rows) -> None:
    rows.times = dict.fromkeys(range(1, 26), "2026-11-23T12:00:00Z")

    found = [hint.id for hint in client.scenes_updated_since("2026-11-23T12:00:00Z", page_size=10)]

    assert sorted(found) == list(range(1, 26))
    assert [seen.variables["page"] for seen in stub.seen] == [1, 2, 3]


def test_an_edit_during_the_walk_gives_no_scene_twice(client: StashClient, rows: Rows) -> None:
    rows.times = {i: f"2026-11-23T12:{59 - i:02}:00Z" for i in range(1, 31)}

    found = []
    for hint in client.scenes_updated_since("2026-11-23T12:00:00Z", page_size=10):
        found.append(hint.id)
        if hint.id == 5:
            rows.times[25] = "2026-11-23T13:00:00Z"  # moves to the top, all others down by one

    assert len(found) == len(set(found))
    assert set(found) == set(range(1, 31)) - {25}, "the edited one is newer than this walk: the next one finds it"


def test_scenes_deleted_during_the_walk_hide_no_other(client: StashClient, rows: Rows) -> None:
    rows.times = {i: f"2026-11-23T12:{59 - i:02}:00Z" for i in range(1, 51)}

    found = []
    for hint in client.scenes_updated_since("2026-11-23T12:00:00Z", page_size=10):
        found.append(hint.id)
        if hint.id == 20:
            for gone in range(1, 16):
                del rows.times[gone]

    assert sorted(found) == list(range(1, 51))


def test_a_time_that_cannot_be_read_counts_as_changed_and_does_not_end_the_walk(
    client: StashClient, rows: Rows
) -> None:
    rows.times = {1: "banana", 2: "2026-11-23T12:00:00Z", 3: "2020-01-01T00:00:00Z"}
    assert [hint.id for hint in client.scenes_updated_since("2026-11-23T12:00:00Z")] == [1, 2]


@pytest.mark.parametrize("since", ["banana", "2026-11-23T12:00:00", datetime(2026, 11, 23)])  # noqa: DTZ001 - the point
def test_a_moment_without_a_zone_is_refused_before_anything_is_asked(
    stub: StubStash, client: StashClient, since: datetime | str
) -> None:
    with pytest.raises(ValueError, match="time zone"):
        client.scenes_updated_since(since)
    assert stub.seen == []


def test_since_the_beginning_of_time_means_everything(client: StashClient, rows: Rows) -> None:
    rows.times = {1: "1999-01-01T00:00:00Z", 2: "2026-11-23T12:00:00Z"}
    since = datetime.min.replace(tzinfo=UTC)
    assert [hint.id for hint in client.scenes_updated_since(since, overlap_s=math.pi)] == [2, 1]
