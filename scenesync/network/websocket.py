"""Open a websocket to one server and to no other: no redirect is followed, no proxy used, and nothing is logged."""

from __future__ import annotations

import logging
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

from scenesync.network.tls_socket import TlsWrapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from websockets.sync.client import ClientConnection

UNOPENED = (OSError, WebSocketException, ValueError)
"""What ``open_websocket`` raises."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """How a dead connection is noticed: a ping after ``every_s`` seconds, answered within ``answer_within_s``."""

    every_s: float = 20.0
    answer_within_s: float = 20.0


def open_websocket(
    url: str,
    path: str,
    *,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None,
    connect_timeout_s: float,
    **options: Any,  # noqa: ANN401 - the library's own
) -> ClientConnection:
    """Open the websocket at ``path`` below the http or https address ``url``; secrets travel in ``headers``.

    Raises ``UNOPENED``: InvalidStatus for any answer that opens none, a redirect among them.
    """
    try:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if is_secure else 80)
        # A socket of our own: the library would follow a redirect to anywhere with one that it makes itself.
        raw = socket.create_connection((host, port), timeout=connect_timeout_s)
        raw.settimeout(None)
        scheme, prefix = "wss" if is_secure else "ws", parts.path.rstrip("/")
        opened: ClientConnection = connect(
            urlunsplit((scheme, parts.netloc, prefix, "", "")) + path,
            sock=raw,
            ssl=_believing(tls) if is_secure else None,
            server_hostname=host if is_secure else None,
            additional_headers=dict(headers),
            user_agent_header=None,
            compression=None,
            proxy=None,
            open_timeout=connect_timeout_s,
            close_timeout=1.0,
            logger=_silent(),
            **options,
        )
    except UNOPENED as error:
        # A redirect is refused with an error of its own, made of the answer that asked for it.
        cause = error.__cause__ or error.__context__
        if isinstance(cause, InvalidStatus):
            raise cause from error
        raise
    else:
        return opened


def _believing(tls: ssl.SSLContext | None) -> ssl.SSLContext:
    """Return what makes a TLS socket that threads may share, in the guise of what the library takes."""
    return cast("ssl.SSLContext", TlsWrapping(tls or ssl.create_default_context()))


def why_closed(error: Exception) -> str:
    """Say how a websocket ended."""
    close = (error.rcvd or error.sent) if isinstance(error, ConnectionClosed) else None
    return f"closed with {close.code}" if close is not None else "the connection broke"


def _silent() -> logging.Logger:
    """Return a logger that says nothing: the library would write tokens and keys to a debug log."""
    logger = logging.Logger("websockets")  # noqa: LOG001 - outside the tree, where no configuration reaches it
    logger.disabled = True
    return logger
