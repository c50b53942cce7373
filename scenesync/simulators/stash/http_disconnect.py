"""An HTTP server whose requests end with their clients, as the context of a Go request does."""

from __future__ import annotations

from scenesync.simulators.http_server import HttpServer, _Connection


class DisconnectingServer(HttpServer):
    """Cancels the task of a request as soon as its client has closed the connection."""

    def _connect(self) -> _Connection:
        return _WatchedConnection(self._answer, self._connections, self._clock)


class _WatchedConnection(_Connection):
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._in_hand is not None:
            self._in_hand.cancel()
