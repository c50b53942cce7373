"""What lies between a worker and PostgreSQL: it can be cut, or swallow all that is said for a while, and heals."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine

HOST: Final = "127.0.0.1"
_AT_ONCE_BYTES: Final = 65_536


class CuttingProxy:
    """Leads from ``port`` on loopback to another port of it, between ``with`` and its end. Any thread may call it."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cutting-proxy", daemon=True)
        self._passing = asyncio.Event()
        self._is_cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_exc: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Break every connection, and each new one at once."""
        self._do(self._set(passing=True, is_cut=True))

    def fall_silent(self) -> None:
        """Keep every connection, also new ones, and let nothing through: a cable without a word."""
        self._do(self._set(passing=False, is_cut=False))

    def heal(self) -> None:
        """Let everything through again, what was held back first."""
        self._do(self._set(passing=True, is_cut=False))

    def _do(self, coroutine: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _listen(self) -> None:
        self._passing.set()
        self._server = await asyncio.start_server(self._connect, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set(self, *, passing: bool, is_cut: bool) -> None:
        self._is_cut = is_cut
        if passing:
            self._passing.set()
        else:
            self._passing.clear()
        if is_cut:
            self._abort_all()

    async def _end(self) -> None:
        self._server.close()
        await self._set(passing=True, is_cut=True)
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))

    def _abort_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if not self._is_cut:
                await self._lead(reader, writer)
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            their_reader, their_writer = await asyncio.open_connection(HOST, self._target_port)
        except OSError:
            return  # PostgreSQL is down
        self._open.add(their_writer)
        try:
            await asyncio.gather(self._pass_on(reader, their_writer), self._pass_on(their_reader, writer))
        finally:
            self._open.discard(their_writer)
            their_writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while said := await reader.read(_AT_ONCE_BYTES):
                await self._passing.wait()
                writer.write(said)
                await writer.drain()
        writer.transport.abort()  # one side has ended: so has the other
