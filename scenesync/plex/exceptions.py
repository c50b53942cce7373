"""What can go wrong with Plex, by meaning; ``http_errors`` says which answer means what."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from scenesync.domain.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping


class PlexTransientError(TransientError):
    """A failure of a request to Plex that may pass; ``status`` is the HTTP status if there was an answer."""

    def __init__(self, message: str = "", *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PlexServerDown(PlexTransientError):
    """Plex is unreachable or starting up: nothing is wrong with the job, it waits."""


class PlexTemporaryError(PlexTransientError):
    """Plex answered, but not usefully; ``retry_after_s`` is what it asked for (429), if it did."""

    def __init__(self, message: str = "", *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after_s = retry_after_s


class PlexBusy(PlexTransientError):
    """A write failed while reads are fine; it may have been applied, so read before trying again."""


class PlexNotFound(PlexTransientError):
    """Plex does not know the file yet, maybe because it has not scanned it.

    ``facts`` holds the matcher's answer as JSON-able facts: what was looked at, and why it was refused.
    """

    def __init__(
        self, message: str = "", *, status: int | None = None, facts: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, status=status)
        self.facts = facts or {}


class PlexUnauthorized(PlexTransientError):
    """Plex refused the token; work pauses until the settings change."""


class PlexPermanentError(PermanentError):
    """Plex refuses this request for good (400, 403); ``status`` as above."""

    def __init__(self, message: str = "", *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


PlexError: TypeAlias = PlexTransientError | PlexPermanentError
"""Any failure of a request to Plex."""
