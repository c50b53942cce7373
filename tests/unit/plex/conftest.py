from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from plex_stub import PlexStub

from scenesync.plex.client import PlexClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "t0ken-not-to-be-seen"


@pytest.fixture
def stub() -> Iterator[PlexStub]:
    server = PlexStub()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tls_stub() -> Iterator[PlexStub]:
    server = PlexStub(tls=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Callable[..., PlexClient]:
    """Return a maker of clients that are closed after the test."""

    def make(url: str, **options: Any) -> PlexClient:
        settings = {"token": TOKEN, "client_identifier": "client-1", "version": "0.1.0", **options}
        client = PlexClient.connect(url, **settings)
        request.addfinalizer(client.close)
        return client

    return make


@pytest.fixture
def client(stub: PlexStub, connect: Callable[..., PlexClient]) -> PlexClient:
    return connect(stub.url, read_timeout_s=5.0, identity_timeout_s=1.0)
