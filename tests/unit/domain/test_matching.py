from __future__ import annotations

import pytest
from path_index_double import Index

from scenesync.domain.evidence import Why
from scenesync.domain.matching import Ambiguous, IndexedFile, Match, NoMatch, Refused, Rule, match_files
from scenesync.domain.paths import PathRule, same_path
from scenesync.domain.scene import SceneFile

E_ACUTE, E_AND_ACUTE = "\u00e9", "e\u0301"


def plays(rating_key: str, path: str, size: int | None = None, ms: int | None = None) -> IndexedFile:
    return IndexedFile(rating_key, "1", path, size, ms)


class TestRulePath:
    def test_an_equal_path_is_a_match(self) -> None:
        wanted = plays("10", "/data/a.mp4")
        assert match_files([SceneFile("/data/a.mp4")], Index(wanted)) == Match(Rule.PATH, (wanted,))

    def test_the_path_is_mapped_first(self) -> None:
        index = Index(plays("10", "/media/a.mp4"), plays("11", "/data/a.mp4"))
        matched = match_files([SceneFile("/data/a.mp4")], index, [PathRule("/data", "/media")])
        assert isinstance(matched, Match)
        assert (matched.rule, matched.rating_keys) == (Rule.PATH, ("10",))

    def test_it_goes_before_every_rule_even_if_those_have_better_looking_facts(self) -> None:
        index = Index(plays("10", "/data/s/a.mp4", size=1, ms=1), plays("11", "/other/s/a.mp4", size=700, ms=60_000))
        matched = match_files([SceneFile("/data/s/a.mp4", 700, 60.0)], index, strict=False)
        assert isinstance(matched, Match)
        assert (matched.rule, matched.rating_keys) == (Rule.PATH, ("10",))

    def test_it_goes_first_for_all_files_of_the_scene(self) -> None:
        index = Index(plays("10", "/x/s/a.mp4", size=700), plays("11", "/data/b.mp4"))
        matched = match_files([SceneFile("/data/s/a.mp4", 700), SceneFile("/data/b.mp4")], index)
        assert isinstance(matched, Match)
        assert (matched.rule, matched.rating_keys) == (Rule.PATH, ("11",))

    def test_all_items_with_the_path_are_the_scenes(self) -> None:
        index = Index(plays("10", "/data/a.mp4"), IndexedFile("20", "2", "/data/a.mp4"))
        matched = match_files([SceneFile("/data/a.mp4")], index)
        assert isinstance(matched, Match)
        assert matched.rating_keys == ("10", "20")

    def test_every_file_of_the_scene_is_tried_and_an_item_is_named_once(self) -> None:
        index = Index(plays("10", "/data/cd1.mp4"), plays("10", "/data/cd2.mp4"), plays("11", "/data/4k.mp4"))
        files = [SceneFile("/data/gone.mp4"), SceneFile("/data/cd1.mp4"), SceneFile("/data/cd2.mp4")]
        matched = match_files([*files, SceneFile("/data/4k.mp4")], index)
        assert isinstance(matched, Match)
        assert matched.rating_keys == ("10", "11")

    def test_case_counts_on_posix_servers(self) -> None:
        assert isinstance(match_files([SceneFile("/data/A.mp4")], Index(plays("10", "/data/a.mp4"))), NoMatch)

    def test_of_two_files_that_differ_in_case_alone_the_right_one_is_found(self) -> None:
        index = Index(plays("10", "/data/a.mp4"), plays("11", "/data/A.mp4"))
        matched = match_files([SceneFile("/data/A.mp4")], index)
        assert isinstance(matched, Match)
        assert matched.rating_keys == ("11",)

    @pytest.mark.parametrize(
        "plex", ["D:\\Media\\Films\\a.mp4", "\\\\?\\d:\\media\\films\\A.MP4", "D:/media/films/a.mp4"]
    )
    def test_windows_servers_are_compared_without_case_prefix_and_separators(self, plex: str) -> None:
        matched = match_files(
            [SceneFile("/data/films/a.mp4")], Index(plays("10", plex)), [PathRule("/data", "D:\\media")]
        )
        assert isinstance(matched, Match)
        assert matched.rule is Rule.PATH

    def test_network_shares_match_with_and_without_the_long_prefix(self) -> None:
        index = Index(plays("10", "\\\\?\\UNC\\nas\\films\\a.mp4"))
        matched = match_files([SceneFile("/data/a.mp4")], index, [PathRule("/data", "\\\\NAS\\films")])
        assert isinstance(matched, Match)
        assert matched.rule is Rule.PATH

    def test_both_unicode_spellings_of_a_path_are_one(self) -> None:
        index = Index(plays("10", f"/data/caf{E_AND_ACUTE}.mp4"))
        assert isinstance(match_files([SceneFile(f"/data/caf{E_ACUTE}.mp4")], index), Match)

    @pytest.mark.parametrize(
        "name",
        ["50% off.mp4", "a #1.mp4", "you & me.mp4", "beach \U0001f3d6\ufe0f.mp4", "a.mp4 ", "AC\\DC.mp4", "a?b=c.mp4"],
    )
    def test_odd_names_match_themselves_and_nothing_near(self, name: str) -> None:
        index = Index(plays("10", f"/data/{name}"), plays("11", f"/data/{name.strip()}x"), plays("12", "/data/DC.mp4"))
        matched = match_files([SceneFile(f"/data/{name}")], index)
        assert isinstance(matched, Match)
        assert matched.rating_keys == ("10",)


