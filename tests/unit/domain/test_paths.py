from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenesync.domain.paths import (
    PathRule,
    file_name,
    is_windows_path,
    map_path,
    name_key,
    path_key,
    segments,
    without_case,
)

E_ACUTE, E_AND_ACUTE = "\u00e9", "e\u0301"

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name != "."
)
WINDOWS_NAMES = st.text(
    st.characters(exclude_characters='/\\\0<>:"|?*', exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8
).filter(lambda name: name != ".")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("C:\\Films\\a.mp4", True),
        ("c:/Films/a.mp4", True),
        ("\\\\nas\\films\\a.mp4", True),
        ("\\\\?\\D:\\a.mp4", True),
        ("/data/a.mp4", False),
        ("/data/C:\\a.mp4", False),
        ("C:", False),
        ("C:a.mp4", False),
        ("\\a.mp4", False),
        ("", False),
    ],
)
def test_windows_paths_are_known_by_their_root(path: str, answer: bool) -> None:  # noqa: FBT001 - the expected value
    assert is_windows_path(path) is answer


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/data/Films/a.mp4", ("data", "Films", "a.mp4")),
        ("//data///Films/./a.mp4", ("data", "Films", "a.mp4")),
        ("/data/Films/", ("data", "Films")),
        ("C:\\Films\\a.mp4", ("C:", "Films", "a.mp4")),
        ("C:\\Films/a.mp4", ("C:", "Films", "a.mp4")),
        ("\\\\nas\\films\\a.mp4", ("nas", "films", "a.mp4")),
        ("\\\\?\\C:\\Films\\a.mp4", ("C:", "Films", "a.mp4")),
        ("\\\\?\\UNC\\nas\\films\\a.mp4", ("nas", "films", "a.mp4")),
        ("", ()),
        ("/", ()),
    ],
)
def test_a_path_falls_into_the_parts_that_its_own_system_means(path: str, parts: tuple[str, ...]) -> None:
    assert segments(path) == parts


def test_a_backslash_in_a_posix_name_separates_nothing() -> None:
    assert segments("/data/AC\\DC live.mp4") == ("data", "AC\\DC live.mp4")
    assert file_name("/data/AC\\DC live.mp4") == "AC\\DC live.mp4"


@pytest.mark.parametrize(
    "name", ["100% #1 & more?.mp4", "beach \U0001f3d6\ufe0f.mp4", " leading and trailing .mp4 ", "a+b.mp4"]
)
def test_odd_characters_of_a_name_stay_as_they_are(name: str) -> None:
    assert file_name(f"/data/{name}") == name
    assert map_path(f"/data/{name}", [PathRule("/data", "/media")]) == f"/media/{name}"


def test_the_two_unicode_spellings_of_a_name_have_one_key() -> None:
    assert path_key(f"/data/caf{E_AND_ACUTE}.mp4") == path_key(f"/data/caf{E_ACUTE}.mp4")
    assert name_key(f"/data/CAF{E_AND_ACUTE.upper()}.mp4") == name_key(f"/other/caf{E_ACUTE}.mp4")


def test_path_keys_keep_case_and_name_keys_do_not() -> None:
    assert path_key("/data/A.mp4") != path_key("/data/a.mp4")
    assert name_key("/data/A.MP4") == name_key("/x/a.mp4") == "a.mp4"


