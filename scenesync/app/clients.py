"""Make the clients of both servers from the settings."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.app.settings import SettingsError, require_plex
from scenesync.app.version import VERSION
from scenesync.network.tls import tls_context
from scenesync.plex.client import PlexClient
from scenesync.plex.http import identity_headers
from scenesync.plex.notifications import PlexNotifications
from scenesync.stash.client import StashClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scenesync.app.settings import Settings
    from scenesync.network.websocket import KeepAlive
    from scenesync.plex.exchange import RequestRecord as PlexRequest
    from scenesync.stash.transport import RequestRecord as StashRequest
    from scenesync.store.memory import Memory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestListeners:
    """Who hears of every request to either server, in the thread that made it."""

    plex: Callable[[PlexRequest], None] | None = None
    stash: Callable[[StashRequest], None] | None = None


NOBODY: Final = RequestListeners()

BESIDE_THE_WORKERS: Final = 7
"""Who else may ask at the same time: the threads of the loop, of proofs, of fan-outs, of the poll, of what Plex
announced, of scans, and after damage."""


def stash_client(settings: Settings, *, on_request: Callable[[StashRequest], None] | None = None) -> StashClient:
    """Return a client for the Stash of the settings. Raises SettingsError if they cannot be used."""
    key = settings.stash_api_key
    if not settings.stash_verify_tls and settings.stash_url.lower().startswith("https"):
        log.warning("stash_verify_tls is off: anybody on the way to Stash can read the API key")
    return _stash_at(settings, settings.stash_url, key.get_secret_value() if key else None, on_request)


def keep_schema(client: StashClient, memory: Memory) -> None:
    """Let the client ask what its Stash knows, once for each version, and fit its questions to that."""

    def fact(version: str) -> str:
        return f"schema of {client.base_url} {version}"

    client.keep_schema(
        lambda version: memory.recall(fact(version)), lambda version, text: memory.note(fact(version), text)
    )


def open_stash_client(settings: Settings, url: str) -> StashClient:
    """Return a client that asks Stash as Plex does: without any key."""
    return _stash_at(settings, url, None)


def _stash_at(
    settings: Settings, url: str, api_key: str | None, on_request: Callable[[StashRequest], None] | None = None
) -> StashClient:
    with _refused_as_settings():
        return StashClient(
            url,
            api_key=api_key,
            connect_timeout_s=settings.connect_timeout,
            read_timeout_s=settings.read_timeout,
            max_connections=settings.workers + BESIDE_THE_WORKERS,
            verify_tls=settings.stash_verify_tls,
            ca_file=None if settings.stash_ca_file is None else str(settings.stash_ca_file),
            on_request=on_request,
        )


def plex_client(
    settings: Settings, client_identifier: str, *, on_request: Callable[[PlexRequest], None] | None = None
) -> PlexClient:
    """Return a client for the Plex of the settings. Raises SettingsError if address or token cannot be used."""
    connection = require_plex(settings)
    with _refused_as_settings():
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
            on_request=on_request,
        )


def plex_notifications(
    settings: Settings, client_identifier: str, keep_alive: KeepAlive | None = None
) -> PlexNotifications:
    """Return what opens the notification websocket of the same Plex, trusting the same certificates. Raises alike."""
    connection = require_plex(settings)
    with _refused_as_settings():
        return PlexNotifications(
            connection.url,
            headers=identity_headers(connection.token.get_secret_value(), client_identifier, VERSION),
            tls=tls_context(settings.plex_ca_file, verify=settings.plex_verify_tls, name="plex_ca_file"),
            connect_timeout_s=settings.connect_timeout,
            keep_alive=keep_alive,
        )


@contextmanager
def _refused_as_settings() -> Iterator[None]:
    """Turn what a client cannot be made of into an error of the settings."""
    try:
        yield
    except ValueError as error:
        raise SettingsError([str(error)]) from error