class TestWeakerRules:
    @pytest.mark.parametrize(
        ("plex", "rule"),
        [
            (plays("10", "/media/studio/a.mp4", size=700), Rule.SUFFIX),
            (plays("10", "/media/other/a.mp4", size=700), Rule.NAME_SIZE),
            (plays("10", "/media/other/a.mp4", ms=60_900), Rule.NAME_DURATION),
            (plays("10", "/media/other/a.mp4"), Rule.NAME),
        ],
    )
    def test_each_rule_answers_with_its_name(self, plex: IndexedFile, rule: Rule) -> None:
        matched = match_files([SceneFile("/data/studio/a.mp4", 700, 60.0)], Index(plex), strict=False)
        assert matched == Match(rule, (plex,))

    def test_the_earlier_rule_wins_over_a_later_one(self) -> None:
        suffix = plays("10", "/media/studio/a.mp4", size=700)
        same_size = plays("11", "/media/x/a.mp4", size=700)
        same_length = plays("12", "/media/y/a.mp4", ms=60_000)
        file = SceneFile("/data/studio/a.mp4", 700, 60.0)
        assert match_files([file], Index(same_length, same_size, suffix), strict=False) == Match(Rule.SUFFIX, (suffix,))
        assert match_files([file], Index(same_length, same_size), strict=False) == Match(Rule.NAME_SIZE, (same_size,))
        assert match_files([file], Index(same_length), strict=False) == Match(Rule.NAME_DURATION, (same_length,))

    @pytest.mark.parametrize(
        ("candidates", "rule"),
        [
            ((plays("10", "/m/s/a.mp4", 700), plays("11", "/n/s/a.mp4", 700)), Rule.SUFFIX),
            ((plays("10", "/m/x/a.mp4", 700), plays("11", "/n/y/a.mp4", 700)), Rule.NAME_SIZE),
            ((plays("10", "/m/x/a.mp4", ms=59_500), plays("11", "/n/y/a.mp4", ms=60_500)), Rule.NAME_DURATION),
            ((plays("10", "/m/x/a.mp4"), plays("11", "/n/y/a.mp4")), Rule.NAME),
        ],
    )
    def test_two_items_under_one_rule_are_a_question_never_a_guess(
        self, candidates: tuple[IndexedFile, IndexedFile], rule: Rule
    ) -> None:
        file = SceneFile("/data/s/a.mp4", 700, 60.0)
        assert match_files([file], Index(*candidates), strict=False) == Ambiguous(rule, candidates)

    def test_an_ambiguous_rule_is_not_settled_by_a_weaker_one(self) -> None:
        index = Index(plays("10", "/m/x/a.mp4", 700, 60_000), plays("11", "/n/y/a.mp4", 700, 90_000))
        assert isinstance(match_files([SceneFile("/data/s/a.mp4", 700, 60.0)], index), Ambiguous)

    def test_two_files_of_one_item_are_no_ambiguity(self) -> None:
        index = Index(plays("10", "/m/s/a.mp4", 700), plays("10", "/n/s/a.mp4", 700))
        matched = match_files([SceneFile("/data/s/a.mp4", 700)], index)
        assert isinstance(matched, Match)
        assert matched.rating_keys == ("10",)

    def test_two_files_of_a_scene_that_lead_to_two_items_are_ambiguous_unless_the_paths_are_exact(self) -> None:
        index = Index(plays("10", "/m/s/a.mp4", 700), plays("11", "/m/s/b.mp4", 800))
        files = [SceneFile("/data/s/a.mp4", 700), SceneFile("/data/s/b.mp4", 800)]
        assert isinstance(match_files(files, index), Ambiguous)
        exact = match_files(files, index, [PathRule("/data", "/m")])
        assert isinstance(exact, Match)
        assert exact.rating_keys == ("10", "11")

    def test_a_second_file_of_the_scene_finds_the_item(self) -> None:
        wanted = plays("10", "/m/s/b.mp4", 800)
        files = [SceneFile("/data/s/a.mp4", 700), SceneFile("/data/s/b.mp4", 800)]
        assert match_files(files, Index(wanted)) == Match(Rule.SUFFIX, (wanted,))

    def test_the_suffix_rule_works_across_systems(self) -> None:
        index = Index(plays("10", "D:\\Media\\studio\\A.mp4", 700))
        matched = match_files([SceneFile("/data/Studio/a.mp4", 700)], index)
        assert isinstance(matched, Match)
        assert matched.rule is Rule.SUFFIX

    def test_a_file_at_the_root_has_no_folder_to_compare(self) -> None:
        matched = match_files([SceneFile("/a.mp4", 700)], Index(plays("10", "/media/a.mp4", 700)))
        assert isinstance(matched, Match)
        assert matched.rule is Rule.NAME_SIZE

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (SceneFile("/d/s/a.mp4", 700), plays("10", "/m/s/a.mp4", 701)),
            (SceneFile("/d/s/a.mp4", None), plays("10", "/m/s/a.mp4", None)),
            (SceneFile("/d/s/a.mp4", None, 60.0), plays("10", "/m/s/a.mp4", ms=61_001)),
            (SceneFile("/d/s/a.mp4", None, None), plays("10", "/m/s/a.mp4", ms=None)),
            (SceneFile("/d/s/a.mp4", None, 0.0), plays("10", "/m/s/a.mp4", ms=0)),
            (SceneFile("/d/s/a.mp4", 700, 60.0), plays("10", "/m/s/A.mp4", 700, 60_000)),
        ],
    )
    def test_unknown_or_different_facts_are_no_match_when_strict(self, ours: SceneFile, theirs: IndexedFile) -> None:
        assert isinstance(match_files([ours], Index(theirs)), NoMatch)

    def test_durations_may_differ_by_one_second(self) -> None:
        matched = match_files([SceneFile("/d/a.mp4", None, 60.0)], Index(plays("10", "/m/a.mp4", ms=61_000)))
        assert isinstance(matched, Match)
        assert matched.rule is Rule.NAME_DURATION

    def test_a_name_that_differs_in_case_is_the_same_file_for_windows_only(self) -> None:
        ours = SceneFile("/d/a.mp4", 700)
        assert isinstance(match_files([ours], Index(plays("10", "D:\\m\\A.MP4", 700))), Match)
        assert isinstance(match_files([ours], Index(plays("10", "/m/A.MP4", 700)), strict=False), NoMatch)


