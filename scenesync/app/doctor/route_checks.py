"""What ``doctor`` finds about routes: where the state of each lies, and what of earlier ones is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.app.configuration.marks import read_marks
from scenesync.app.doctor.finding import Check, Verdict
from scenesync.app.routes.elders import left_to_elders
from scenesync.app.wording.counting import counted
from scenesync.domain.participation import ELDER_STASH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.configuration.routing import Mark
    from scenesync.app.settings import LoadedSettings, Settings


def check_routes(loaded: LoadedSettings) -> Iterator[Check]:
    """Yield what is to be said about the route whose settings these are; about all of them, with the first one."""
    settings = loaded.settings
    place = settings.place
    if place is None:
        others = [mark for mark in read_marks(settings.data_dir) if mark.folder != settings.data_dir]
        yield from map(_left_over, others)
        return
    yield Check(
        "route", Verdict.OK, f"{place.name}: {settings.stash_url} to {settings.plex_url}, state in {settings.data_dir}"
    )
    if settings is loaded.routes[0].settings:
        yield from map(_left_over, loaded.left_over)


def check_shared_items(settings: Settings) -> Iterator[Check]:
    """Yield how many scenes a route leaves to a Stash that goes first. Raises StoreError."""
    if left := left_to_elders(settings):
        yield Check(
            "shared items",
            Verdict.WARNING,
            f"{counted(left, 'scene')} left to {ELDER_STASH}, since their items show scenes of that",
            "Plex can show only one of them. Leave such scenes out in one of the two (only_paths, skip_tags, ...), or "
            "let the tables change places.",
        )


def _left_over(mark: Mark) -> Check:
    name = mark.name or "the single settings"
    return Check(
        "route",
        Verdict.WARNING,
        f"queue and state of {name} ({mark.stash_url} to {mark.plex_url}) are left in {mark.folder}",
        f"There is no such route any more. Tables with the names or addresses of {name} use them again; if it is "
        "gone for good, delete them (where other routes have folders of their own there, only route.json, scenesync.db "
        "and queue).",
    )
