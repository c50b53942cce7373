"""What keeps queue and state on PostgreSQL, if it is installed: most installations have no use for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

from scenesync.app.settings import SettingsError

if TYPE_CHECKING:
    from scenesync.queue.port import Queue
    from scenesync.store.database import Database

_EXTRA: Final = frozenset({"procrastinate", "psycopg", "psycopg_pool"})
NOT_INSTALLED: Final = (
    "database_url is set, but what talks to PostgreSQL is not installed. Install SceneSync with its extra: "
    "pip install 'scenesync[postgres]' (docs/INSTALLING.md), or unset database_url."
)


class Engines(Protocol):
    """``app.distributed.engines``."""

    def open_queue(self, url: str, schema_name: str, *, takes_over: bool) -> Queue:
        """Open the queue."""
        ...

    def open_state(self, url: str, schema_name: str, *, read_only: bool) -> Database | None:
        """Open the state."""
        ...


def engines() -> Engines:
    """Return what opens queue and state there; raises SettingsError that says how to install it."""
    try:
        module = import_module("scenesync.app.distributed.engines")
    except ImportError as error:
        # psycopg itself raises a plain ImportError where no libpq is found.
        if (error.name or "psycopg").partition(".")[0] in _EXTRA:
            raise SettingsError([NOT_INSTALLED]) from error
        raise
    return cast("Engines", module)
