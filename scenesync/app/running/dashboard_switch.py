"""Dashboard and API when the settings want them; without them nothing of theirs is even imported."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.app.clients import NOBODY, RequestListeners

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.app.installation import Installation
    from scenesync.app.running.background import Routine
    from scenesync.app.settings import LoadedSettings
    from scenesync.domain.outcome import Attempt
    from scenesync.worker.availability.plex_connection import PlexSession

SERVING: Final = "scenesync.app.dashboard.serving"
"""Named, not imported: with its framework it takes as long as everything else together, and most commands need none."""


class Dashboard(Protocol):
    """What people look at while the daemon works; it hears of everything, and nothing waits for it."""

    @property
    def listeners(self) -> RequestListeners:
        """Who wants to hear of every request."""
        ...

    def attempt(self, made: Attempt) -> None:
        """Hear of an attempt."""
        ...

    def turn(self) -> None:
        """Hear that the loop went round."""
        ...

    def serve(self, loaded: LoadedSettings) -> None:
        """Be there, as these settings say; whatever stands in the way is only logged."""
        ...

    def shows(
        self,
        installation: Installation,
        loaded: LoadedSettings,
        require_session: Callable[[], PlexSession],
        routines: Sequence[Routine],
    ) -> AbstractContextManager[None]:
        """Show a round while the block runs."""
        ...

    def close(self) -> None:
        """Be there no more."""
        ...


class DashboardWhenWanted:
    """A dashboard that comes and goes with the setting ``http_enabled``. Implements ``Dashboard``."""

    def __init__(self) -> None:
        self._inner: Dashboard | None = None

    @property
    def listeners(self) -> RequestListeners:
        """Who wants to hear of every request."""
        return NOBODY if self._inner is None else self._inner.listeners

    def attempt(self, made: Attempt) -> None:
        """Hear of an attempt."""
        if self._inner is not None:
            self._inner.attempt(made)

    def turn(self) -> None:
        """Hear that the loop went round."""
        if self._inner is not None:
            self._inner.turn()

    def serve(self, loaded: LoadedSettings) -> None:
        """Be there if these settings want it."""
        if not loaded.settings.http_enabled:
            self.close()
            return
        if self._inner is None:
            self._inner = importlib.import_module(SERVING).Dashboard(loaded)
        self._inner.serve(loaded)

    def shows(
        self,
        installation: Installation,
        loaded: LoadedSettings,
        require_session: Callable[[], PlexSession],
        routines: Sequence[Routine],
    ) -> AbstractContextManager[None]:
        """Show a round while the block runs."""
        if self._inner is None:
            return nullcontext()
        return self._inner.shows(installation, loaded, require_session, routines)

    def close(self) -> None:
        """Be there no more."""
        if self._inner is not None:
            self._inner.close()
            self._inner = None
