"""The tables as today's code sees them; ``migrations`` is how a file gets there, and a test holds the two together.

Every row about Plex carries ``server_id``, the server's ``machineIdentifier``: rating keys mean nothing on another
server. Times are epoch seconds; ``updated_at`` is the server's own, in whole seconds.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DOUBLE_PRECISION,
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

metadata: Final = MetaData()

# SQLite numbers rows by itself only in a column called exactly INTEGER.
_ROW_ID: Final = BigInteger().with_variant(Integer, "sqlite")

schema_version: Final = Table(
    "schema_version",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("applied_at", DOUBLE_PRECISION, nullable=False),
)

# One row per library: which full pass is the latest, and how fresh the index is.
plex_library: Final = Table(
    "plex_library",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("library_key", Text, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("last_full_pass_at", DOUBLE_PRECISION),
    Column("last_refresh_at", DOUBLE_PRECISION),
    Column("surplus", BigInteger, nullable=False, server_default=text("0")),
    Column("seen_until", BigInteger, nullable=False, server_default=text("0")),
)

# One row per item, also for items that have no file yet: the count is compared with the server's.
plex_item: Final = Table(
    "plex_item",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("rating_key", Text, primary_key=True),
    Column("library_key", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Index("plex_item_by_library", "server_id", "library_key", "updated_at"),
)

# One row per file of an item, with the two keys that the matcher asks for. The library is here too, so
# that a lookup is one seek.
plex_file: Final = Table(
    "plex_file",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("rating_key", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("library_key", Text, nullable=False),
    Column("path_key", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("size_bytes", BigInteger),
    Column("duration_ms", BigInteger),
    ForeignKeyConstraint(
        ["server_id", "rating_key"], ["plex_item.server_id", "plex_item.rating_key"], ondelete="CASCADE"
    ),
    Index("plex_file_by_path", "path_key", "server_id"),
    Index("plex_file_by_name", "name_key", "server_id"),
)

# What SceneSync last wrote to each text and list field; values are JSON text.
baseline: Final = Table(
    "baseline",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("rating_key", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("scene_id", BigInteger, nullable=False),
    Column("written", Text, nullable=False),
    Column("shown", Text),
    Column("replaced", Text),
    Column("locked", BigInteger, nullable=False, server_default=text("1")),
    Index("baseline_by_scene", "scene_id", "server_id"),
)

# The same for images, which are known by their bytes.
image_baseline: Final = Table(
    "image_baseline",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("rating_key", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("scene_id", BigInteger, nullable=False),
    Column("sha1", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("source_sha1", Text, nullable=False, server_default=text("''")),
    Column("fit", Text, nullable=False, server_default=text("'none'")),
    Index("image_baseline_by_scene", "scene_id", "server_id"),
)

# One row per field of every edit, for undo.
journal: Final = Table(
    "journal",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("server_id", Text, nullable=False),
    Column("at", DOUBLE_PRECISION, nullable=False),
    Column("scene_id", BigInteger, nullable=False),
    Column("rating_key", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("shown", Text),
    Column("lock_before", Text),
    Column("lock_after", Text),
    Column("file", Text, nullable=False, server_default=text("''")),
    Index("journal_by_scene", "scene_id", "id"),
    Index("journal_by_time", "at"),
    Index("journal_by_item", "rating_key", "id"),
    Index("journal_by_run", "run_id", "id", "scene_id"),
)

# Scenes that were undone, with the fingerprint of their metadata at that time.
hold: Final = Table(
    "hold",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("scene_id", BigInteger, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, nullable=False),
    Column("since", DOUBLE_PRECISION, nullable=False),
    Column("run_id", Text, nullable=False),
)

# The latest attempts at jobs; ``server_id`` is "" for one that never learnt which server it would have met.
attempt: Final = Table(
    "attempt",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("server_id", Text, nullable=False),
    Column("scene_id", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("started_at", DOUBLE_PRECISION, nullable=False),
    Column("duration_s", DOUBLE_PRECISION, nullable=False),
    Column("error_type", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rating_keys", Text, nullable=False),
    Column("changed_fields", Text, nullable=False),
    Column("retry_at", DOUBLE_PRECISION),
    Index("attempt_by_scene", "scene_id", "id"),
    Index("attempt_by_time", "started_at"),
)

# Outages belong to the configured address, not to a server: nobody answered who could have said who it is.
outage: Final = Table(
    "outage",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("service", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("began_at", DOUBLE_PRECISION, nullable=False),
    Column("ended_at", DOUBLE_PRECISION),
    Column("jobs_waiting", BigInteger, nullable=False),
    Column("jobs_waiting_at_end", BigInteger),
)
Index(
    "outage_open",
    outage.c.service,
    unique=True,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)

# The last known state of each service, for commands that ask no server.
service_state: Final = Table(
    "service_state",
    metadata,
    Column("service", Text, primary_key=True),
    Column("reachability", Text, nullable=False),
    Column("since", DOUBLE_PRECISION),
    Column("message", Text, nullable=False),
    Column("known_since", DOUBLE_PRECISION),
)

# Which service refuses what only a person can change, so that work waits.
pause: Final = Table(
    "pause",
    metadata,
    Column("service", Text, primary_key=True),
    Column("since", DOUBLE_PRECISION, nullable=False),
    Column("error", Text, nullable=False),
    Column("message", Text, nullable=False),
)

# The circuit breaker of each service (``domain.circuit``), apart from the above: others write it, and more often.
circuit: Final = Table(
    "circuit",
    metadata,
    Column("service", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("successes", BigInteger, nullable=False),
    Column("opened_at", DOUBLE_PRECISION, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("probe", Text, nullable=False),
    Column("probe_expires_at", DOUBLE_PRECISION, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

# Comparisons of both libraries; one without an end was killed, or is under way. ``found`` is JSON text.
reconciliation: Final = Table(
    "reconciliation",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("server_id", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("began_at", DOUBLE_PRECISION, nullable=False),
    Column("ended_at", DOUBLE_PRECISION),
    Column("poll_cursor", Text, nullable=False),
    Column("last_scene_id", BigInteger, nullable=False),
    Column("found", Text, nullable=False),
)

# Small facts by name; ``server_id`` is "" for those that are not about a server.
fact: Final = Table(
    "fact",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# What a person said: the file of a scene belongs to an item, known again by its own files (JSON text).
pin: Final = Table(
    "pin",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("scene_key", Text, primary_key=True),
    Column("rating_key", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("scene_id", BigInteger, nullable=False),
)

# Runs that nobody asked for: what they would touch is gathered, judged, and maybe kept until a person decides.
automatic_run: Final = Table(
    "automatic_run",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("run_key", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("began_at", DOUBLE_PRECISION, nullable=False),
    Column("reason", Text, nullable=False),
    Column("totals", Text, nullable=False),
)
Index(
    "automatic_run_gathering",
    automatic_run.c.run_key,
    unique=True,
    sqlite_where=text("reason = ''"),
    postgresql_where=text("reason = ''"),
)

# The scenes of such a run.
automatic_run_scene: Final = Table(
    "automatic_run_scene",
    metadata,
    Column("run_id", BigInteger, primary_key=True),
    Column("scene_id", BigInteger, primary_key=True),
    ForeignKeyConstraint(["run_id"], ["automatic_run.id"], ondelete="CASCADE"),
)

# What a scene of Stash showed when it was last read, its files (JSON text), and which version of it that was: not about
# Plex, hence no server.
scene_trace: Final = Table(
    "scene_trace",
    metadata,
    Column("scene_id", BigInteger, primary_key=True, autoincrement=False),
    Column("relations", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("updated_at", Text, nullable=False, server_default=text("''")),
    Column("fingerprint", Text, nullable=False, server_default=text("''")),
    Column("read_at", DOUBLE_PRECISION, nullable=False, server_default=text("0")),
)

# The same relations, one by one, found by what they are about.
shown_entity: Final = Table(
    "shown_entity",
    metadata,
    Column("entity", Text, primary_key=True),
    Column("entity_id", BigInteger, primary_key=True, autoincrement=False),
    Column("scene_id", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# What was done about the photo of an actor, who is one on the whole server, whatever the item.
performer_photo: Final = Table(
    "performer_photo",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("name_key", Text, primary_key=True),
    Column("performer_id", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("tries", BigInteger, nullable=False),
)

# What is known of the collections that SceneSync puts films into; ``title_key`` is by what titles are compared.
collection: Final = Table(
    "collection",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("library_key", Text, primary_key=True),
    Column("title_key", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("rating_key", Text, nullable=False),
    Column("described", Text, nullable=False),
    Column("keeps_title", BigInteger, nullable=False),
    Column("may_be_empty", BigInteger, nullable=False),
)

# Which studios, groups and tags have their collection under which title.
collection_origin: Final = Table(
    "collection_origin",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("library_key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("origin_id", BigInteger, primary_key=True),
    Column("title_key", Text, nullable=False),
    Column("changed_at", DOUBLE_PRECISION, nullable=False),
    Index("collection_origin_by_title", "server_id", "library_key", "title_key"),
)

# At which place of a group, in Stash's words, an item was last put in the group's collection.
collection_place: Final = Table(
    "collection_place",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("library_key", Text, primary_key=True),
    Column("group_id", BigInteger, primary_key=True),
    Column("rating_key", Text, primary_key=True),
    Column("place", BigInteger, nullable=False),
)

# Items that were seen to show their scene as wanted, at which time of change, and what that depended on.
proven: Final = Table(
    "proven",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("rating_key", Text, primary_key=True),
    Column("scene_id", BigInteger, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("proven_by_scene", "scene_id", "server_id"),
)

# Where each scene stands with a server, as it was last found out; ``folded`` is what searches look at.
scene_state: Final = Table(
    "scene_state",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("scene_id", BigInteger, primary_key=True),
    Column("state", Text, nullable=False),
    Column("at", DOUBLE_PRECISION, nullable=False),
    Column("title", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rating_keys", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Index("scene_state_by_state", "server_id", "state", "scene_id"),
)
