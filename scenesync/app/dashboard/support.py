"""Implements ``web.ports.SupportBundles``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.app.support.bundle import support_bundle
from scenesync.app.support.contents import LOG_LINES

if TYPE_CHECKING:
    from scenesync.app.dashboard.desk import Desk
    from scenesync.app.dashboard.log_book import RecentLines
    from scenesync.app.dashboard.standing import DaemonStanding


class SupportBundles:
    """Bundles of a running daemon: with its own log, and with what the doctor found when it was last asked."""

    def __init__(self, desk: Desk, standing: DaemonStanding, log: RecentLines) -> None:
        self._desk = desk
        self._standing = standing
        self._log = log

    def make(self, *, with_names: bool) -> bytes:
        """Return a bundle."""
        lines = self._log.entries(level=None, scene_id=None, before=None, limit=LOG_LINES).items
        return support_bundle(
            self._desk.loaded,
            with_names=with_names,
            checks=lambda: self._standing.checks().model_dump(),
            lines=[line.model_dump() for line in lines],
        )
