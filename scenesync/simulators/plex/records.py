"""What the simulator remembers of its work, so that tests can assert what an operation cost and what it wrote."""

from dataclasses import dataclass

FieldValue = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as it was answered. ``status`` is 0 when the client got no complete answer."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    status: int
    at_monotonic: float
    """When it arrived."""
    kind: str
    """What it was for: see ``Kind``."""


@dataclass(frozen=True, slots=True)
class FieldWrite:
    """One field of one item in one edit that was carried out.

    ``field`` is the parameter stem (``title``, ``genre``, ``actor``, ``poster`` …), or ``<stem>.locked`` when only the
    lock was sent. Values are what the item shows: text (numbers too), a tuple of names, the SHA-1 of an image, or
    ``"0"``/``"1"`` for a lock; ``""`` and ``()`` mean empty.
    """

    rating_key: str
    field: str
    before: FieldValue
    value: FieldValue
    changed: bool
    """The value, the lock or (actors) the photo differs from what it was."""
    at: float
    """Epoch seconds."""
