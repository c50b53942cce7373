"""HTTP connections that end when the other side neither says nor takes anything: uvicorn waits for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

HEAD_WITHIN_S: Final = 10.0
TAKEN_WITHIN_S: Final = 20.0


class PatientProtocol(H11Protocol):
    """One connection. A head must be whole so many seconds after it began, and what is sent must be taken by and by."""

    head_within_s = HEAD_WITHIN_S
    taken_within_s = TAKEN_WITHIN_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._head = _Deadline(self)
        self._taken = _Deadline(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._head.begin(self.head_within_s, transport.close)

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest of a head if it is not whole."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._head.begin(self.head_within_s, self.transport.close)
        else:
            self._head.end()

    def on_response_complete(self) -> None:
        """From here on uvicorn's own time-out for idle connections counts."""
        self._head.end()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Begin to wait for the other side to take what was sent. A close would wait for it, too."""
        super().pause_writing()
        self._taken.begin(self.taken_within_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Hear that it took something."""
        self._taken.end()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._head.end()
        self._taken.end()
        super().connection_lost(exc)


class _Deadline:
    """One thing that is waited for; beginning again does not prolong it."""

    def __init__(self, connection: H11Protocol) -> None:
        self._connection = connection
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float, give_up: Callable[[], None]) -> None:
        """Call ``give_up`` after so long."""
        if self._timer is None:
            self._timer = self._connection.loop.call_later(seconds, give_up)

    def end(self) -> None:
        """Wait no more: it came in time, or does not matter."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
