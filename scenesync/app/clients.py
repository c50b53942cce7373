"""Make the clients of both servers from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.app.settings import require_plex
from scenesync.app.version import VERSION
from scenesync.plex.client import PlexClient
from scenesync.stash.client import StashClient

if TYPE_CHECKING:
    from scenesync.app.settings import Settings


BESIDE_THE_WORKERS: Final = 5
"""Who else may ask at the same time: the threads of the loop, of proofs, of fan-outs, of the poll, and after damage."""


def stash_client(settings: Settings) -> StashClient:
    """Return a client for the Stash of the settings."""
    key = settings.stash_api_key
    return _stash_at(settings, settings.stash_url, key.get_secret_value() if key else None)


def open_stash_client(settings: Settings, url: str) -> StashClient:
    """Return a client that asks Stash as Plex does: without any key."""
    return _stash_at(settings, url, None)


def _stash_at(settings: Settings, url: str, api_key: str | None) -> StashClient:
    return StashClient(
        url,
        api_key=api_key,
        connect_timeout_s=settings.connect_timeout,
        read_timeout_s=settings.read_timeout,
        max_connections=settings.workers + BESIDE_THE_WORKERS,
    )


def plex_client(settings: Settings, client_identifier: str) -> PlexClient:
    """Return a client for the Plex of the settings. Raises SettingsError if address or token are missing."""
    connection = require_plex(settings)
    return PlexClient.connect(
        connection.url,
        token=connection.token.get_secret_value(),
        client_identifier=client_identifier,
        version=VERSION,
        connect_timeout_s=settings.connect_timeout,
        read_timeout_s=settings.read_timeout,
        pool_size=settings.workers + BESIDE_THE_WORKERS,
        ca_file=settings.plex_ca_file,
        verify=settings.plex_verify_tls,
    )
