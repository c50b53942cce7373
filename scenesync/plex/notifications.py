"""Plex's notification websocket: one connection at a time, opened here and read from until it ends.

Everything that goes wrong becomes an error of ``plex.exceptions`` here; to try again is the listener's part. The token
travels in a header, never in the address.
"""

from __future__ import annotations

import http.client
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from websockets.exceptions import ConnectionClosed, InvalidStatus

from scenesync.domain.certificates import cure
from scenesync.network.websocket import UNOPENED, KeepAlive, open_websocket, why_closed
from scenesync.plex.announcements import announcements
from scenesync.plex.exceptions import PlexServerDown, PlexTemporaryError, PlexUnauthorized

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from websockets.sync.client import ClientConnection

    from scenesync.plex.announcements import Announcement
    from scenesync.plex.exceptions import PlexError

_PATH: Final = "/:/websockets/notifications?filters=timeline%2Cactivity"
_LONGEST_MESSAGE_BYTES: Final = 4 * 1024 * 1024
_MESSAGES_AHEAD: Final = 1024
"""One new film is some 150 messages (facts/plex.md 6.2); Plex should not have to wait while they are sorted."""
_REDIRECTED: Final = range(http.client.MULTIPLE_CHOICES, http.client.BAD_REQUEST)


class NotificationStream:
    """An open websocket."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket

    def next(self, timeout_s: float) -> tuple[Announcement, ...]:
        """Return what the next message announces, nothing if none came in time. Raises PlexServerDown at the end."""
        try:
            return announcements(self._websocket.recv(timeout=timeout_s))
        except TimeoutError:
            return ()
        except ConnectionClosed as error:
            raise PlexServerDown(f"Plex's notifications ended: {why_closed(error)}") from error


class PlexNotifications:
    """Opens the notification websocket of the Plex server at ``url``.

    ``headers`` are those of every request, the token among them; ``tls`` is needed for https. No proxy of the
    environment is used and no redirect to another server followed: the token is for this one alone.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None = None,
        connect_timeout_s: float = 5.0,
        keep_alive: KeepAlive | None = None,
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._keep_alive = keep_alive or KeepAlive()

    @contextmanager
    def open(self) -> Iterator[NotificationStream]:
        """Open the websocket for the block. Raises PlexServerDown, PlexUnauthorized, PlexTemporaryError."""
        with self._connected() as websocket:
            yield NotificationStream(websocket)

    def _connected(self) -> ClientConnection:
        try:
            return open_websocket(
                self._url,
                _PATH,
                headers=self._headers,
                tls=self._tls,
                connect_timeout_s=self._connect_timeout_s,
                ping_interval=self._keep_alive.every_s,
                ping_timeout=self._keep_alive.answer_within_s,
                max_size=_LONGEST_MESSAGE_BYTES,
                max_queue=_MESSAGES_AHEAD,
            )
        except UNOPENED as error:
            raise _meaning(error) from error


def _meaning(error: Exception) -> PlexError:
    """Say what a websocket that does not open means: by class and status, never by text."""
    what = "Plex's notifications"
    match error:
        case InvalidStatus():
            return _refusal(error.response.status_code)
        case ssl.SSLCertVerificationError():
            return PlexServerDown(f"{what}: {error.verify_message}; {cure('plex', error.verify_code)}")
        case ssl.SSLError():
            return PlexServerDown(f"{what}: no TLS connection; {cure('plex', None)}")
        case TimeoutError():
            return PlexServerDown(f"{what}: no answer in time")
        case OSError():
            return PlexServerDown(f"{what}: cannot be reached ({error.strerror or type(error).__name__})")
        case _:
            return PlexTemporaryError(f"{what}: what answers speaks no websocket; does a proxy in front pass them on?")


def _refusal(status: int) -> PlexError:
    words = f"Plex's notifications: answered {status}"
    if status == http.client.UNAUTHORIZED:
        return PlexUnauthorized(f"{words}: check plex_token", status=status)
    if status in _REDIRECTED:
        return PlexTemporaryError(f"{words}: set plex_url to the address behind the redirect", status=status)
    if status in {http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE, http.client.GATEWAY_TIMEOUT}:
        return PlexServerDown(words, status=status)
    return PlexTemporaryError(f"{words}: does a proxy in front of Plex pass websockets on?", status=status)
