"""Propose ``path_map`` rules from pairs of paths that are known to name the same file. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.paths import PathRule, is_windows_path, segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_RULES: Final = 5


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule and how many of the files it explains."""

    rule: PathRule
    files: int


def propose_rules(pairs: Iterable[tuple[str, str]]) -> Sequence[Proposal]:
    """Return the rules that explain the pairs (Stash's path, Plex's path), those that explain most first.

    Both paths lose their common end; what is left of them is the rule's two sides.
    """
    rules = (_rule(stash_path, plex_path) for stash_path, plex_path in pairs)
    found = Counter(rule for rule in rules if rule is not None)
    return [Proposal(rule, files) for rule, files in found.most_common(MOST_RULES)]


def _rule(stash_path: str, plex_path: str) -> PathRule | None:
    ours, theirs = segments(stash_path), segments(plex_path)
    fold = is_windows_path(stash_path) or is_windows_path(plex_path)
    common = 0
    while common < min(len(ours), len(theirs)) and _same_name(ours[-1 - common], theirs[-1 - common], fold=fold):
        common += 1
    if common == 0 or ours == theirs:  # not the same file, or no mapping is needed
        return None
    return PathRule(_joined(stash_path, ours[: len(ours) - common]), _joined(plex_path, theirs[: len(theirs) - common]))


def _same_name(left: str, right: str, *, fold: bool) -> bool:
    return left.casefold() == right.casefold() if fold else left == right


def _joined(path: str, parts: Sequence[str]) -> str:
    if not is_windows_path(path):
        return "/" + "/".join(parts)
    if parts and parts[0].endswith(":"):
        # A bare "D:" is no absolute path.
        return "\\".join(parts) if len(parts) > 1 else f"{parts[0]}\\"
    return "\\\\" + "\\".join(parts)
