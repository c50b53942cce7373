"""Numbers and lengths of time, as people say them."""

from __future__ import annotations


def counted(number: int, noun: str, several: str = "") -> str:
    """Return the number with its noun: ``1 scene``, ``2 scenes``, or ``several`` if that is no plural with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {several or f'{noun}s'}"


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
