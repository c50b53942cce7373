"""Which scenes take part: one decision for hook, poll, bulk and reconcile, with the reason for those left out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scenesync.domain.paths import lies_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scenesync.domain.scene import Scene, Studio


ELDER_STASH: Final = "a Stash that stands earlier in scenesync.toml"
"""In the sentence that says why a scene is left to another Stash; by that such scenes are counted, too."""


class Reason(StrEnum):
    """Why a scene is left out: the setting that does it, or that there is nothing to show it on."""

    NO_FILE = "no_file"
    NOT_ORGANIZED = "only_organized"
    ONLY_TAGS = "only_tags"
    SKIP_TAGS = "skip_tags"
    ONLY_STUDIOS = "only_studios"
    ONLY_PATHS = "only_paths"
    SKIP_PATHS = "skip_paths"
    OTHER_SCENE = "other_scene"
    """Another scene is pinned to the item that would show this one."""
    OTHER_STASH = "other_stash"
    """The item shows a scene of another Stash, which stands earlier in the settings."""
    HELD = "held"
    """The scene was undone, and nobody has changed it in Stash since."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """That a scene does not take part, and why; ``text`` is a sentence about the scene."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Participation:
    """The filters, as set. An empty one leaves nobody out. Names count in any case of letters."""

    only_organized: bool = False
    only_tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    only_studios: tuple[str, ...] = ()
    only_paths: tuple[str, ...] = ()
    skip_paths: tuple[str, ...] = ()

    @property
    def asks_for_tags(self) -> bool:
        """Whether a scene's tags have to be known."""
        return bool(self.only_tags or self.skip_tags)

    def left_out(self, scene: Scene) -> LeftOut | None:
        """Return why the scene does not take part, None if it does; what excludes goes before what does not include.

        A tag counts as present if the scene has it or a tag right below it; a studio likewise.
        """
        for check in (_has_no_file, _is_skipped_by_tag, _is_skipped_by_path, _is_not_chosen):
            found = check(self, scene)
            if found is not None:
                return found
        return None


EVERYBODY = Participation()


def _has_no_file(_rules: Participation, scene: Scene) -> LeftOut | None:
    if scene.files:
        return None
    return LeftOut(Reason.NO_FILE, f"Scene {scene.id} has no file, so there is nothing in Plex to show it on.")


def _is_skipped_by_tag(rules: Participation, scene: Scene) -> LeftOut | None:
    name = _first_of(rules.skip_tags, _tag_names(scene))
    return None if name is None else LeftOut(Reason.SKIP_TAGS, f"Scene {scene.id} has the tag {name} (skip_tags).")


def _is_skipped_by_path(rules: Participation, scene: Scene) -> LeftOut | None:
    if not rules.skip_paths or not all(_lies_in_any(file.path, rules.skip_paths) for file in scene.files):
        return None
    files = "The file" if len(scene.files) == 1 else "Every file"
    return LeftOut(Reason.SKIP_PATHS, f"{files} of scene {scene.id} lies in a folder of skip_paths.")


def _is_not_chosen(rules: Participation, scene: Scene) -> LeftOut | None:
    if rules.only_organized and not scene.organized:
        return LeftOut(Reason.NOT_ORGANIZED, f"Scene {scene.id} is not marked as organized (only_organized).")
    if rules.only_tags and _first_of(rules.only_tags, _tag_names(scene)) is None:
        return LeftOut(
            Reason.ONLY_TAGS, f"Scene {scene.id} has none of the tags {', '.join(rules.only_tags)} (only_tags)."
        )
    if rules.only_studios and _first_of(rules.only_studios, _studio_names(scene.studio)) is None:
        has = f"has the studio {scene.studio.name}" if scene.studio else "has no studio"
        wanted = " or ".join(rules.only_studios)
        return LeftOut(Reason.ONLY_STUDIOS, f"Scene {scene.id} {has}, not {wanted} (only_studios).")
    if rules.only_paths and not any(_lies_in_any(file.path, rules.only_paths) for file in scene.files):
        return LeftOut(Reason.ONLY_PATHS, f"No file of scene {scene.id} lies in a folder of only_paths.")
    return None


def _first_of(wanted: Sequence[str], present: Iterable[str]) -> str | None:
    if not wanted:
        return None
    known = {name.strip().casefold() for name in present}
    return next((name for name in wanted if name.strip().casefold() in known), None)


def _tag_names(scene: Scene) -> Iterator[str]:
    for tag in scene.tags:
        yield tag.name
        yield from (parent.name for parent in tag.parents)


def _studio_names(studio: Studio | None) -> Iterator[str]:
    while studio is not None:
        yield studio.name
        studio = studio.parent


def _lies_in_any(path: str, folders: Iterable[str]) -> bool:
    return any(lies_in(path, folder) for folder in folders)
