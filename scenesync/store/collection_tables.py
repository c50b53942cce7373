"""The statements of the migration that made the tables of collections."""

from __future__ import annotations

from typing import Final

COLLECTION_TABLES: Final = (
    # The collections that films are put into: which of them are SceneSync's own, and what they were made like.
    """
    CREATE TABLE collection (
        server_id TEXT NOT NULL,
        library_key TEXT NOT NULL,
        title_key TEXT NOT NULL,
        title TEXT NOT NULL,
        standing TEXT NOT NULL,
        rating_key TEXT NOT NULL,
        described TEXT NOT NULL,
        keeps_title BIGINT NOT NULL,
        may_be_empty BIGINT NOT NULL,
        PRIMARY KEY (server_id, library_key, title_key)
    )
    """,
    # The studios, groups and tags that each of them stands for.
    """
    CREATE TABLE collection_origin (
        server_id TEXT NOT NULL,
        library_key TEXT NOT NULL,
        kind TEXT NOT NULL,
        origin_id BIGINT NOT NULL,
        title_key TEXT NOT NULL,
        changed_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (server_id, library_key, kind, origin_id)
    )
    """,
    "CREATE INDEX collection_origin_by_title ON collection_origin (server_id, library_key, title_key)",
    # At which place of a group an item was last put in its collection.
    """
    CREATE TABLE collection_place (
        server_id TEXT NOT NULL,
        library_key TEXT NOT NULL,
        group_id BIGINT NOT NULL,
        rating_key TEXT NOT NULL,
        place BIGINT NOT NULL,
        PRIMARY KEY (server_id, library_key, group_id, rating_key)
    )
    """,
)
