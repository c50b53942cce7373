from __future__ import annotations

import pytest

from scenesync.domain.name_rules import NameRules, name_pattern, rename_rule


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "name"),
        [
            ("Travel", "Travel"),
            ("travel", "TRAVEL"),
            ("Tra*", "Travel"),
            ("*vel", "Travel"),
            ("Tr?vel", "Travel"),
            ("*", ""),
            ("[4K]", "[4k]"),
            ("C++ (live)", "C++ (live)"),
            ("über*", "ÜBERFAHRT"),
            ("/rav/", "Travel"),
            ("/^t.*l$/", "Travel"),
            ("/a{1,2}/", "Haar"),
            ("/a/b/", "xa/bx"),
        ],
    )
    def test_it_fits_the_whole_name_or_as_an_expression_a_part(self, pattern: str, name: str) -> None:
        assert name_pattern(pattern).fits(name)

    @pytest.mark.parametrize(
        ("pattern", "name"),
        [("Tra", "Travel"), ("Tr?vel", "Trvel"), ("[4K]", "4"), ("C++", "C"), ("/^rav/", "Travel"), ("a.c", "abc")],
    )
    def test_it_fits_nothing_else(self, pattern: str, name: str) -> None:
        assert not name_pattern(pattern).fits(name)

    @pytest.mark.parametrize(
        ("pattern", "reason"),
        [
            ("/a(/", "no regular expression"),
            ("/a", "does not end with /"),
            ("//", "does not end with /"),
            ("", "is empty"),
        ],
    )
    def test_one_that_means_nothing_is_refused_with_the_reason(self, pattern: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            name_pattern(pattern)


class TestRenaming:
    def test_the_first_rule_that_fits_decides(self) -> None:
        rules = NameRules(rename=(rename_rule("Sea*", "Water"), rename_rule("*side", "Coast")))
        assert [rules.renamed(name) for name in ("Seaside", "Hillside", "Town")] == ["Water", "Coast", "Town"]

    @pytest.mark.parametrize(
        ("pattern", "name", "old", "new"),
        [
            (r"/^genre: (.+)$/", r"\1", "Genre: Travel", "Travel"),
            (r"/^(\w+), (\w+)$/", r"\2 \1", "Example, Ann", "Ann Example"),
            ("/ HD/", "", "Harbour HD", "Harbour"),
            ("Rock & Roll", r"Rock \1", "rock & roll", r"Rock \1"),
        ],
    )
    def test_groups_of_an_expression_can_be_kept(self, pattern: str, name: str, old: str, new: str) -> None:
        assert rename_rule(pattern, name).renamed(old) == new

    def test_a_group_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(ValueError, match="names a group"):
            rename_rule("/a(b)/", r"\2")


class TestShowing:
    def test_exclude_wins_over_include_and_no_include_means_all(self) -> None:
        some = NameRules(include=(name_pattern("S*"),), exclude=(name_pattern("Secret*"),))
        assert [name for name in ("Sea", "Secret place", "Town") if some.shows(name)] == ["Sea"]
        assert NameRules().shows("anything")
