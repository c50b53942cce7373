"""A fleet of one: where the queue is a file, whoever holds the lock of the data directory works alone."""

import threading
import uuid
from collections.abc import Callable


class Alone:
    """Implements ``domain.ports.Fleet``. Everybody else is gone."""

    def __init__(self) -> None:
        self._name = uuid.uuid4().hex
        self.is_elected = False

    def me(self) -> str:
        """Return a name made at random."""
        return self._name

    def size(self) -> int:
        """Return one."""
        return 1

    def lives(self, name: str) -> bool:
        """Say whether that is this process."""
        return name == self._name

    def somebody_else_leads(self) -> bool:
        """Return False: there is nobody."""
        return False

    def leader(self) -> None:
        """Return None: nobody need ask."""

    def stand_for_election(self, end: threading.Event, _fit: Callable[[], bool] = lambda: True, /) -> None:
        """Be elected until ``end``: nobody could do better."""
        self.is_elected = True
        try:
            end.wait()
        finally:
            self.is_elected = False