class TestMapping:
    def test_without_a_rule_the_path_stays_as_it_is(self) -> None:
        assert map_path("/data/a.mp4", []) == "/data/a.mp4"
        assert map_path("/data/a.mp4", [PathRule("/other", "/media")]) == "/data/a.mp4"

    def test_the_longest_prefix_wins_whatever_the_order(self) -> None:
        rules = [PathRule("/data", "/short"), PathRule("/data/films/new", "/long"), PathRule("/data/films", "/middle")]
        for ordered in (rules, rules[::-1]):
            assert map_path("/data/films/new/a.mp4", ordered) == "/long/a.mp4"
            assert map_path("/data/films/a.mp4", ordered) == "/middle/a.mp4"
            assert map_path("/data/a.mp4", ordered) == "/short/a.mp4"

    def test_a_prefix_matches_whole_segments_only(self) -> None:
        rules = [PathRule("/data/media", "/plex")]
        assert map_path("/data/media2/a.mp4", rules) == "/data/media2/a.mp4"
        assert map_path("/data/media.mp4", rules) == "/data/media.mp4"
        assert map_path("/data/media/a.mp4", rules) == "/plex/a.mp4"

    def test_a_trailing_separator_in_a_rule_means_nothing(self) -> None:
        assert map_path("/data/a.mp4", [PathRule("/data/", "/media/")]) == "/media/a.mp4"

    def test_the_root_can_be_mapped_and_mapped_to(self) -> None:
        assert map_path("/films/a.mp4", [PathRule("/", "/mnt/nas")]) == "/mnt/nas/films/a.mp4"
        assert map_path("/data/films/a.mp4", [PathRule("/data", "/")]) == "/films/a.mp4"

    @pytest.mark.parametrize(
        ("rule", "mapped"),
        [
            (PathRule("/data", "D:\\Media"), "D:\\Media\\films\\a.mp4"),
            (PathRule("/data", "D:\\"), "D:\\films\\a.mp4"),
            (PathRule("/data", "D:/Media"), "D:/Media/films/a.mp4"),
            (PathRule("/data", "\\\\nas\\media\\"), "\\\\nas\\media\\films\\a.mp4"),
        ],
    )
    def test_a_mapped_path_is_written_as_its_server_would(self, rule: PathRule, mapped: str) -> None:
        assert map_path("/data/films/a.mp4", [rule]) == mapped

    def test_windows_prefixes_match_in_any_case_and_posix_ones_do_not(self) -> None:
        assert map_path("C:\\Media\\a.mp4", [PathRule("c:/media", "/data")]) == "/data/a.mp4"
        assert map_path("/Data/a.mp4", [PathRule("/data", "/media")]) == "/Data/a.mp4"

    def test_a_long_path_prefix_does_not_hide_a_rule(self) -> None:
        assert map_path("\\\\?\\C:\\media\\a.mp4", [PathRule("C:\\media", "/data")]) == "/data/a.mp4"

    def test_a_rule_in_the_other_unicode_spelling_matches(self) -> None:
        assert map_path(f"/caf{E_ACUTE}/a.mp4", [PathRule(f"/caf{E_AND_ACUTE}", "/media")]) == "/media/a.mp4"

    def test_a_backslash_at_the_end_of_a_posix_prefix_is_part_of_its_name(self) -> None:
        assert map_path("/data/a.mp4", [PathRule("/data", "/odd\\")]) == "/odd\\/a.mp4"


@given(st.lists(NAMES, max_size=6))
def test_any_posix_path_keeps_its_names_in_nfc(names: list[str]) -> None:
    path = "/" + "/".join(names)
    assert segments(path) == tuple(unicodedata.normalize("NFC", name) for name in names)
    assert path_key(path_key(path)) == path_key(path)


@given(st.lists(NAMES, min_size=1, max_size=5), st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=3))
def test_mapping_there_and_back_names_the_same_file(rest: list[str], ours: list[str], theirs: list[str]) -> None:
    stash, plex = "/" + "/".join(ours), "/" + "/".join(theirs)
    path = "/".join(("/", *ours, *rest))
    there = map_path(path, [PathRule(stash, plex)])
    assert path_key(there) == path_key("/".join(("/", *theirs, *rest)))
    assert path_key(map_path(there, [PathRule(plex, stash)])) == path_key(path)


@given(st.lists(WINDOWS_NAMES, min_size=1, max_size=5))
def test_all_spellings_of_a_windows_path_have_one_key(names: list[str]) -> None:
    tail = "\\".join(names)
    spellings = (f"C:\\{tail}", f"C:/{'/'.join(names)}", f"\\\\?\\C:\\{tail}")
    assert len({path_key(spelling) for spelling in spellings}) == 1
    assert path_key(f"\\\\nas\\{tail}") == path_key(f"\\\\?\\UNC\\nas\\{tail}")


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Maße [A-Z]_` I", "maße [a-z]_` i"), ("MASSE [A-Z]_` I", "masse [a-z]_` i"), ("ÀÉ Ж", "àé ж"), ("", "")],
)
def test_without_case_every_letter_stays_one(text: str, folded: str) -> None:
    assert without_case(text) == folded
