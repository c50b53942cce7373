from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stash_stub import StubStash

from scenesync.stash.client import StashClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stub() -> Iterator[StubStash]:
    server = StubStash()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def tls_stub(tmp_path: Path) -> Iterator[StubStash]:
    server = StubStash(tls_folder=tmp_path)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def client(stub: StubStash) -> Iterator[StashClient]:
    with StashClient(stub.url, connect_timeout_s=2, read_timeout_s=5) as connected:
        yield connected
