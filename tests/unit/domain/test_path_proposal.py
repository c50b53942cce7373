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
