"""What speaks for and against a Plex file being the file of a scene: name, folder, size and duration. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scenesync.domain.paths import file_name, ignores_case, segments, without_case

if TYPE_CHECKING:
    from scenesync.domain.matching import IndexedFile
    from scenesync.domain.scene import SceneFile

DURATION_TOLERANCE_S: Final = 1.0
_SUFFIX_SEGMENTS: Final = 2


class Why(StrEnum):
    """Why a Plex file of the same name is not taken for the scene's."""

    OTHER_CASE = "other_case"
    OTHER_SIZE = "other_size"
    OTHER_DURATION = "other_duration"
    NAME_ONLY = "name_only"
    WEAKER = "weaker"
    OTHER_SCENE = "other_scene"
    OTHER_PIN = "other_pin"


def same_suffix(file: SceneFile, candidate: IndexedFile) -> bool:
    """Say whether the last two segments and the size are equal."""
    ours, theirs = segments(file.path)[-_SUFFIX_SEGMENTS:], segments(candidate.path)[-_SUFFIX_SEGMENTS:]
    if _case_is_nothing(file, candidate):
        ours, theirs = tuple(map(without_case, ours)), tuple(map(without_case, theirs))
    return len(ours) == _SUFFIX_SEGMENTS and ours == theirs and same_size(file, candidate)


def same_name_and_size(file: SceneFile, candidate: IndexedFile) -> bool:
    """Say whether file name and size are equal."""
    return same_name(file, candidate) and same_size(file, candidate)


def same_name_and_duration(file: SceneFile, candidate: IndexedFile) -> bool:
    """Say whether the names are equal and the durations nearly so, with no size that speaks against it."""
    if not file.duration_s or not candidate.duration_ms or differ_in_size(file, candidate):
        return False
    return same_name(file, candidate) and not differ_in_duration(file, candidate)


def same_name(file: SceneFile, candidate: IndexedFile) -> bool:
    """Say whether the file names are equal; in any case of letters where one of the systems ignores that."""
    ours, theirs = file_name(file.path), file_name(candidate.path)
    return ours == theirs or (_case_is_nothing(file, candidate) and without_case(ours) == without_case(theirs))


def same_size(file: SceneFile, candidate: IndexedFile) -> bool:
    """Say whether both sizes are known and equal; an empty file is like any other empty file."""
    return bool(file.size_bytes) and file.size_bytes == candidate.size_bytes


def differ_in_size(file: SceneFile, candidate: IndexedFile) -> bool:
    """Say whether both sizes are known and differ."""
    return bool(file.size_bytes and candidate.size_bytes) and file.size_bytes != candidate.size_bytes


def differ_in_duration(file: SceneFile, candidate: IndexedFile) -> bool:
    """Say whether both durations are known and differ."""
    if not file.duration_s or not candidate.duration_ms:
        return False
    return abs(file.duration_s - candidate.duration_ms / 1000) > DURATION_TOLERANCE_S


def difference(file: SceneFile, candidate: IndexedFile) -> tuple[Why, str]:
    """Return what speaks against the candidate, the most telling fact first; the text follows the candidate's path."""
    if not same_name(file, candidate):
        return Why.OTHER_CASE, "its name has other capitals, and that system tells them apart"
    if differ_in_size(file, candidate):
        return Why.OTHER_SIZE, f"it has {candidate.size_bytes} bytes, the scene's file {file.size_bytes}"
    if differ_in_duration(file, candidate):
        lasts = (candidate.duration_ms or 0) / 1000
        return Why.OTHER_DURATION, f"it lasts {lasts:.1f} s, the scene's file {file.duration_s:.1f} s"
    return Why.NAME_ONLY, "only its name is the same: size and duration are not known on both sides"


def _case_is_nothing(file: SceneFile, candidate: IndexedFile) -> bool:
    return ignores_case(file.path) or ignores_case(candidate.path)
