"""Scenes that are left alone since they were undone: list them, let them be synced again. No server is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.app.data_directory import database_file
from scenesync.app.opening import look_into_state, open_state
from scenesync.store.holds import list_held, release_held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.settings import Settings
    from scenesync.domain.holds import Hold


def release_holds(settings: Settings, scene_ids: Sequence[int] | None, *, repairs: bool = False) -> int:
    """Let these scenes be synced again, None: all of them; return how many were held.

    ``repairs`` as for ``open_installation``. Raises StoreError.
    """
    if settings.database_url is None and not database_file(settings.data_dir).exists():
        return 0
    with open_state(settings, repairs=repairs) as database:
        return release_held(database, scene_ids)


def held_scenes(settings: Settings) -> Sequence[Hold]:
    """Return the holds, in the order of the scenes' ids; none without a database of this version."""
    return look_into_state(settings, list_held, otherwise=())
