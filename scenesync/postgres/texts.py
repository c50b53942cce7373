"""Texts as PostgreSQL can keep them: without NUL, and without half of a character, as titles and paths may have."""

from __future__ import annotations

from psycopg.types.string import StrDumper, StrDumperUnknown

from scenesync.domain.storable import storable


class StorableText(StrDumperUnknown):
    """Of whatever type the server takes it for, as psycopg's own default is."""

    def dump(self, obj: str) -> bytes:
        """Return the text as it goes over the wire."""
        return storable(obj).encode()


class TypedStorableText(StrDumper):
    """Of type ``text``, where the server cannot tell."""

    def dump(self, obj: str) -> bytes:
        """Return the text as it goes over the wire."""
        return storable(obj).encode()
