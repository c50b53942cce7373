"""What must hold for every path and every library, tried on many that nobody would think of."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from path_index_double import Index

from scenesync.domain.evidence import differ_in_size
from scenesync.domain.matching import Ambiguous, IndexedFile, Match, Rule, match_files
from scenesync.domain.path_proposal import MOST_RULES, propose_rules
from scenesync.domain.paths import PathRule, lies_in, map_path, path_key, same_path, segments
from scenesync.domain.pins import Pin, PinnedFile, scene_key
from scenesync.domain.scene import SceneFile

if TYPE_CHECKING:
    from collections.abc import Sequence

# Few letters, so that names, folders and sizes meet often; among them all that paths stumble over.
# The two of é are one letter in two spellings.
ODD = [
    "a",
    "A",
    "b",
    "%",
    "#",
    "&",
    " ",
    "\u00e9",
    "e\u0301",
    "\u00df",
    "SS",
    "\u0130",
    "\u017f",
    "\U0001f3d6\ufe0f",
    "=",
    "\\",
    ".",
]
NAME = st.lists(st.sampled_from(ODD), min_size=1, max_size=3).map("".join).filter(lambda name: name not in {".", ".."})
WINDOWS_NAME = NAME.filter(lambda name: not set("\\") & set(name))
SIZE = st.sampled_from([None, 0, 7, 8])
DURATION_S = st.sampled_from([None, 60, 60.5, 90])


def posix(names: Sequence[str]) -> str:
    return "/" + "/".join(names)


def windows(names: Sequence[str]) -> str:
    return "D:\\" + "\\".join(names)


POSIX_PATH = st.lists(NAME, min_size=1, max_size=4).map(posix)
WINDOWS_PATH = st.lists(WINDOWS_NAME, min_size=1, max_size=4).map(windows)
ANY_PATH = st.one_of(POSIX_PATH, WINDOWS_PATH)
SCENE_FILE = st.builds(SceneFile, ANY_PATH, SIZE, DURATION_S)
PREFIX = st.one_of(st.lists(NAME, max_size=2).map(posix), st.lists(WINDOWS_NAME, max_size=2).map(windows))


@st.composite
def libraries(draw: st.DrawFn) -> list[IndexedFile]:
    """Draw a few items, some of them with the very names of each other."""
    rows = draw(st.lists(st.tuples(ANY_PATH, SIZE, DURATION_S, st.integers(1, 5)), max_size=6))
    return [
        IndexedFile(str(item), str(1 + item % 2), path, size, None if seconds is None else int(seconds * 1000))
        for path, size, seconds, item in rows
    ]


@given(files=st.lists(SCENE_FILE, max_size=3), library=libraries(), strict=st.booleans())
def test_the_answer_does_not_depend_on_the_order_of_the_index(
    files: list[SceneFile], library: list[IndexedFile], *, strict: bool
) -> None:
    there = match_files(files, Index(*library), strict=strict)
    back = match_files(files, Index(*reversed(library)), strict=strict)
    assert type(there) is type(back)
    if isinstance(there, Match) and isinstance(back, Match):
        assert (there.rule, set(there.rating_keys)) == (back.rule, set(back.rating_keys))


@given(st.lists(SCENE_FILE, max_size=3), libraries())
def test_only_an_exact_path_answers_with_several_items_and_no_rule_with_a_known_other_size(
    files: list[SceneFile], library: list[IndexedFile]
) -> None:
    found = match_files(files, Index(*library))
    if isinstance(found, Match) and found.rule is not Rule.PATH:
        assert len(found.rating_keys) == 1
        assert all(any(not differ_in_size(ours, theirs) for ours in files) for theirs in found.files)
    if isinstance(found, Ambiguous):
        assert len(found.rating_keys) > 1


@given(files=st.lists(SCENE_FILE, min_size=1, max_size=3), library=libraries(), strict=st.booleans())
def test_a_namesake_is_either_taken_or_refused_with_a_reason(
    files: list[SceneFile], library: list[IndexedFile], *, strict: bool
) -> None:
    index = Index(*library)
    result = match_files(files, index, strict=strict)
    taken: tuple[IndexedFile, ...] = ()
    match result:
        case Match(rule, taken):
            assume(rule is not Rule.PATH)
        case Ambiguous(_, taken):
            pass
    refused = {each.file for each in result.refused}
    assert refused.isdisjoint(taken)
    assert all(each.text for each in result.refused)
    named = {file for ours in files for file in library if _name(file.path) == _name(ours.path)}
    assert named <= refused | set(taken)


@given(POSIX_PATH, st.lists(NAME, max_size=2), st.lists(NAME, max_size=2), st.sampled_from(["NFC", "NFD"]), libraries())
def test_a_mapped_file_is_found_by_its_path_whatever_else_there_is(
    path: str, ours: list[str], theirs: list[str], form: Any, library: list[IndexedFile]
) -> None:
    rule = PathRule(posix(ours), posix(theirs))
    in_stash = path_key_joined(rule.stash_prefix, path)
    in_plex = unicodedata.normalize(form, path_key_joined(rule.plex_prefix, path))
    wanted = IndexedFile("99", "9", in_plex)
    found = match_files([SceneFile(in_stash)], Index(*library, wanted), [rule])
    assert isinstance(found, Match)
    assert found.rule is Rule.PATH
    assert "99" in found.rating_keys
    assert all(same_path(file.path, in_plex) for file in found.files)


@given(st.lists(WINDOWS_NAME, min_size=1, max_size=4), st.sampled_from([str.upper, str.lower, str]))
def test_windows_paths_match_in_any_spelling_that_windows_takes_for_the_same(names: list[str], spelling: Any) -> None:
    # Letters that become two (ß, İ) are other letters to a file system.
    assume(all(len(char.upper()) == len(char.lower()) == 1 for name in names for char in name))
    assume(all(spelling(char).casefold() == char.casefold() for name in names for char in name))
    path = windows(names)
    spelt = spelling(path)
    for other in (spelt, spelt.replace("\\", "/"), "\\\\?\\" + spelt):
        found = match_files([SceneFile(path)], Index(IndexedFile("1", "1", other)))
        assert isinstance(found, Match)
        assert found.rule is Rule.PATH


@given(ANY_PATH, ANY_PATH)
def test_two_paths_are_the_same_both_ways_and_then_share_their_key(left: str, right: str) -> None:
    assert same_path(left, right) == same_path(right, left)
    assert same_path(left, left)
    if same_path(left, right):
        assert path_key(left).casefold() == path_key(right).casefold()


@given(ANY_PATH, PREFIX, PREFIX)
def test_a_rule_touches_only_what_lies_in_its_folder(path: str, stash: str, plex: str) -> None:
    mapped = map_path(path, [PathRule(stash, plex)])
    if mapped != path:
        assert lies_in(path, stash)
        assert lies_in(mapped, plex)


@given(SCENE_FILE, libraries(), st.integers(1, 5))
def test_a_pin_answers_with_nothing_but_the_pinned_file(file: SceneFile, library: list[IndexedFile], item: int) -> None:
    theirs = [each for each in library if each.rating_key == str(item)]
    pin = Pin(scene_key(file.path), str(item), tuple(PinnedFile(each.path, each.size_bytes) for each in theirs))
    found = match_files([file], Index(*library), pins=[pin])
    if theirs:
        assert isinstance(found, Match)
        assert (found.rule, found.rating_keys) == (Rule.PIN, (str(item),))
    else:
        assert not isinstance(found, Match)


@st.composite
def mapped_trees(draw: st.DrawFn) -> tuple[list[PathRule], list[tuple[str, str]]]:
    """Draw rules as a household might have, and files on both sides that follow them."""
    folders = draw(st.lists(st.lists(st.sampled_from("abcd"), max_size=3).map(tuple), unique=True, max_size=4))
    rules = [
        PathRule(posix(("stash", *folder)), posix(draw(st.lists(st.sampled_from("xyzab"), max_size=3))))
        for folder in folders
    ]
    paths = draw(st.lists(st.lists(st.sampled_from("abcd"), max_size=4), min_size=1, max_size=12))
    names = [posix(("stash", *path, f"film {number}.mp4")) for number, path in enumerate(paths)]
    return rules, [(name, map_path(name, rules)) for name in names]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(mapped_trees())
def test_the_proposed_rules_explain_every_file_and_are_no_more_than_those_in_force(
    tree: tuple[list[PathRule], list[tuple[str, str]]],
) -> None:
    rules, pairs = tree
    proposed = propose_rules(pairs)
    assume(len(proposed) < MOST_RULES)
    found = [proposal.rule for proposal in proposed]
    for ours, theirs in pairs:
        assert path_key(map_path(ours, found)) == path_key(theirs)
    used = {_rule_for(ours, rules) for ours, _ in pairs} - {None}
    assert len(found) <= len(used) + (any(_rule_for(ours, rules) is None for ours, _ in pairs) if used else 0)
    assert all(proposal.files > 0 for proposal in proposed)
    assert sum(proposal.files for proposal in proposed) <= len(set(pairs))


def _rule_for(path: str, rules: Sequence[PathRule]) -> PathRule | None:
    fitting = [rule for rule in rules if lies_in(path, rule.stash_prefix)]
    return max(fitting, key=lambda rule: len(segments(rule.stash_prefix)), default=None)


def _name(path: str) -> str:
    return segments(path)[-1].casefold()


def path_key_joined(prefix: str, path: str) -> str:
    return prefix.rstrip("/") + path
