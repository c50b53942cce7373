"""Numbers of things, as people say them."""

from __future__ import annotations


def counted(number: int, noun: str, several: str = "") -> str:
    """Return the number with its noun: ``1 scene``, ``2 scenes``, or ``several`` if that is no plural with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {several or f'{noun}s'}"
