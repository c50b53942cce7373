"""Judge ``path_map`` by a sample of scenes from all over Stash, and find the one that would be right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.editing import toml_string
from scenesync.app.configuration.values import ARROW
from scenesync.domain.evidence import same_name_and_size
from scenesync.domain.matching import Ambiguous, Match, MatchResult, Rule, match_files
from scenesync.domain.path_proposal import propose_rules
from scenesync.domain.paths import PathRule, lies_in, map_path, same_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.app.settings import Settings
    from scenesync.domain.matching import PathIndex
    from scenesync.domain.path_proposal import Proposal
    from scenesync.domain.scene import Scene, SceneFile
    from scenesync.stash.client import StashClient

SAMPLES: Final = 20
SCENES_PER_SAMPLE: Final = 25
GOOD_SHARE: Final = 0.9

_TRUSTED: Final = frozenset({Rule.PATH, Rule.SUFFIX, Rule.NAME_SIZE})
"""Rules whose pairs may teach: there at least name and size agree."""


@dataclass(frozen=True, slots=True)
class PathJudgement:
    """``is_good`` None means that it could be better; ``path_map`` is the whole setting that would be, if known."""

    is_good: bool | None
    finding: str
    cure: str = ""
    path_map: tuple[str, ...] = ()


def judge_paths(stash: StashClient, index: PathIndex, settings: Settings) -> PathJudgement:
    """Match a sample with the settings as they are. Raises what Stash's client raises."""
    scenes = [scene for scene in sample(stash) if scene.files]
    if not scenes:
        return PathJudgement(None, "not checked, Stash has no scene with a file yet")
    results = [match_files(scene.files, index, settings.path_map, strict=settings.strict_matching) for scene in scenes]
    rules = Counter(result.rule for result in results if isinstance(result, Match))
    finding = _finding(scenes, results, rules)
    pairs = list(_pairs(scenes, results))
    is_exact = bool(rules) and rules[Rule.PATH] >= GOOD_SHARE * sum(rules.values())
    proposals = propose_rules(pairs)
    path_map = [*(proposal.rule for proposal in proposals), *_unseen(settings.path_map, scenes, proposals)]
    if not proposals or _explained(pairs, path_map) <= _explained(pairs, settings.path_map):
        if is_exact:
            return PathJudgement(True, finding)  # noqa: FBT003 - it is good
        cure = "Compare a file's path in Stash with its path in Plex (Get Info) and set path_map."
        return PathJudgement(None if rules else False, finding, cure)
    return PathJudgement(
        True if is_exact else None, finding, _ready_to_paste(proposals, path_map), tuple(map(as_text, path_map))
    )


def sample(stash: StashClient) -> Sequence[Scene]:
    """Return scenes from all over the range of ids: the first ones often lie in one folder."""
    step = max(1, stash.highest_scene_id() // SAMPLES)
    found: dict[int, Scene] = {}
    for number in range(SAMPLES):
        page = stash.scenes_to_match_after(max(number * step, *found, 0), SCENES_PER_SAMPLE, tags=False)
        found.update({scene.id: scene for scene in page})
        if len(page) < SCENES_PER_SAMPLE:
            break
    return list(found.values())


def as_text(rule: PathRule) -> str:
    """Return a rule as it is written in settings."""
    return f"{rule.stash_prefix} {ARROW} {rule.plex_prefix}"


def _finding(scenes: Sequence[Scene], results: Sequence[MatchResult], rules: Counter[Rule]) -> str:
    ambiguous = sum(isinstance(result, Ambiguous) for result in results)
    return f"of {len(scenes)} scenes " + ", ".join(
        [
            *(f"{rules[rule]} by {rule.value}" for rule in Rule if rules[rule]),
            f"{ambiguous} ambiguous",
            f"{len(scenes) - sum(rules.values()) - ambiguous} not in Plex",
        ]
    )


def _pairs(scenes: Sequence[Scene], results: Sequence[MatchResult]) -> Iterator[tuple[str, str]]:
    """Yield the paths under which both servers know the same file."""
    for scene, result in zip(scenes, results, strict=True):
        if isinstance(result, Match) and result.rule in _TRUSTED:
            for file in scene.files:
                yield from _pairs_of(file, result)


def _pairs_of(file: SceneFile, match: Match) -> Iterator[tuple[str, str]]:
    fitting = [found.path for found in match.files if match.rule is Rule.PATH or same_name_and_size(file, found)]
    if len(fitting) == 1:
        yield file.path, fitting[0]


def _unseen(rules: Sequence[PathRule], scenes: Sequence[Scene], proposals: Sequence[Proposal]) -> Iterator[PathRule]:
    """Yield the present rules of which the sample tells nothing, for folders that it did not meet."""
    for rule in rules:
        met = any(lies_in(file.path, rule.stash_prefix) for scene in scenes for file in scene.files)
        if not met and all(proposal.rule.stash_prefix != rule.stash_prefix for proposal in proposals):
            yield rule


def _explained(pairs: Sequence[tuple[str, str]], rules: Sequence[PathRule]) -> int:
    return sum(same_path(map_path(ours, rules), theirs) for ours, theirs in pairs)


def _ready_to_paste(proposals: Sequence[Proposal], path_map: Sequence[PathRule]) -> str:
    counts = {proposal.rule: f"{proposal.files} of the files looked at" for proposal in proposals}
    lines = [f"    {toml_string(as_text(rule)).as_string()},  # {counts.get(rule, 'as before')}" for rule in path_map]
    return "\n".join(
        ["Put this into scenesync.toml, or let `scenesync doctor --write` do it:", "path_map = [", *lines, "]"]
    )
