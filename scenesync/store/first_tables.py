"""The statements of the first migration."""

from __future__ import annotations

from typing import Final

FIRST_TABLES: Final = (
    # How fresh the index of each library is.
    """
    CREATE TABLE plex_library (
        server_id TEXT NOT NULL,
        library_key TEXT NOT NULL,
        generation BIGINT NOT NULL,
        last_full_pass_at DOUBLE PRECISION,
        last_refresh_at DOUBLE PRECISION,
        PRIMARY KEY (server_id, library_key)
    )
    """,
    # The items that Plex lists.
    """
    CREATE TABLE plex_item (
        server_id TEXT NOT NULL,
        rating_key TEXT NOT NULL,
        library_key TEXT NOT NULL,
        updated_at BIGINT NOT NULL,
        generation BIGINT NOT NULL,
        PRIMARY KEY (server_id, rating_key)
    )
    """,
    # Counts a library and finds its newest item without reading the rows.
    "CREATE INDEX plex_item_by_library ON plex_item (server_id, library_key, updated_at)",
    # Their files.
    """
    CREATE TABLE plex_file (
        server_id TEXT NOT NULL,
        rating_key TEXT NOT NULL,
        path TEXT NOT NULL,
        library_key TEXT NOT NULL,
        path_key TEXT NOT NULL,
        name_key TEXT NOT NULL,
        size_bytes BIGINT,
        duration_ms BIGINT,
        PRIMARY KEY (server_id, rating_key, path),
        FOREIGN KEY (server_id, rating_key) REFERENCES plex_item (server_id, rating_key) ON DELETE CASCADE
    )
    """,
    # Matches by path; the telling column first, since all rows share one server.
    "CREATE INDEX plex_file_by_path ON plex_file (path_key, server_id)",
    # Matches by file name.
    "CREATE INDEX plex_file_by_name ON plex_file (name_key, server_id)",
    # What SceneSync wrote to texts and lists.
    """
    CREATE TABLE baseline (
        server_id TEXT NOT NULL,
        rating_key TEXT NOT NULL,
        field TEXT NOT NULL,
        scene_id BIGINT NOT NULL,
        written TEXT NOT NULL,
        shown TEXT,
        replaced TEXT,
        PRIMARY KEY (server_id, rating_key, field)
    )
    """,
    # Finds the items of a scene.
    "CREATE INDEX baseline_by_scene ON baseline (scene_id, server_id)",
    # What SceneSync selected as poster and background.
    """
    CREATE TABLE image_baseline (
        server_id TEXT NOT NULL,
        rating_key TEXT NOT NULL,
        field TEXT NOT NULL,
        scene_id BIGINT NOT NULL,
        sha1 TEXT NOT NULL,
        shown TEXT NOT NULL,
        etag TEXT NOT NULL,
        PRIMARY KEY (server_id, rating_key, field)
    )
    """,
    # Finds the items of a scene.
    "CREATE INDEX image_baseline_by_scene ON image_baseline (scene_id, server_id)",
    # The edits, field by field.
    """
    CREATE TABLE journal (
        id {row_id},
        server_id TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        scene_id BIGINT NOT NULL,
        rating_key TEXT NOT NULL,
        field TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        cause TEXT NOT NULL,
        run_id TEXT NOT NULL
    )
    """,
    # Reads a scene's edits, newest first.
    "CREATE INDEX journal_by_scene ON journal (scene_id, id)",
    # Finds what is too old to keep.
    "CREATE INDEX journal_by_time ON journal (at)",
    # The latest attempts.
    """
    CREATE TABLE attempt (
        id {row_id},
        server_id TEXT NOT NULL,
        scene_id BIGINT NOT NULL,
        outcome TEXT NOT NULL,
        started_at DOUBLE PRECISION NOT NULL,
        duration_s DOUBLE PRECISION NOT NULL,
        error_type TEXT NOT NULL,
        message TEXT NOT NULL,
        rule TEXT NOT NULL,
        rating_keys TEXT NOT NULL,
        changed_fields TEXT NOT NULL,
        retry_at DOUBLE PRECISION
    )
    """,
    # Reads and bounds a scene's attempts.
    "CREATE INDEX attempt_by_scene ON attempt (scene_id, id)",
    # Counts the attempts of a window of time.
    "CREATE INDEX attempt_by_time ON attempt (started_at)",
    # The times in which a service was away.
    """
    CREATE TABLE outage (
        id {row_id},
        service TEXT NOT NULL,
        cause TEXT NOT NULL,
        began_at DOUBLE PRECISION NOT NULL,
        ended_at DOUBLE PRECISION,
        jobs_waiting BIGINT NOT NULL
    )
    """,
    # A service has at most one outage that has not ended.
    "CREATE UNIQUE INDEX outage_open ON outage (service) WHERE ended_at IS NULL",
    # What was last known of each service.
    """
    CREATE TABLE service_state (
        service TEXT NOT NULL PRIMARY KEY,
        circuit TEXT NOT NULL,
        failures BIGINT NOT NULL,
        opened_at DOUBLE PRECISION,
        reachability TEXT NOT NULL,
        since DOUBLE PRECISION,
        message TEXT NOT NULL
    )
    """,
    # Small facts by name.
    """
    CREATE TABLE fact (
        server_id TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (server_id, name)
    )
    """,
)
