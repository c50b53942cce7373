"""What keeps queue and state on PostgreSQL, if it is installed: most installations have no use for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

from scenesync.app.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.app.distributed.moved import Moved
    from scenesync.app.distributed.standing import DatabaseStanding
    from scenesync.app.settings import Settings
    from scenesync.queue.port import Queue, QueueView
    from scenesync.queue.records import QueueSnapshot
    from scenesync.store.database import Database

Answer = TypeVar("Answer")

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

    def look_into_queue(
        self, url: str, schema_name: str, outbox: str, question: Callable[[QueueView], Answer]
    ) -> Answer:
        """Answer a question about the queue."""
        ...

    def read_figures(self, url: str, schema_name: str, outbox: str) -> QueueSnapshot:
        """Return the queue in figures."""
        ...

    def read_fleet(self, url: str, schema_name: str) -> tuple[int, str | None]:
        """Return how many workers live, and who is elected."""
        ...

    def standing(self, url: str, schema_name: str) -> DatabaseStanding:
        """Return how the database stands."""
        ...

    def upgrade(self, url: str, schema_name: str) -> Sequence[str]:
        """Make or upgrade all that lies there; return the steps that ran."""
        ...

    def move_into_database(self, settings: Settings, url: str, *, replace: bool) -> Moved:
        """Move an installation from its data directory into a database."""
        ...

    def move_into_directory(self, settings: Settings, url: str) -> Moved:
        """Make the data directory anew from a database."""
        ...

    def open_state(self, url: str, schema_name: str, *, read_only: bool) -> Database | None:
        """Open the state."""
        ...


def shared_address(settings: Settings) -> tuple[str, str] | None:
    """Return address and schema of the database that keeps queue and state, None where the data directory does."""
    url = settings.database_url
    return None if url is None else (url.get_secret_value(), settings.database_schema)


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
