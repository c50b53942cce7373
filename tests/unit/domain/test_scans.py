from __future__ import annotations

import pytest

from scenesync.domain.item import Library
from scenesync.domain.scans import APART_S, QUIET_S, SAME_AGAIN_S, Scan, ScanPlan, common_folder, folder_of

FILMS = Library("1", "Films", ("/media/films", "/media/more"))
CLIPS = Library("2", "Clips", ("/media/films/clips", "D:\\Clips"))
BOTH = [FILMS, CLIPS]


@pytest.fixture
def plan() -> ScanPlan:
    return ScanPlan()


def wish(plan: ScanPlan, *files: str, now: float = 0.0) -> None:
    for file in files:
        assert plan.add(file, BOTH, now)


def drain(plan: ScanPlan, now: float, until: float) -> list[tuple[float, Scan]]:
    taken = []
    while now < until:
        if scan := plan.take_due(now):
            taken.append((now, scan))
        now += 1.0
    return taken


def test_the_folder_of_a_file_is_asked_for_once_it_is_quiet(plan: ScanPlan) -> None:
    wish(plan, "/media/films/harbour/one.mp4")
    wish(plan, "/media/films/harbour/two.mp4", now=2.0)
    assert plan.take_due(2.0 + QUIET_S - 0.1) is None
    assert plan.take_due(2.0 + QUIET_S) == Scan("1", "/media/films/harbour")
    assert plan.take_due(1000.0) is None


def test_the_library_with_the_longest_root_is_asked(plan: ScanPlan) -> None:
    wish(plan, "/media/films/clips/a.mp4", r"D:\Clips\sea\b.mp4")
    assert [scan for _, scan in drain(plan, 0, 60)] == [Scan("2", "/media/films/clips"), Scan("2", r"D:\Clips\sea")]


def test_a_file_that_no_library_covers_is_not_asked_for(plan: ScanPlan) -> None:
    assert not plan.add("/elsewhere/a.mp4", BOTH, 0)
    assert not plan.add("/media/films2/a.mp4", BOTH, 0)
    assert not plan.add("a.mp4", BOTH, 0)
    assert plan.take_due(1000.0) is None


def test_scans_keep_their_distance_and_a_folder_is_not_asked_for_again_too_soon(plan: ScanPlan) -> None:
    wish(plan, "/media/films/a/1.mp4", "/media/films/b/1.mp4")
    (first_at, _), (second_at, _) = drain(plan, 0, 60)
    assert second_at - first_at >= APART_S
    wish(plan, "/media/films/a/2.mp4", now=60)
    assert drain(plan, 60, 120) == []
    wish(plan, "/media/films/a/2.mp4", now=first_at + SAME_AGAIN_S)
    assert [scan.folder for _, scan in drain(plan, first_at + SAME_AGAIN_S, 400)] == ["/media/films/a"]


def test_an_endless_import_does_not_put_a_scan_off_for_ever(plan: ScanPlan) -> None:
    taken = None
    for second in range(40):
        wish(plan, f"/media/films/a/{second}.mp4", now=float(second))
        taken = taken or plan.take_due(float(second))
    assert taken == Scan("1", "/media/films/a")


def test_a_bulk_import_into_many_folders_asks_for_the_folder_above_them(plan: ScanPlan) -> None:
    wish(plan, *(f"/media/films/2026/{number}/film.mp4" for number in range(500)))
    assert [scan for _, scan in drain(plan, 0, 120)] == [Scan("1", "/media/films/2026")]


def test_many_folders_of_two_roots_are_two_scans(plan: ScanPlan) -> None:
    wish(plan, *(f"/media/films/{number}/film.mp4" for number in range(8)))
    wish(plan, *(f"/media/more/{number}/film.mp4" for number in range(8)))
    assert [scan.folder for _, scan in drain(plan, 0, 120)][:2] == ["/media/films", "/media/more/0"]


def test_a_scan_that_could_not_be_asked_for_waits_again(plan: ScanPlan) -> None:
    wish(plan, "/media/films/a/1.mp4")
    scan = plan.take_due(10)
    assert scan is not None
    plan.put_back(scan, 10)
    assert plan.take_due(10 + APART_S) == scan


def test_folders_in_the_spelling_of_plex() -> None:
    assert folder_of("/a/b/c.mp4") == "/a/b"
    assert folder_of(r"D:\a\b.mp4") == r"D:\a"
    assert folder_of(r"/a/odd\name.mp4") == "/a"
    assert common_folder(["/a/b/c", "/a/b/d", "/a/b"]) == "/a/b"
    assert common_folder(["/a/b", "/x/y"]) == ""
