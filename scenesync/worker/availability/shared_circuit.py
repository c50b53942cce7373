"""A circuit's state shared by all processes of an installation, kept over restarts, and at hand without them.

Asking costs next to nothing: the store is looked at only now and then. A store that cannot be written stops nobody: the
state is then kept in memory, and brought back once the store can be written again.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.circuit import Circuit
from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.2
"""How old a state may be: what another process does is seen after this time."""
TRY_STORE_AGAIN_AFTER_S: Final = 5.0
"""A store that could not be used may have kept us waiting for ten seconds; not so at every call."""


class StoredCircuit(Protocol):
    """A circuit in the store. Both methods may raise StoreError."""

    @property
    def service(self) -> str:
        """Whose circuit it is."""
        ...

    def read(self) -> Circuit:
        """Return the state."""
        ...

    def update(self, change: Callable[[Circuit], Circuit]) -> Circuit:
        """Replace the state by ``change(state)``, atomically for all processes, and return it."""
        ...


class SharedCircuit:
    """The keeper (``circuit_breaker.CircuitKeeper``) of a circuit that processes share. Thread-safe.

    No lock is held while the store is asked: the thread that holds the store's writer may be the next to ask here.
    """

    def __init__(self, stored: StoredCircuit) -> None:
        self._stored = stored
        self._lock = threading.Lock()
        self._known = Circuit()
        self._looked_at = 0.0
        self._try_again_at: float | None = None
        self._look()

    def read(self) -> Circuit:
        """Return the state as it was at most LOOK_EVERY_S ago."""
        now = time.monotonic()
        with self._lock:
            if 0 <= now - self._looked_at < LOOK_EVERY_S:
                return self._known
            self._looked_at = now  # one thread looks; the others go on with what is known
        return self._look()

    def update(self, change: Callable[[Circuit], Circuit]) -> Circuit:
        """Replace the state, in the store if that is possible."""
        if self._may_try_store():
            try:
                return self._adopt(self._stored.update(lambda stored: change(self._later(stored))), written=True)
            except StoreError as error:
                self._lose_store(error)
        with self._lock:
            new = change(self._known)
            if new != self._known:
                self._known = replace(new, revision=self._known.revision + 1)
            return self._known

    def _look(self) -> Circuit:
        if self._may_try_store():
            try:
                if self._try_again_at is None:
                    return self._adopt(self._stored.read())
                return self._adopt(self._stored.update(self._later), written=True)
            except StoreError as error:
                self._lose_store(error)
        with self._lock:
            return self._known

    def _later(self, stored: Circuit) -> Circuit:
        """Return what counts: the stored state, or ours if it went on while the store could not be written."""
        with self._lock:
            adrift = self._try_again_at is not None and self._known.revision > stored.revision
            return self._known if adrift else stored

    def _adopt(self, circuit: Circuit, *, written: bool = False) -> Circuit:
        with self._lock:
            self._looked_at = time.monotonic()
            if circuit.revision >= self._known.revision:  # else another thread has seen a later one
                self._known = circuit
            back = written and self._try_again_at is not None and circuit.revision >= self._known.revision
            if back:
                self._try_again_at = None
            known = self._known
        if back:
            log.info("the circuit of %s is kept in the store again", self._stored.service)
        return known

    def _may_try_store(self) -> bool:
        with self._lock:
            return self._try_again_at is None or time.monotonic() >= self._try_again_at

    def _lose_store(self, error: StoreError) -> None:
        with self._lock:
            first = self._try_again_at is None
            self._try_again_at = time.monotonic() + TRY_STORE_AGAIN_AFTER_S
        if first:
            log.warning("the circuit of %s is kept in memory only: %s", self._stored.service, error)
