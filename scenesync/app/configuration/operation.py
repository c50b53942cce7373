"""The settings about looking after SceneSync itself, which change nothing of what Plex shows."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from scenesync.app.configuration.addresses import SecretAddresses, SecretUrl
from scenesync.app.configuration.route import PlacedSettings
from scenesync.app.configuration.values import (
    BackupInterval,
    ClockTime,
    Copies,
    HeartbeatMethod,
    IntervalS,
    NewsKinds,
    OptionalFolder,
    PulseS,
    lower_case,
)
from scenesync.domain.news import CHOSEN_BY_SETTINGS

CHOICE: Final = BeforeValidator(lower_case)
SECRET_ADDRESSES: Final = frozenset({"notify_urls", "notify_webhook_url", "heartbeat_url"})
"""Who knows one of these can write to people in SceneSync's name."""


class OperationSettings(PlacedSettings):
    """Part of ``Settings``."""

    backup_interval: Annotated[BackupInterval, CHOICE] = Field(
        default=BackupInterval.WEEKLY, description="How often the daemon backs up state and queue by itself."
    )
    backup_keep: Copies = Field(
        default=4,
        description=(
            "How many backups are kept; the oldest go. Of those made before a newer SceneSync changes the state store, "
            "as many again."
        ),
    )
    backup_dir: OptionalFolder = Field(
        default=None,
        description=(
            "Where backups are kept, best on another disk: a folder that is there. None given: backups in data_dir."
        ),
    )
    notify_urls: SecretAddresses = Field(
        default=None,
        description=(
            "Whom to tell what goes wrong: addresses of Apprise (mail, messengers and many services more), separated "
            'by blanks. Needs the package apprise (`pip install "scenesync[notify]"`).'
        ),
    )
    notify_webhook_url: SecretUrl = Field(
        default=None,
        description="The same as a JSON document by POST to this address; docs/OPERATIONS.md has its form.",
    )
    notify_about: NewsKinds = Field(
        default=tuple(kind.value for kind in CHOSEN_BY_SETTINGS),
        description=(
            "What to tell: outage (of Plex or Stash), refused (a token, say), dead_letters, stopped_run (one that "
            "would have changed too much)."
        ),
    )
    notify_outage_after: IntervalS = Field(
        default=600, description="Seconds that Plex or Stash must have been down before that is told."
    )
    notify_digest_at: ClockTime = Field(
        default="", description="When to tell how the last day went, such as 08:00. Empty: never."
    )
    heartbeat_url: SecretUrl = Field(
        default=None,
        description=(
            "An address to ask as long as SceneSync is at work, such as that of a check at healthchecks.io, which "
            "tells you when it is not asked any more."
        ),
    )
    heartbeat_interval: PulseS = Field(default=300, description="Seconds between two such requests.")
    heartbeat_method: Annotated[HeartbeatMethod, CHOICE] = Field(
        default=HeartbeatMethod.GET, description="How that address wants to be asked."
    )
