"""The settings about the servers, the work and the scenes that take part: all but what Plex shows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from platformdirs import user_data_path
from pydantic import Field

from scenesync.app.configuration.addresses import PlexTvUrl, PlexUrl, Secret, StashUrl
from scenesync.app.configuration.operation import CHOICE, OperationSettings
from scenesync.app.configuration.values import (
    Amount,
    DataDir,
    Days,
    Entries,
    FieldPolicies,
    Folders,
    IntervalS,
    Label,
    Names,
    PathMap,
    Percent,
    RampS,
    ReconcileInterval,
    ReconcileScope,
    Retries,
    Workers,
)
from scenesync.domain.departure import OnDestroy
from scenesync.domain.diff import ConflictPolicy

if TYPE_CHECKING:
    from pathlib import Path


def default_data_dir() -> Path:
    """Return where this platform keeps an application's data."""
    return user_data_path("scenesync", appauthor=False)


class WorkSettings(OperationSettings):
    """Part of ``Settings``."""

    stash_url: StashUrl = Field(default="http://localhost:9999", description="Where Stash answers.")
    stash_api_key: Secret = Field(
        default=None, description="Stash's API key (Settings, Security), needed once Stash asks for a password."
    )
    plex_url: PlexUrl = Field(
        default=None, description="Where the Plex server answers. Required by commands that talk to Plex."
    )
    plex_token: Secret = Field(
        default=None, description="The Plex server's access token. Required by commands that talk to Plex."
    )
    plex_tv_url: PlexTvUrl = Field(
        default="https://plex.tv",
        description="Where `scenesync setup` lets a person sign in to Plex. Nothing else ever asks there.",
    )
    plex_libraries: Names = Field(
        default=(), description="The Plex libraries to keep in sync, by name. None given: all movie libraries."
    )
    data_dir: DataDir = Field(
        default_factory=default_data_dir,
        description=(
            "Where queue, index and journal are kept. A scenesync.toml may set it only if SCENESYNC_CONFIG names that "
            "file; the hook knows only SCENESYNC_DATA_DIR."
        ),
    )
    network_share: bool = Field(
        default=False,
        description=(
            "The data directory lies on a network share (NFS, SMB). Then no write-ahead log is used, and the clock "
            "tells whether another process still works, since the kernel's locks are not reliable there."
        ),
    )
    autostart: bool = Field(default=True, description="The Stash plugin starts the daemon when none runs.")
    path_map: PathMap = Field(
        default=(),
        description=(
            "What a folder is called by Stash and by Plex, when they see the same files at different places. "
            "The longest prefix that fits wins."
        ),
    )
    workers: Workers = Field(
        default=4,
        description=(
            "The most scenes that are worked on at once. Plex writes one thing at a time, so fewer are used until more "
            "prove to be faster. Machines that share a database_url share this number for what they write."
        ),
    )
    max_retries: Retries = Field(
        default=5, description="How often a passing error is tried again before a job is a dead letter."
    )
    recovery_ramp: RampS = Field(
        default=30,
        description=(
            "Seconds in which the rate of jobs grows from slow to full after Plex was away, so that it is not overrun "
            "as it comes back. 0: full at once."
        ),
    )
    poll_interval: IntervalS = Field(
        default=30,
        description=(
            "Seconds between looks at Stash for changes that no hook announced, and at Plex for new files. 0: Stash is "
            "not looked at, Plex every five minutes."
        ),
    )
    reconcile_interval: Annotated[ReconcileInterval, CHOICE] = Field(
        default=ReconcileInterval.DAILY, description="How often both libraries are compared by themselves."
    )
    reconcile_scope: Annotated[ReconcileScope, CHOICE] = Field(
        default=ReconcileScope.WEEK,
        description=(
            "Which scenes that comparison looks at: those that Stash changed within this time and those whose items "
            "changed in Plex, or all."
        ),
    )
    max_change_percent: Percent = Field(
        default=50,
        description=(
            "A run that nobody asked for (a fan-out, say) stops before its first write if it would change more than "
            "this share of all items, and more than max_change_items. First writes do not count. 100: never."
        ),
    )
    max_change_items: Amount = Field(
        default=1000, description="However large the share, so many items may be changed by such a run."
    )
    max_cleared_fields: Amount = Field(
        default=500, description="Such a run also stops if it would empty more fields than this."
    )
    strict_matching: bool = Field(
        default=True, description="Never take a Plex item for a scene's only because the file names are equal."
    )
    dead_letter_days: Days = Field(
        default=30, description="After how many days a dead letter is deleted by itself. 0: never."
    )
    journal_days: Days = Field(
        default=365, description="For how many days edits are remembered, so that undo can take them back. 0: for ever."
    )
    journal_entries: Entries = Field(
        default=2_000_000,
        description=(
            "At most so many edits (one per field) are remembered, the latest ones; a million takes some 500 MB. "
            "0: no limit."
        ),
    )
    skip_not_found: bool = Field(
        default=False, description="Drop scenes whose file Plex does not have, instead of keeping them as dead letters."
    )
    conflict_policy: Annotated[ConflictPolicy, CHOICE] = Field(
        default=ConflictPolicy.STASH,
        description=(
            "What happens to a field that somebody edited in Plex: stash overwrites it, plex leaves it, fill writes "
            "empty fields only."
        ),
    )
    conflict_policy_fields: FieldPolicies = Field(
        default=(), description="Another policy for single fields, such as `title => plex`."
    )
    lock_fields: bool = Field(
        default=True,
        description=(
            "Lock the edited fields in Plex, so that a metadata refresh there does not undo them. Without it nothing "
            "is locked, and no lock is taken off."
        ),
    )
    on_destroy: Annotated[OnDestroy, CHOICE] = Field(
        default=OnDestroy.KEEP,
        description=(
            "What happens in Plex when a scene is deleted in Stash and its file still plays there: keep changes "
            "nothing, unlock takes off the locks that SceneSync set, label adds destroyed_label, restore undoes all of "
            "SceneSync's edits for it. If more than max_change_percent of all scenes, or more than max_change_items, "
            "go within an hour, nothing is done until you say so (`scenesync stopped`)."
        ),
    )
    destroyed_label: Label = Field(
        default="Stash-Deleted",
        description="The label that `on_destroy = label` adds. It goes when the item has a scene again.",
    )
    only_organized: bool = Field(default=False, description="Only scenes marked as organized in Stash take part.")
    only_tags: Names = Field(
        default=(), description="Only scenes with one of these tags, or one right below it, take part."
    )
    skip_tags: Names = Field(
        default=(), description="Scenes with one of these tags, or one right below it, do not take part."
    )
    only_studios: Names = Field(
        default=(), description="Only scenes of these studios, or of one right below it, take part."
    )
    only_paths: Folders = Field(default=(), description="Only scenes with a file in one of these folders take part.")
    skip_paths: Folders = Field(default=(), description="Scenes whose files are all in these folders do not take part.")

    @property
    def installation_dir(self) -> Path:
        """The data directory as a person named it, whichever route has these settings."""
        return self.data_dir if self.place is None else self.place.installation_dir
