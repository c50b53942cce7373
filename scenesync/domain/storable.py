"""Texts as every database can keep them."""

from __future__ import annotations


def storable(text: str) -> str:
    """Return ``text`` without NUL and without half of a character, which titles, paths and messages may hold."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
