"""A route: one Stash carried to one Plex, with settings, queue and state of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Final, Self

from pydantic import PrivateAttr
from pydantic_settings import BaseSettings, SettingsConfigDict

STASH: Final = "stash"
PLEX: Final = "plex"
SERVER_KINDS: Final = (STASH, PLEX)
"""What there are tables of."""


@dataclass(frozen=True, slots=True)
class ElderPlace:
    """A route of a Stash that stands earlier in the file and leads to the same Plex: an item that it shows is its."""

    stash: str
    data_dir: Path
    database_schema: str


@dataclass(frozen=True, slots=True)
class RoutePlace:
    """What a route is called and where it stands among the others."""

    name: str
    stash: str
    plex: str
    installation_dir: Path
    """The data directory as the settings name it, whichever route keeps its own state there."""
    server: str = ""
    """What jobs are marked with: the name of their Stash, "" for the first one's."""
    elders: tuple[ElderPlace, ...] = ()
    has_stash_table: bool = False
    """The file says where the Stash is, whichever Stash started us."""


class PlacedSettings(BaseSettings):
    """Part of ``Settings``: whose they are."""

    # Only the whole is ever made: building validators for each part too would be felt at the start of every command.
    model_config = SettingsConfigDict(defer_build=True)

    _place: RoutePlace | None = PrivateAttr(default=None)
    _is_of_all: bool = PrivateAttr(default=False)

    @property
    def place(self) -> RoutePlace | None:
        """Where the route stands whose settings these are; None where there is one Stash and one Plex."""
        return self._place

    @property
    def is_of_all(self) -> bool:
        """Whether they are for what concerns all routes: then they do not say whose state lies in ``data_dir``."""
        return self._is_of_all

    def of_all(self) -> Self:
        """Return these settings for what concerns all routes."""
        shared = self.model_copy()
        shared._is_of_all = True  # noqa: SLF001 - our own kind
        return shared

    def at(self, place: RoutePlace, **own: object) -> Self:
        """Return these settings for a route, with what it has of its own: where queue and state lie, say."""
        placed = self.model_copy(update=own)
        placed._place = place  # noqa: SLF001 - our own kind
        return placed


def route_name(stash: str, plex: str) -> str:
    """Return what the route between two servers is called."""
    return f"{stash}-{plex}"


def server_in(route: str, kind: str) -> str:
    """Return the name of the server of a kind in that of a route; names have no hyphen."""
    stash, _, plex = route.partition("-")
    return stash if kind == STASH else plex
