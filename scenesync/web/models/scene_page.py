"""What the page of one scene shows besides what the API says of it."""

from scenesync.web.models.common import Document
from scenesync.web.models.scenes import Hold, SceneSummary
from scenesync.web.models.state import Attempt


class KnownItem(Document):
    """An item as the index knows it; ``plex_url`` is its page in Plex."""

    rating_key: str
    files: list[str]
    plex_url: str


class SceneFacts(Document):
    """What the stores know of a scene; ``items`` are those that were last written for it.

    ``known`` is where it was last found to stand, null if it never was looked at.
    """

    scene_id: int
    known: SceneSummary | None
    stash_url: str
    attempts: list[Attempt]
    hold: Hold | None
    items: list[KnownItem]
