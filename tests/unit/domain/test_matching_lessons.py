"""The defects of other tools: each is tried here, so that it shows if it comes in."""

from __future__ import annotations

import pytest
from path_index_double import Index

from scenesync.domain.evidence import Why
from scenesync.domain.matching import Ambiguous, IndexedFile, Match, NoMatch, Rule, as_document, beside, match_files
from scenesync.domain.paths import PathRule, segments
from scenesync.domain.pins import Pin, PinnedFile, scene_key
from scenesync.domain.scene import SceneFile


def test_lesson_by_base_name_the_other_studios_01_is_never_this_scene() -> None:
    other = IndexedFile("1", "1", "/data/StudioA/01.mp4", 500, 30_000)
    right = IndexedFile("2", "1", "/data/StudioB/01.mp4", 700, 60_000)
    ours = SceneFile("/data/StudioB/01.mp4", 700, 60.0)
    for strict in (True, False):
        found = match_files([ours], Index(other, right), strict=strict)
        assert isinstance(found, Match)
        assert (found.rule, found.rating_keys) == (Rule.PATH, ("2",))
    result = match_files([ours], Index(other))
    assert isinstance(result, NoMatch)
    assert [(refused.file, refused.why) for refused in result.refused] == [(other, Why.OTHER_SIZE)]


def test_lesson_path_first_even_when_every_other_fact_speaks_for_another_item() -> None:
    path = IndexedFile("1", "1", "/data/s/a.mp4", 1, 1)
    looks_better = IndexedFile("2", "1", "/copy/s/a.mp4", 700, 60_000)
    found = match_files([SceneFile("/data/s/a.mp4", 700, 60.0)], Index(looks_better, path))
    assert isinstance(found, Match)
    assert found.rating_keys == ("1",)


def test_lesson_a_cached_key_is_no_proof_not_even_a_pinned_one() -> None:
    pin = Pin(scene_key("/data/a.mp4"), "1", (PinnedFile("/media/a.mp4", 700),))
    rebuilt = Index(IndexedFile("1", "1", "/media/stranger.mp4", 900))
    assert match_files([SceneFile("/data/a.mp4")], rebuilt, pins=[pin]) == NoMatch(lost_pins=(pin,))
    rescanned = match_files([SceneFile("/data/a.mp4")], Index(IndexedFile("8", "1", "/media/a.mp4", 700)), pins=[pin])
    assert isinstance(rescanned, Match)
    assert rescanned.rating_keys == ("8",)
    renamed = match_files([SceneFile("/data/a.mp4")], Index(IndexedFile("1", "1", "/media/new.mp4", 700)), pins=[pin])
    assert isinstance(renamed, Match)


@pytest.mark.parametrize("path", ["D:\\Media\\s\\a.mp4", "\\\\?\\D:\\Media\\s\\a.mp4", "d:/media/S/A.MP4"])
def test_lesson_windows_paths_match_on_whatever_system_this_runs(path: str) -> None:
    assert len(segments(path)) == 4
    found = match_files(
        [SceneFile("/data/s/a.mp4")], Index(IndexedFile("1", "1", path)), [PathRule("/data", "D:\\Media")]
    )
    assert isinstance(found, Match)
    assert found.rule is Rule.PATH


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(("path", "rule"), [("/data/s/b.mp4", Rule.PATH), ("/mnt/s/b.mp4", Rule.SUFFIX)])
def test_lesson_every_file_of_the_scene_is_looked_at(position: int, path: str, rule: Rule) -> None:
    files = [SceneFile("/data/s/x.mp4", 1), SceneFile("/data/s/y.mp4", 2)]
    files.insert(position, SceneFile("/data/s/b.mp4", 3))
    found = match_files(files, Index(IndexedFile("1", "1", path, 3)))
    assert isinstance(found, Match)
    assert found.rule is rule


class TestTheAnswer:
    def test_it_says_why_others_were_refused(self) -> None:
        files = [
            IndexedFile("1", "1", "/m/s/a.mp4", 700),
            IndexedFile("2", "1", "/m/t/a.mp4", 701),
            IndexedFile("3", "1", "/m/u/a.mp4", None, 90_000),
            IndexedFile("4", "1", "/m/v/a.mp4", 700),
            IndexedFile("5", "1", "/m/w/A.mp4", 700),
        ]
        found = match_files([SceneFile("/data/s/a.mp4", 700, 60.0)], Index(*files))
        assert isinstance(found, Match)
        assert {refused.file.rating_key: refused.why for refused in found.refused} == {
            "2": Why.OTHER_SIZE,
            "3": Why.OTHER_DURATION,
            "4": Why.WEAKER,
            "5": Why.OTHER_CASE,
        }
        assert str(found.refused[0]) == "2 (/m/t/a.mp4): it has 701 bytes, the scene's file 700"

    def test_beside_an_exact_match_the_namesakes_are_told_on_request(self) -> None:
        index = Index(IndexedFile("1", "1", "/data/a.mp4"), IndexedFile("2", "1", "/m/a.mp4"))
        files = [SceneFile("/data/a.mp4")]
        found = match_files(files, index)
        assert isinstance(found, Match)
        assert found.refused == ()
        assert [(refused.file.rating_key, refused.why) for refused in beside(found, files, index)] == [
            ("2", Why.WEAKER)
        ]

    def test_as_a_document_it_is_plain_facts(self) -> None:
        twice = match_files(
            [SceneFile("/data/s/a.mp4", 7)],
            Index(IndexedFile("1", "1", "/m/s/a.mp4", 7), IndexedFile("2", "1", "/n/s/a.mp4", 7)),
        )
        assert isinstance(twice, Ambiguous)
        document = as_document(twice)
        assert (document["rule"], document["candidates"], document["refused"]) == ("suffix", ["1", "2"], [])
        nothing = as_document(match_files([SceneFile("/x/a.mp4")], Index(IndexedFile("1", "1", "/m/s/a.mp4", 7))))
        assert nothing["rule"] is None
        assert nothing["refused"] == [
            {
                "rating_key": "1",
                "path": "/m/s/a.mp4",
                "why": "name_only",
                "text": "only its name is the same: size and duration are not known on both sides",
            }
        ]
