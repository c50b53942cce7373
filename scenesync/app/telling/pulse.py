"""Tell a watcher outside (healthchecks.io and its like) that SceneSync is at work; it notices when that stops."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scenesync.app.background import Routine
from scenesync.app.health_check import look
from scenesync.app.version import VERSION
from scenesync.notify.request import send
from scenesync.notify.ways import NotTold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.settings import Settings

log = logging.getLogger(__name__)

NAME: Final = "heartbeat"
FIRST_AFTER_S: Final = 5.0
"""By then the loop has turned, if it can."""


def pulse_routines(settings: Settings) -> Sequence[Routine]:
    """Return what gives the sign of life, nothing without an address."""
    if settings.heartbeat_url is None:
        return ()
    title = "Tell heartbeat_url that SceneSync is at work"
    return (
        Routine(NAME, title, settings.heartbeat_interval, lambda: give(settings), first_after_s=lambda: FIRST_AFTER_S),
    )


def give(settings: Settings) -> bool:
    """Give a sign of life if the loop turns and the stores answer; say whether one arrived. A failure means nothing."""
    if settings.heartbeat_url is None:
        return False
    health = look(settings.data_dir)
    if not health.healthy:
        log.debug("no heartbeat: %s", health.finding)
        return False
    method = settings.heartbeat_method.value.upper()
    try:
        send(
            method,
            settings.heartbeat_url.get_secret_value(),
            headers={"User-Agent": f"SceneSync/{VERSION}"},
            body=b"" if method == "POST" else None,
        )
    except NotTold as error:
        log.debug("heartbeat not sent: %s", error)
        return False
    return True