class TestNameAlone:
    def test_the_same_base_name_in_another_studios_folder_is_not_this_scene(self) -> None:
        other = plays("10", "/data/StudioA/01.mp4", 500, 30_000)
        ours = SceneFile("/data/StudioB/01.mp4", 700, 60.0)
        refused = Refused(other, Why.OTHER_SIZE, "it has 500 bytes, the scene's file 700")
        assert match_files([ours], Index(other)) == NoMatch((refused,))

    def test_it_is_not_chosen_when_the_exact_path_exists(self) -> None:
        index = Index(plays("10", "/data/StudioA/01.mp4", 700, 60_000), plays("11", "/data/StudioB/01.mp4"))
        matched = match_files([SceneFile("/data/StudioB/01.mp4", 700, 60.0)], index, strict=False)
        assert isinstance(matched, Match)
        assert matched.rating_keys == ("11",)

    def test_only_without_strict_matching_a_unique_name_is_enough(self) -> None:
        other = plays("10", "/media/elsewhere/harbour.mp4")
        result = match_files([SceneFile("/data/harbour.mp4")], Index(other))
        assert isinstance(result, NoMatch)
        assert [(each.file, each.why) for each in result.refused] == [(other, Why.NAME_ONLY)]
        assert match_files([SceneFile("/data/harbour.mp4")], Index(other), strict=False) == Match(Rule.NAME, (other,))

    def test_a_scene_without_files_and_an_empty_index_match_nothing(self) -> None:
        assert match_files([], Index(plays("10", "/data/a.mp4"))) == NoMatch()
        assert match_files([SceneFile("/data/a.mp4")], Index()) == NoMatch()


class TestSamePath:
    def test_case_counts_unless_both_are_windows_paths(self) -> None:
        assert same_path("C:\\A.mp4", "c:/a.MP4")
        assert not same_path("/data/A.mp4", "/data/a.mp4")
        assert not same_path("C:\\data\\A.mp4", "/C:/data/a.mp4")

    def test_unicode_spelling_and_doubled_separators_do_not(self) -> None:
        assert same_path(f"/data//caf{E_AND_ACUTE}.mp4", f"/data/caf{E_ACUTE}.mp4")
