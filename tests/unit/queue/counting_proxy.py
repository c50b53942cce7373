"""A TCP proxy that counts how often a client waited for a server: each time that the direction turned."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Final, Self

_CHUNK: Final = 65_536
_LOOK_S: Final = 0.05


class CountingProxy:
    """Listens on ``port`` while it is open; ``turns`` counts the answers of all connections."""

    def __init__(self, upstream_port: int) -> None:
        self.turns = 0
        self._upstream_port = upstream_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        self._listener.settimeout(_LOOK_S)
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        asked = False
        server = socket.create_connection(("127.0.0.1", self._upstream_port))
        with client, server, selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, (client, server))
            selector.register(server, selectors.EVENT_READ, (server, client))
            while not self._ended.is_set():
                for key, _ in selector.select(_LOOK_S):
                    source, target = key.data
                    data = source.recv(_CHUNK)
                    if not data:
                        return
                    self.turns += asked and source is server
                    asked = source is client
                    target.sendall(data)
