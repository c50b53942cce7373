"""The errors that an attempt can end with.

    Exception
    ├── TransientError            trying again later may help
    │   ├── StashUnavailable      Stash does not answer: wait
    │   ├── LeaseLost             another process owns the job now
    │   ├── AttemptCut            a stop, or Plex moved on meanwhile: the job goes back as it was
    │   ├── ImageUnusable         Stash's picture is none, or not whole: it may still be in the making
    │   └── plex.exceptions: PlexServerDown, PlexTemporaryError, PlexBusy, PlexNotFound, PlexUnauthorized
    └── PermanentError            trying again without a change is useless
        ├── AmbiguousMatch        several Plex items fit: never guess
        ├── EditIgnored           Plex answered 200 and shows something else
        ├── SceneGone             deleted in Stash
        ├── SceneSkipped          nothing to do for this scene, with the reason
        ├── StashRefused          Stash answered, with an error
        │   └── StashUnauthorized the API key was refused: wait for a person
        ├── ImageTooLarge         Plex would not take the picture
        ├── LibraryNotFound       a library named in the settings does not exist: wait for a person
        └── plex.exceptions: PlexPermanentError

What each of them means for the job is the table in ``worker.error_rules``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TransientError(Exception):
    """The attempt failed for a reason that may pass."""


class PermanentError(Exception):
    """The attempt failed for a reason that stays until somebody changes something."""


class StashUnavailable(TransientError):
    """Stash cannot be reached, is migrating or did not answer in time; jobs wait for it."""


class ImageUnusable(TransientError):
    """What Stash gives for a picture is none, or cannot be decoded; Stash may still be making it."""


class StashRefused(PermanentError):
    """Stash understood the request and answered with an error."""


class StashUnauthorized(StashRefused):
    """Stash refused the API key or session; work waits until the settings change."""


class ImageTooLarge(PermanentError):
    """A picture is larger than Plex takes."""


class LibraryNotFound(PermanentError):
    """A library named in the settings does not exist on the Plex server."""

    def __init__(self, name: str, *, existing: Sequence[str] = ()) -> None:
        super().__init__(
            f"Plex has no movie library called {name!r}. It has: {', '.join(existing) or 'none'}. "
            "Set plex_libraries to one of these (SCENESYNC_PLEX_LIBRARIES in the environment)."
        )


class SceneGone(PermanentError):
    """The scene no longer exists in Stash."""


class SceneSkipped(PermanentError):
    """The scene does not take part; the message says why, ``reason`` in one word (``domain.participation``)."""

    def __init__(self, message: str = "", *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class AmbiguousMatch(PermanentError):
    """Several Plex items fit the scene, and Plex is never edited on a guess.

    ``candidates`` holds their rating keys, ``scene_ids`` all scenes concerned where several claim one item, ``facts``
    the matcher's answer as JSON-able facts. ``advice`` replaces the general advice where there is better one.
    """

    def __init__(
        self,
        message: str,
        *,
        candidates: Sequence[str] = (),
        scene_ids: Sequence[int] = (),
        facts: Mapping[str, object] | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)
        self.scene_ids = tuple(scene_ids)
        self.facts = facts or {}
        self.advice = advice


class EditIgnored(PermanentError):
    """Plex accepted an edit, but reading back shows that it did not take; ``fields`` names what did not."""

    def __init__(self, message: str, *, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class AttemptCut(TransientError):
    """The attempt ended before it was decided (a stop, or Plex moved on under it); the job goes back as it was."""


def told(error: BaseException) -> str:
    """Return an error's message with the notes that were added to it on its way."""
    return " ".join((str(error), *getattr(error, "__notes__", ()))).strip()


class LeaseLost(TransientError):
    """The job was taken over by another process; whatever this one still wanted to do with it is refused."""


class NeedsPerson(Exception):
    """Work cannot go on until somebody changes the settings; ``cause`` is what Plex or Stash said."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause
