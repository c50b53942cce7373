"""A way to tell people something, whatever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scenesync.domain.news import Message


class NotTold(Exception):
    """A message did not arrive. The text names no address, since addresses are secrets here.

    ``for_good``: it would not arrive at another try either. ``wait_s``: how long the other side asked to be left alone.
    """

    def __init__(self, reason: str, *, for_good: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.for_good = for_good
        self.wait_s = wait_s


class Way(Protocol):
    """A way. ``key`` tells it from others without giving its address away, ``name`` is for people."""

    @property
    def key(self) -> str:
        """What tells it from others."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def tell(self, message: Message, message_id: str) -> None:
        """Send a message and return when it has arrived. Raises NotTold."""
        ...
