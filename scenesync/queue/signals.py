import threading
from collections.abc import Callable

# How long a change by another process may stay unseen; one look costs a few microseconds.
POLL_S = 0.05


class ChangeSignal:
    """Wakes those who wait for the queue to change: at once by this process, within POLL_S by another one.

    A state is what ``state()`` returned together with the number of changes made by this process, so that nothing that
    happens between a vain claim and the wait for a change is missed.
    """

    def __init__(self, read_state: Callable[[], int], has_arrivals: Callable[[], bool]) -> None:
        self._read_state = read_state
        self._has_arrivals = has_arrivals
        self._condition = threading.Condition()
        self._own_changes = 0
        self._waiting = 0
        self._seen: tuple[int, int] | None = None

    def notify(self) -> None:
        """Tell all waiting threads that this process changed the queue."""
        # Who begins to wait looks at the number after having said that it waits, so none sleeps through this; two
        # changes at once may count as one, which is a change as well.
        self._own_changes += 1
        if self._waiting:
            with self._condition:
                self._condition.notify_all()

    def current(self) -> tuple[int, int]:
        """Return the present state."""
        return self._own_changes, self._read_state()

    def nothing_found_at(self, state: tuple[int, int]) -> None:
        """Remember that there was nothing to do as of ``state``."""
        self._seen = state

    def wait(self, timeout_s: float, stop: threading.Event | None) -> bool:
        """Return True as soon as something changed, False after ``timeout_s`` or when ``stop`` is set.

        Time is counted in slices, not read from a clock, so that a frozen clock does not make this wait for ever.
        """
        seen = self._seen if self._seen is not None else self.current()
        remaining_s = timeout_s
        while True:
            if stop is not None and stop.is_set():
                return False
            if self.current() != seen or self._has_arrivals():
                self._seen = None
                return True
            if remaining_s <= 0:
                return False
            slice_s = min(POLL_S, remaining_s)
            with self._condition:
                self._waiting += 1
                if self._own_changes == seen[0]:
                    self._condition.wait(slice_s)
                self._waiting -= 1
            remaining_s -= slice_s
