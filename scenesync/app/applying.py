"""Hold a plan that was made against today's state, before it is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.app.plan_report import plans
from scenesync.domain.errors import PermanentError
from scenesync.reconciliation import plan_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.app.installation import Installation
    from scenesync.reconciliation.planning import PlannedScene


class OtherServer(PermanentError):
    """The plan was made for another Plex server than the one that answers now."""


def moved_on_since(
    installation: Installation, header: plan_file.PlanHeader, planned: Sequence[PlannedScene]
) -> Iterator[tuple[PlannedScene, str]]:
    """Yield the scenes for which something else would be done now than the plan says, each with what is different.

    Raises OtherServer, and what the requests to Plex and Stash raise.
    """
    identity = installation.plex.identity()
    if identity.machine_identifier != header.server_id:
        raise OtherServer("This plan was made for another Plex server.")
    now = plans(installation, identity, [scene.scene_id for scene in planned], None, include_held=True)
    yield from plan_file.moved_on(planned, now)
