"""What a comparison of both libraries found, as people read it: on the terminal and in Stash's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.app.wording.counting import counted
from scenesync.domain.gaps import GapKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.domain.gaps import Gap
    from scenesync.reconciliation.findings import Findings

MEANING: Final = {
    GapKind.MISSING: "Plex has no item for it",
    GapKind.DRIFTED: "Plex no longer shows what was written",
    GapKind.EMPTY: "Plex shows nothing where Stash has something",
    GapKind.STALE: "Plex shows something else than Stash has by now",
}


def summary(found: Findings) -> Iterator[str]:
    """Yield lines that say what was found besides the gaps themselves."""
    yield f"{counted(found.scenes, 'scene')} compared: {found.right} as they should be, {found.total} with a gap."
    if found.left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))
        yield f"Left alone: {reasons}."
    if found.undecided:
        yield f"{counted(found.undecided, 'scene')} a person has to decide about (scenesync coverage)."
    if found.not_ready:
        yield f"{counted(found.not_ready, 'scene')} with nothing to show yet, which must not blank what Plex has."
    if found.to_look_at:
        yield f"{counted(found.to_look_at, 'scene')} to be read once more, since only that tells about pictures."


def example(gap: Gap) -> str:
    """Return one scene with a gap, and the fields that differ."""
    what = f"scene {gap.scene_id} {gap.title}"
    return f"{what} ({', '.join(gap.fields)})" if gap.fields else what
