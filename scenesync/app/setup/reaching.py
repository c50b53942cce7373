"""Try the servers that a set-up is told of. Each function asks once and raises what the clients raise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from scenesync.app.clients import plex_client, stash_client
from scenesync.app.opening import open_queue, open_state
from scenesync.app.setup.state import FoundPlex, FoundStash
from scenesync.app.version import VERSION
from scenesync.domain.errors import PermanentError, StashRefused, StashUnauthorized, StashUnavailable, TransientError
from scenesync.plex.client import PlexClient
from scenesync.plex.exceptions import PlexNotFound, PlexPermanentError, PlexServerDown, PlexTemporaryError
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.settings import Settings
    from scenesync.domain.item import ServerIdentity
    from scenesync.plex.sign_in import OfferedServer

REACHED_WITHIN_S: Final = 4.0
AT_ONCE: Final = 8
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_NOBODY: Final = "scenesync"
"""The name of who only asks which server it is: nothing is listed under it."""


def try_stash(settings: Settings) -> FoundStash:
    """Return the Stash of the settings. Raises StashUnavailable, StashUnauthorized, StashRefused, SettingsError."""
    try:
        return _found_stash(settings)
    except StashUnauthorized as error:
        # Plex refuses access as well: before a key is looked for, it should be known who refuses.
        if _identity_at(settings.stash_url, _NOBODY, settings) is None:
            raise
        raise StashRefused(f"At {settings.stash_url} there is a Plex server, not Stash.") from error


def _found_stash(settings: Settings) -> FoundStash:
    with stash_client(settings) as stash:
        version, status = stash.version(), stash.status()
        if status != "OK":  # asked first: it answers nothing else then
            raise StashUnavailable(f"Stash {version} says {status}. Open it in a browser and do what it asks for.")
        return FoundStash(stash.base_url, version or "", stash.scene_count())


def try_plex(settings: Settings, *, name: str = "") -> FoundPlex:
    """Return the Plex of the settings, whose token is accepted. Raises PlexError, SettingsError."""
    with plex_client(settings, client_identifier(settings)) as plex:
        version = _identity_of(plex, settings.plex_url or "").version
        libraries = tuple(library.title for library in plex.libraries())
    if not libraries:
        raise PlexPermanentError("This Plex has no movie library yet. Create one there that has Stash's files.")
    return FoundPlex(settings.plex_url or "", name, version, libraries)


def _identity_of(plex: PlexClient, address: str) -> ServerIdentity:
    """Return who answers. Whatever answers with something else, although Plex tells this to everybody, is not Plex."""
    try:
        return plex.identity()
    except (PlexTemporaryError, PlexNotFound, PlexPermanentError) as error:
        if error.status is None or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status in _PASSING:
            raise
        raise PlexPermanentError(
            f"What answers at {address} is not a Plex server (HTTP {error.status}).", status=error.status
        ) from error


def client_identifier(settings: Settings) -> str:
    """Return the name under which Plex lists this installation. Raises StoreError, QueueError, OSError."""
    # The queue is made first: state without a queue looks like an installation that has lost one.
    with open_queue(settings), open_state(settings) as database:
        return Memory(database).client_identifier()


def reach(server: OfferedServer, settings: Settings) -> str:
    """Return the first address, in the order of preference, at which this very server answers.

    Nobody is shown the token: at an address of somebody's home network another machine may answer, so each is asked
    who it is first, by nobody. Raises PlexServerDown if it is at none of them.
    """
    identifier = client_identifier(settings)
    addresses = server.addresses()
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reach")
    try:
        answers = pool.map(lambda address: _is_at(address, server.machine_identifier, identifier, settings), addresses)
        for address, is_there in zip(addresses, answers, strict=True):
            if is_there:
                return address
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who answers later, or never, keeps nobody waiting
    raise PlexServerDown(
        f"{server.name} does not answer at any address that plex.tv knows: {_listed(addresses)}. "
        "Is it running, and can this machine reach it? If it has another address for us, give that with its token."
    )


def _is_at(address: str, machine_identifier: str, identifier: str, settings: Settings) -> bool:
    identity = _identity_at(address, identifier, settings)
    return identity is not None and identity.machine_identifier == machine_identifier


def _identity_at(address: str, identifier: str, settings: Settings) -> ServerIdentity | None:
    """Return which Plex server answers there, None if none does in time."""
    try:
        with PlexClient.connect(
            address,
            token=None,
            client_identifier=identifier,
            version=VERSION,
            connect_timeout_s=min(REACHED_WITHIN_S, settings.connect_timeout),
            identity_timeout_s=REACHED_WITHIN_S,
            pool_size=1,
            ca_file=settings.plex_ca_file,
            verify=settings.plex_verify_tls,
        ) as plex:
            return plex.identity()
    except (TransientError, PermanentError, ValueError):
        return None


def _listed(addresses: Sequence[str]) -> str:
    return ", ".join(addresses) or "none"
