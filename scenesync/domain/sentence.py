"""How things stand, in one sentence: the most important thing first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.domain.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def sentence(
    *,
    pending: int,
    due: int,
    in_progress: int,
    dead_letters: int,
    stopped_runs: int,
    down: Sequence[str],
    paused: str,
    waiting_by_error: Mapping[str, int],
) -> str:
    """Return the sentence; ``down`` names the servers that cannot be reached, ``paused`` is why a person is needed."""
    if paused:
        return f"Work waits for you. {paused}"
    if down:
        return _of_outage(down, pending + in_progress)
    if stopped_runs:
        return f"{counted(stopped_runs, 'run')} stopped before changing too much: decide what becomes of it."
    if in_progress or due:
        return f"{counted(in_progress + due, 'scene')} to go until Plex shows what Stash knows."
    return _of_quiet(pending, dead_letters, waiting_by_error.get("PlexNotFound", 0))


def _of_outage(down: Sequence[str], waiting: int) -> str:
    names = " and ".join(name.capitalize() for name in down)
    if not waiting:
        return f"{names} cannot be reached; nothing waits."
    return f"{names} cannot be reached: {counted(waiting, 'change')} {_verb(waiting)}, and none is lost."


def _of_quiet(pending: int, dead_letters: int, not_found: int) -> str:
    needs = "needs" if dead_letters == 1 else "need"
    given_up = f"; {counted(dead_letters, 'scene')} could not be synced and {needs} a look" if dead_letters else ""
    if pending:
        why = (
            f"for Plex to scan {'its file' if pending == 1 else 'their files'}"
            if not_found == pending
            else "to be tried again"
        )
        return f"{counted(pending, 'scene')} {_verb(pending)} {why}{given_up}."
    return f"Nothing waits{given_up}." if given_up else "Nothing waits: Plex shows every change that came from Stash."


def _verb(number: int) -> str:
    return "waits" if number == 1 else "wait"
