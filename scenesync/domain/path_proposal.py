"""Propose a ``path_map`` from pairs of paths that are known to name the same file. Pure.

Every pair says by which *shift* its Stash path becomes its Plex path: the rule that is left when both lose their common
end. A rule may stand at any folder, and the deepest one counts, so the fewest rules are the fewest changes of the shift
on the way down the tree of Stash's folders (Hartigan's parsimony: each folder prefers what most of its children want).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.domain.paths import PathRule, ignores_case, is_windows_path, segments, without_case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_RULES: Final = 8
NOISE_SHARE: Final = 0.01
"""A rule that explains less than this share of the files is more likely a copy that lies elsewhere."""
_ARROW: Final = "=>"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule and how many of the files it explains."""

    rule: PathRule
    files: int


def propose_rules(pairs: Iterable[tuple[str, str]]) -> Sequence[Proposal]:
    """Return the shortest set of rules that explains the pairs (Stash's path, Plex's path), the weightiest first.

    Pairs whose paths are equal count too: they keep a rule from reaching folders that need none. Files that disagree
    with the others of their folder are left unexplained, and so are more than MOST_RULES rules.
    """
    root = _Folder((), "")
    total = 0
    for stash_path, plex_path in dict.fromkeys(pairs):
        shift = _shift(stash_path, plex_path)
        if shift is not None:
            root.take(stash_path, shift)
            total += 1
    root.settle()
    found = (Proposal(rule, files) for rule, files in root.rules(_STAY) if files >= NOISE_SHARE * total)
    return sorted(found, key=lambda proposal: (-proposal.files, proposal.rule.stash_prefix))[:MOST_RULES]


@dataclass(frozen=True, slots=True)
class _Shift:
    """That Stash's folder ``ours`` is ``theirs`` for Plex, which writes paths as it does ``plex_sample``."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    plex_sample: str = field(compare=False)

    def at(self, parts: Sequence[str]) -> tuple[str, ...]:
        return (*self.theirs, *parts[len(self.ours) :])


_STAY: Final = _Shift((), (), "/")
"""The shift of files that have one path on both sides; it needs a rule only within the reach of another."""


@dataclass(slots=True, eq=False)
class _Folder:
    """A folder of Stash's; ``files`` counts those right in it by their shift."""

    parts: tuple[str, ...]
    stash_sample: str
    children: dict[str, _Folder] = field(default_factory=dict)
    files: Counter[_Shift] = field(default_factory=Counter)
    wanted: Counter[_Shift] = field(default_factory=Counter)
    """The shifts that serve this folder best, each with the number of files that want it."""
    is_divided: bool = False
    """No two folders in it want the same: a rule here would save none of theirs, so each had better have its own."""

    def take(self, path: str, shift: _Shift) -> None:
        """Sort a file into its folder below this one."""
        folder = self
        for part in segments(path)[:-1]:
            key = without_case(part) if ignores_case(path) else part
            folder = folder.children.setdefault(key, _Folder((*folder.parts, part), path))
        folder.stash_sample = folder.stash_sample or path
        folder.files[shift] += 1

    def settle(self) -> None:
        """Find out what serves this folder and those below it best."""
        votes: Counter[_Shift] = Counter()
        weights: Counter[_Shift] = Counter(self.files)
        for child in self.children.values():
            child.settle()
            votes.update(shift for shift in child.wanted if len(shift.ours) <= len(self.parts))
            weights.update(child.wanted)
        if self.files:
            # Its own files need the shift here; folders can be given a rule of their own.
            [(shift, _)] = self.files.most_common(1)
            self.wanted = Counter({shift: weights[shift]})
        elif votes:
            most = max(votes.values())
            self.wanted = Counter({shift: weights[shift] for shift, count in votes.items() if count == most})
            self.is_divided = most == 1 and sum(bool(child.wanted) for child in self.children.values()) > 1

    def rules(self, inherited: _Shift) -> Iterator[tuple[PathRule, int]]:
        """Yield the rules at and below this folder, each with the number of files that it explains."""
        if self.wanted and inherited not in self.wanted and not self.is_divided:
            [(shift, _)] = self.wanted.most_common(1)
            yield _rule(self, shift), self._explained(shift)
            inherited = shift
        for child in self.children.values():
            yield from child.rules(inherited)

    def _explained(self, shift: _Shift) -> int:
        """Count the files for which a rule at this folder has the last word, and the right one."""
        below = (
            child._explained(shift)  # noqa: SLF001 - its own kind
            for child in self.children.values()
            if not child.wanted or shift in child.wanted
        )
        return self.files[shift] + sum(below)


def _shift(stash_path: str, plex_path: str) -> _Shift | None:
    """Return what is left when both paths lose their common end; None if they are not of one file."""
    ours, theirs = segments(stash_path), segments(plex_path)
    fold = is_windows_path(stash_path) or is_windows_path(plex_path)
    most = min(len(ours) - _root_length(stash_path), len(theirs) - _root_length(plex_path))
    common = 0
    while common < most and _same_name(ours[-1 - common], theirs[-1 - common], fold=fold):
        common += 1
    if common == 0:
        return None
    if len(ours) == len(theirs) and common == most:
        rest = zip(ours[: len(ours) - common], theirs[: len(theirs) - common], strict=True)
        if is_windows_path(stash_path) is is_windows_path(plex_path) and all(
            _same_name(left, right, fold=fold) for left, right in rest
        ):
            return _Shift((), (), plex_path)
    shift = _Shift(ours[: len(ours) - common], theirs[: len(theirs) - common], plex_path)
    texts = (_joined(stash_path, shift.ours), _joined(plex_path, shift.theirs))
    # Such a path cannot be written in path_map.
    return None if any(_ARROW in text or text != text.strip() for text in texts) else shift


def _root_length(path: str) -> int:
    """Return how many segments belong together: a drive letter, or a host with its share."""
    if not is_windows_path(path):
        return 0
    return 1 if segments(path)[0].endswith(":") else 2


def _same_name(left: str, right: str, *, fold: bool) -> bool:
    return without_case(left) == without_case(right) if fold else left == right


def _rule(folder: _Folder, shift: _Shift) -> PathRule:
    return PathRule(
        _joined(folder.stash_sample or "/", folder.parts), _joined(shift.plex_sample, shift.at(folder.parts))
    )


def _joined(path: str, parts: Sequence[str]) -> str:
    if not is_windows_path(path):
        return "/" + "/".join(parts)
    if parts and parts[0].endswith(":"):
        # A bare "D:" is no absolute path.
        return "\\".join(parts) if len(parts) > 1 else f"{parts[0]}\\"
    return "\\\\" + "\\".join(parts)
