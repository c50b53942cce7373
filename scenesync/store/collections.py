"""What is known of the collections that SceneSync puts films into. On the disk before a write returns.

It cannot be found out again: without it a collection of SceneSync's own could not be told from a person's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select

from scenesync.domain.collection import KnownCollection, Origin, OriginKind, OriginLink, Standing
from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import collection, collection_origin, collection_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.collection import WantedCollection
    from scenesync.store.database import Database

_KNOWN: Final = (
    collection.c.library_key,
    collection.c.title,
    collection.c.standing,
    collection.c.rating_key,
    collection.c.described,
    collection.c.keeps_title,
    collection.c.may_be_empty,
)
_OF_TITLE: Final = (
    collection.c.server_id == bindparam("server"),
    collection.c.library_key == bindparam("library"),
    collection.c.title_key == bindparam("called"),
)

# One collection by its title.
COLLECTION: Final = select(*_KNOWN).where(*_OF_TITLE)

# All of them.
COLLECTIONS: Final = (
    select(*_KNOWN)
    .where(collection.c.server_id == bindparam("server"))
    .order_by(collection.c.library_key, collection.c.title_key)
)

# Those that a member left since they were last looked at.
WITH_A_MEMBER_GONE: Final = select(*_KNOWN).where(
    collection.c.server_id == bindparam("server"), collection.c.may_be_empty == bindparam("flag")
)

# Forgets one.
FORGET_COLLECTION: Final = delete(collection).where(*_OF_TITLE)

_LINK: Final = (
    collection_origin.c.kind,
    collection_origin.c.origin_id,
    collection_origin.c.title_key,
    collection_origin.c.changed_at,
)

# Under which title an origin has its collection.
LINK_OF_ORIGIN: Final = select(*_LINK).where(
    collection_origin.c.server_id == bindparam("server"),
    collection_origin.c.library_key == bindparam("library"),
    collection_origin.c.kind == bindparam("sort"),
    collection_origin.c.origin_id == bindparam("number"),
)

_LINKED_TO_TITLE: Final = (
    collection_origin.c.server_id == bindparam("server"),
    collection_origin.c.library_key == bindparam("library"),
    collection_origin.c.title_key == bindparam("called"),
)

# The origins that share a title.
LINKS_OF_TITLE: Final = select(*_LINK).where(*_LINKED_TO_TITLE)

# Forgets them.
FORGET_LINKS: Final = delete(collection_origin).where(*_LINKED_TO_TITLE)


_OF_GROUP: Final = (
    collection_place.c.server_id == bindparam("server"),
    collection_place.c.library_key == bindparam("library"),
    collection_place.c.group_id == bindparam("number"),
)

# The places of a group's items.
PLACES: Final = select(collection_place.c.rating_key, collection_place.c.place).where(*_OF_GROUP)

# The place of one of them.
PLACE: Final = select(collection_place.c.place).where(*_OF_GROUP, collection_place.c.rating_key == bindparam("item"))

# Forgets it.
FORGET_PLACE: Final = delete(collection_place).where(*_OF_GROUP, collection_place.c.rating_key == bindparam("item"))


class CollectionStore:
    """The collections of one Plex server, as SceneSync knows them. Every method may raise StoreError."""

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id

    def find(self, library_key: str, key: str) -> KnownCollection | None:
        """Return the collection of this title (``domain.collection.title_key``), None if it is not known."""
        rows = self._database.look_up(COLLECTION, self._title(library_key, key))
        return _known(*rows[0]) if rows else None

    def all(self) -> tuple[KnownCollection, ...]:
        """Return every collection that is known, by library and title."""
        return tuple(_known(*row) for row in self._database.look_up(COLLECTIONS, {"server": self._server_id}))

    def with_a_member_gone(self) -> tuple[KnownCollection, ...]:
        """Return those that may be empty, since a member left."""
        parameters = {"server": self._server_id, "flag": 1}
        return tuple(_known(*row) for row in self._database.look_up(WITH_A_MEMBER_GONE, parameters))

    def put(self, known: KnownCollection) -> None:
        """Keep what is known of a collection, in place of what was known under its title."""
        row = {
            "server_id": self._server_id,
            "library_key": known.library_key,
            "title_key": known.key,
            "title": known.title,
            "standing": known.standing.value,
            "rating_key": known.rating_key,
            "described": known.described,
            "keeps_title": int(known.keeps_title),
            "may_be_empty": int(known.may_be_empty),
        }
        with self._database.transaction() as connection:
            connection.execute(insert_or_update(connection, collection), row)

    def forget(self, known: KnownCollection) -> None:
        """Drop a collection, and which origins had it."""
        with self._database.transaction() as connection:
            for statement in (FORGET_COLLECTION, FORGET_LINKS):
                connection.execute(statement, self._title(known.library_key, known.key))

    def rename(self, old: KnownCollection, new: KnownCollection) -> None:
        """Know a collection, and the origins that have it, under a new title."""
        links = self.links(old.library_key, old.key)
        with self._database.transaction():
            self.forget(old)
            self.put(new)
            for link in links:
                self._link(new.library_key, link.origin, new.key, link.changed_at)

    def link_of(self, library_key: str, origin: Origin) -> OriginLink | None:
        """Return under which title an origin has its collection, None if it has none."""
        parameters = {
            "server": self._server_id,
            "library": library_key,
            "sort": origin.kind.value,
            "number": origin.id,
        }
        rows = self._database.look_up(LINK_OF_ORIGIN, parameters)
        return _link(*rows[0]) if rows else None

    def links(self, library_key: str, key: str) -> tuple[OriginLink, ...]:
        """Return the origins that share a title."""
        rows = self._database.look_up(LINKS_OF_TITLE, self._title(library_key, key))
        return tuple(_link(*row) for row in rows)

    def link(self, library_key: str, wanted: WantedCollection, key: str) -> None:
        """Remember that what is wanted has its collection under this title."""
        self._link(library_key, wanted.origin, key, wanted.changed_at)

    def places(self, library_key: str, group_id: int) -> dict[str, int]:
        """Return at which places items were last put in a group's collection, by rating key."""
        return dict(self._database.look_up(PLACES, self._group(library_key, group_id)))

    def place_of(self, library_key: str, group_id: int, rating_key: str) -> int | None:
        """Return at which place an item was last put in a group's collection."""
        rows = self._database.look_up(PLACE, {**self._group(library_key, group_id), "item": rating_key})
        return rows[0][0] if rows else None

    def put_places(self, library_key: str, group_id: int, places: Mapping[str, int | None]) -> None:
        """Remember the places of items; None: it has none any more."""
        with self._database.transaction() as connection:
            for rating_key, place in places.items():
                key = {"server_id": self._server_id, "library_key": library_key, "group_id": group_id}
                if place is None:
                    connection.execute(FORGET_PLACE, {**self._group(library_key, group_id), "item": rating_key})
                else:
                    row = {**key, "rating_key": rating_key, "place": place}
                    connection.execute(insert_or_update(connection, collection_place), row)

    def _link(self, library_key: str, origin: Origin, key: str, changed_at: float) -> None:
        row = {
            "server_id": self._server_id,
            "library_key": library_key,
            "kind": origin.kind.value,
            "origin_id": origin.id,
            "title_key": key,
            "changed_at": changed_at,
        }
        with self._database.transaction() as connection:
            connection.execute(insert_or_update(connection, collection_origin), row)

    def _group(self, library_key: str, group_id: int) -> dict[str, str | int]:
        return {"server": self._server_id, "library": library_key, "number": group_id}

    def _title(self, library_key: str, key: str) -> dict[str, str]:
        return {"server": self._server_id, "library": library_key, "called": key}


def _known(
    library_key: str,
    title: str,
    standing: str,
    rating_key: str,
    described: str,
    keeps_title: int,
    may_be_empty: int,
) -> KnownCollection:
    return KnownCollection(
        library_key,
        title,
        Standing(standing),
        rating_key,
        described,
        keeps_title=bool(keeps_title),
        may_be_empty=bool(may_be_empty),
    )


def _link(kind: str, origin_id: int, key: str, changed_at: float) -> OriginLink:
    return OriginLink(Origin(OriginKind(kind), origin_id), key, changed_at)
