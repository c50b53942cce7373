"""Tell a watcher outside (healthchecks.io and its like) that SceneSync is at work; it notices when that stops."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scenesync.app.running.background import Routine
from scenesync.app.running.health_check import look
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
    pulse = Pulse(settings, settings.heartbeat_url.get_secret_value())
    return (Routine(NAME, title, settings.heartbeat_interval, pulse.give, first_after_s=lambda: FIRST_AFTER_S),)


class Pulse:
    """Gives signs of life to the address ``url``; the log says once when they do not arrive, and when they do again."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings = settings
        self._url = url
        self._arrives = True

    def give(self) -> bool:
        """Give one if the loop turns and the stores answer; say whether it arrived."""
        health = look(self._settings)
        if not health.healthy:
            log.debug("no heartbeat: %s", health.finding)
            return False
        method = self._settings.heartbeat_method.value.upper()
        body = b"" if method == "POST" else None
        try:
            send(method, self._url, headers={"User-Agent": f"SceneSync/{VERSION}"}, body=body)
        except NotTold as error:
            level = logging.WARNING if self._arrives else logging.DEBUG
            log.log(level, "the heartbeat does not arrive (heartbeat_url): %s", error)
            self._arrives = False
            return False
        if not self._arrives:
            log.info("the heartbeat arrives again")
        self._arrives = True
        return True
