"""The ways to tell people that the settings name, and a try of each."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from scenesync.app.version import VERSION
from scenesync.domain.news import CHOSEN_BY_SETTINGS, Kind, Wanted, trial_message
from scenesync.notify.apprise_way import AppriseWay
from scenesync.notify.ways import NotTold
from scenesync.notify.webhook import Webhook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.settings import Settings
    from scenesync.notify.ways import Way

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a test message on one way; ``reason`` is "" if it arrived."""

    way: str
    arrived: bool
    reason: str = ""

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json`` and the API."""
        return asdict(self)


def ways_of(settings: Settings) -> Sequence[Way]:
    """Return the ways that the settings name."""
    ways: list[Way] = []
    if settings.notify_webhook_url is not None:
        ways.append(Webhook(settings.notify_webhook_url.get_secret_value(), version=VERSION))
    if settings.notify_urls is not None:
        addresses = dict.fromkeys(settings.notify_urls.get_secret_value().split())
        ways += [AppriseWay(address, number) for number, address in enumerate(addresses, start=1)]
    return ways


def wanted_of(settings: Settings) -> Wanted:
    """Return what the settings want to be told."""
    kinds = {Kind(name) for name in settings.notify_about if name in CHOSEN_BY_SETTINGS}
    if settings.notify_digest_at:
        kinds.add(Kind.DIGEST)
    return Wanted(frozenset(kinds), settings.notify_outage_after)


def try_ways(ways: Sequence[Way]) -> Sequence[Tried]:
    """Send a test message by each way, one after the other, and say what became of it."""
    return [_tried(way) for way in ways]


def _tried(way: Way) -> Tried:
    try:
        way.tell(trial_message(time.time()), str(uuid.uuid4()))
    except NotTold as error:
        log.warning("test message not sent way=%r reason=%s", way.name, error)
        return Tried(way.name, arrived=False, reason=str(error))
    return Tried(way.name, arrived=True)
