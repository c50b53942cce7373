"""The table of where scenes stand, as the migration that brought it made it."""

from __future__ import annotations

from typing import Final

SCENE_STATE_TABLES: Final = (
    # Where each scene stands with a server, as it was last found out.
    """
    CREATE TABLE scene_state (
        server_id TEXT NOT NULL,
        scene_id BIGINT NOT NULL,
        state TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        title TEXT NOT NULL,
        path TEXT NOT NULL,
        detail TEXT NOT NULL,
        rule TEXT NOT NULL,
        rating_keys TEXT NOT NULL,
        folded TEXT NOT NULL,
        PRIMARY KEY (server_id, scene_id)
    )
    """,
    # Finds the scenes that are in one state, in the order of their ids.
    "CREATE INDEX scene_state_by_state ON scene_state (server_id, state, scene_id)",
)
