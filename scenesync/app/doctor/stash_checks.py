"""What ``doctor`` says of how changes are found in Stash."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scenesync.app.doctor.finding import Check, Verdict
from scenesync.app.running.looked import looked_at
from scenesync.app.wording.times import span
from scenesync.domain.errors import PermanentError, TransientError
from scenesync.stash.subscription import open_news
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.installation import Installation


def check_stash_looks(installation: Installation) -> Iterator[Check]:
    """Yield what this Stash lacks, whether its news can be heard, and when it was looked at last."""
    stash = installation.stash
    try:
        schema = stash.schema
        for shortcoming in schema.shortcomings():
            yield Check("stash features", Verdict.WARNING, f"this Stash is old: {shortcoming}", "Update Stash.")
    except (TransientError, PermanentError):
        return  # told of already
    if not installation.settings.poll_interval:
        finding = "not looked for, since poll_interval = 0"
        yield Check("changes in Stash", Verdict.WARNING, finding, "Hooks alone lose some: set poll_interval.")
        return
    try:
        with open_news(stash.door(), schema):
            yield Check("stash news", Verdict.OK, "its websocket tells when a task of its own ends")
    except (TransientError, PermanentError) as error:
        yield Check("stash news", Verdict.WARNING, str(error), "Not needed: changes show at the next look.")
    at = looked_at(Memory(installation.database))
    when = "never yet" if at is None else f"last {span(max(0.0, time.time() - at))} ago"
    yield Check("changes in Stash", Verdict.OK, f"looked for every {installation.settings.poll_interval:g} s, {when}")
