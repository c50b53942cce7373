from __future__ import annotations

import pytest

from scenesync.domain.path_proposal import MOST_RULES, Proposal, propose_rules
from scenesync.domain.paths import PathRule, map_path, path_key


@pytest.mark.parametrize(
    ("stash", "plex", "rule"),
    [
        ("/data/films/a.mp4", "/media/films/a.mp4", PathRule("/data", "/media")),
        ("/a.mp4", "/media/a.mp4", PathRule("/", "/media")),
        ("/data/films/a.mp4", "D:\\Media\\films\\a.mp4", PathRule("/data", "D:\\Media")),
        ("/data/films/a.mp4", "D:\\films\\a.mp4", PathRule("/data", "D:\\")),
        ("/data/films/a.mp4", "\\\\?\\D:\\Media\\films\\a.mp4", PathRule("/data", "D:\\Media")),
        ("/data/films/a.mp4", "\\\\nas\\media\\films\\a.mp4", PathRule("/data", "\\\\nas\\media")),
        ("/data/films/a.mp4", "\\\\?\\UNC\\nas\\media\\films\\a.mp4", PathRule("/data", "\\\\nas\\media")),
        ("C:\\Media\\films\\a.mp4", "/data/films/a.mp4", PathRule("C:\\Media", "/data")),
        ("/data/Films/A.mp4", "D:\\Media\\films\\a.mp4", PathRule("/data", "D:\\Media")),
    ],
)
def test_a_pair_gives_the_rule_that_maps_it(stash: str, plex: str, rule: PathRule) -> None:
    assert propose_rules([(stash, plex)]) == [Proposal(rule, 1)]
    assert path_key(map_path(stash, [rule])).casefold() == path_key(plex).casefold()


def test_the_rule_that_explains_most_comes_first() -> None:
    pairs = [("/old/a.mp4", "/x/a.mp4"), *((f"/data/{n}.mp4", f"/media/{n}.mp4") for n in range(3))]
    assert propose_rules(pairs) == [
        Proposal(PathRule("/data", "/media"), 3),
        Proposal(PathRule("/old", "/x"), 1),
    ]


def test_pairs_with_nothing_in_common_propose_nothing() -> None:
    assert propose_rules([("/data/a.mp4", "/media/b.mp4"), ("", "/media/b.mp4")]) == []


def test_paths_that_are_equal_already_need_no_rule() -> None:
    assert propose_rules([("/data/a.mp4", "/data/a.mp4"), ("C:\\data\\a.mp4", "C:/data/a.mp4")]) == []


def test_case_tells_names_apart_on_posix_systems() -> None:
    assert propose_rules([("/data/A.mp4", "/media/a.mp4")]) == []


def test_few_rules_are_proposed_however_many_there_are() -> None:
    pairs = [(f"/stash{n}/a.mp4", f"/plex{n}/a.mp4") for n in range(20)]
    assert len(propose_rules(pairs)) == MOST_RULES


class TestTheShortestSet:
    def test_one_rule_covers_all_folders_that_moved_together(self) -> None:
        pairs = [(f"/data/{folder}/{n}.mp4", f"/media/{folder}/{n}.mp4") for folder in "abcd" for n in range(3)]
        assert propose_rules(pairs) == [Proposal(PathRule("/data", "/media"), 12)]

    def test_a_folder_that_lies_elsewhere_gets_its_own_rule_inside_the_other(self) -> None:
        pairs = [(f"/data/{folder}/{n}.mp4", f"/media/{folder}/{n}.mp4") for folder in "abc" for n in range(3)]
        pairs += [(f"/data/uhd/{n}.mp4", f"/fast/{n}.mp4") for n in range(2)]
        assert propose_rules(pairs) == [
            Proposal(PathRule("/data", "/media"), 9),
            Proposal(PathRule("/data/uhd", "/fast"), 2),
        ]

    def test_a_folder_that_needs_no_mapping_is_kept_out_of_anothers_reach(self) -> None:
        pairs = [(f"/data/{folder}/{n}.mp4", f"/media/{folder}/{n}.mp4") for folder in "abc" for n in range(3)]
        pairs += [(f"/data/shared/{n}.mp4", f"/data/shared/{n}.mp4") for n in range(2)]
        assert [proposal.rule for proposal in propose_rules(pairs)] == [
            PathRule("/data", "/media"),
            PathRule("/data/shared", "/data/shared"),
        ]

    def test_files_on_equal_paths_outside_of_it_need_no_rule(self) -> None:
        pairs = [("/data/a/1.mp4", "/media/a/1.mp4"), *((f"/same/{n}.mp4", f"/same/{n}.mp4") for n in range(9))]
        assert propose_rules(pairs) == [Proposal(PathRule("/data", "/media"), 1)]

    def test_siblings_that_all_went_different_ways_have_a_rule_each(self) -> None:
        pairs = [("/data/one/1.mp4", "/fast/1.mp4"), ("/data/two/1.mp4", "/slow/two/1.mp4")]
        assert [proposal.rule for proposal in propose_rules(pairs)] == [
            PathRule("/data/one", "/fast"),
            PathRule("/data/two", "/slow/two"),
        ]

    def test_a_copy_that_lies_elsewhere_makes_no_rule(self) -> None:
        pairs = [(f"/data/{n % 7}/{n}.mp4", f"/media/{n % 7}/{n}.mp4") for n in range(300)]
        pairs.append(("/data/3/copy.mp4", "/backup/x/copy.mp4"))
        pairs.append(("/data/lonely/copy2.mp4", "/backup/y/copy2.mp4"))
        assert propose_rules(pairs) == [Proposal(PathRule("/data", "/media"), 300)]

    def test_drives_and_shares_are_never_taken_apart(self) -> None:
        assert propose_rules([("/mnt/D:/films/a.mp4", "D:\\films\\a.mp4")]) == [
            Proposal(PathRule("/mnt/D:", "D:\\"), 1)
        ]
        assert propose_rules([("/nas/media/a.mp4", "\\\\nas\\media\\a.mp4")]) == [
            Proposal(PathRule("/nas/media", "\\\\nas\\media"), 1)
        ]

    def test_what_path_map_cannot_say_is_not_proposed(self) -> None:
        assert propose_rules([("/odd => name/x/a.mp4", "/media/x/a.mp4"), ("/data /a.mp4", "/media/a.mp4")]) == []
