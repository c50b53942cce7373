"""Implements ``web.ports.Scenes``: one scene from both sides, pins and holds."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from scenesync.app.dashboard.jobs import QueuedJobs
from scenesync.app.explanation import explain_scene
from scenesync.app.opening import look_into_queue, queue_figures
from scenesync.app.pinning import pin_scene, unpin_scene
from scenesync.domain.fields import IMAGE_FIELDS, Field
from scenesync.domain.matching import Rule
from scenesync.domain.scene_state import SceneStanding, SceneState
from scenesync.plex.item_page import item_page
from scenesync.store.holds import list_held, release_held
from scenesync.store.scene_states import SceneStateStore
from scenesync.web.models import scenes
from scenesync.web.models.common import Page
from scenesync.web.problems import NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from scenesync.app.dashboard.desk import Desk
    from scenesync.app.explanation import Explanation
    from scenesync.app.installation import Installation
    from scenesync.domain.fields import FieldValue
    from scenesync.web.models import work
    from scenesync.worker.sync_plan import PlannedItem


class KnownScenes:
    """The scenes, each asked about when somebody looks at it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._jobs = QueuedJobs(desk)

    def page(self, *, state: str | None, search: str, after: int, limit: int) -> Page[scenes.SceneSummary]:
        """Return known scenes in the order of their ids, those above ``after``; those that wait as they wait."""
        if state == SceneState.WAITING.value:
            return self._waiting(search, after, limit)
        found = self._states.page(
            self._desk.server_id, state=SceneState(state) if state else None, search=search, after=after, limit=limit
        )
        waiting = self._waiting_among([standing.scene_id for standing in found])
        shown = [
            summary_of(replace(standing, state=SceneState.WAITING) if standing.scene_id in waiting else standing)
            for standing in found
            if not state or standing.scene_id not in waiting
        ]
        return Page(items=shown, next_cursor=str(found[-1].scene_id) if len(found) == limit else None)

    def counts(self) -> scenes.SceneCounts:
        """Return how many are in which state; those that wait are counted by the queue."""
        counts = self._states.counts(self._desk.server_id)
        states = {state.value: counts.get(state, 0) for state in SceneState}
        snapshot = queue_figures(self._desk.loaded.settings)
        states[SceneState.WAITING.value] = snapshot.pending + snapshot.in_progress
        return scenes.SceneCounts(total=sum(counts.values()), states=states)

    def titles(self, scene_ids: Collection[int]) -> Mapping[int, str]:
        """Return what those of them that are known are called, by their files where they have no title."""
        known = self._states.of_scenes(self._desk.server_id, scene_ids)
        return {scene_id: each.title or each.path.rpartition("/")[2] for scene_id, each in known.items()}

    def _waiting(self, search: str, after: int, limit: int) -> Page[scenes.SceneSummary]:
        """Return scenes for which jobs wait, in the order of the queue; the cursor is the row of the last one."""
        jobs = self._jobs.waiting(scene_id=None, error=None, after=after, limit=limit)
        ids = [job.scene_id for job in jobs.items if job.scene_id]
        known = self._states.of_scenes(self._desk.server_id, ids)
        shown = [waiting_summary(job, known.get(job.scene_id or 0)) for job in jobs.items if job.scene_id]
        needle = search.casefold()
        return Page(
            items=[each for each in shown if needle in f"{each.title}\n{each.path}".casefold()],
            next_cursor=jobs.next_cursor,
        )

    def _waiting_among(self, scene_ids: Sequence[int]) -> frozenset[int]:
        settings = self._desk.loaded.settings
        return look_into_queue(settings, lambda queue: queue.scenes_waiting(scene_ids), checked=False)

    @property
    def _states(self) -> SceneStateStore:
        return SceneStateStore(self._desk.installation.database)

    def show(self, scene_id: int) -> scenes.Scene:
        """Ask both servers and the stores about one scene. Raises NotFound."""
        installation = self._desk.installation
        explained = explain_scene(installation, scene_id)
        if not explained.exists:
            raise NotFound(f"Stash has no scene {scene_id}.")
        return scenes.Scene.model_validate(
            {
                **explained.as_document(),
                "title": explained.title,
                "is_judged": explained.is_judged,
                "wanted": {each.value: _plain(value) for each, value in explained.wanted.items()},
                "stash_url": f"{installation.stash.base_url}/scenes/{scene_id}",
                "compared": [_compared(installation, explained, step) for step in explained.planned],
                "is_held": any(hold.scene_id == scene_id for hold in list_held(installation.database)),
                "is_pinned": explained.rule == Rule.PIN.value,
            }
        )

    def pin(self, scene_id: int, rating_key: str) -> scenes.Pinned:
        """Tie the scene to the item."""
        return scenes.Pinned.model_validate(pin_scene(self._desk.installation, scene_id, rating_key).as_document())

    def unpin(self, scene_id: int) -> bool:
        """Take the pin off; False if there was none."""
        return unpin_scene(self._desk.installation, scene_id)

    def holds(self) -> Sequence[scenes.Hold]:
        """Return the scenes that are left alone since they were undone."""
        held = list_held(self._desk.installation.database)
        return [scenes.Hold(scene_id=hold.scene_id, since=hold.since, run=hold.run_id) for hold in held]

    def release(self, scene_ids: Sequence[int] | None) -> int:
        """Let held scenes be synced again, None: all of them; return how many were held."""
        return release_held(self._desk.installation.database, scene_ids)


def summary_of(standing: SceneStanding) -> scenes.SceneSummary:
    """Return where a scene stands as the API shows it."""
    return scenes.SceneSummary.model_validate(
        {**asdict(standing), "state": standing.state.value, "rating_keys": list(standing.rating_keys)}
    )


def waiting_summary(job: work.Job, known: SceneStanding | None) -> scenes.SceneSummary:
    """Return a scene for which a job waits, with what is known of it besides."""
    standing = known or SceneStanding(job.scene_id or 0, SceneState.WAITING, job.enqueued_at or 0.0)
    title, path = (str(job.data.get(key) or "") for key in ("title", "path"))
    return summary_of(
        replace(
            standing,
            state=SceneState.WAITING,
            title=standing.title or title,
            path=standing.path or path,
            detail=job.last_error_type or "",
        )
    )


def _compared(installation: Installation, explained: Explanation, step: PlannedItem) -> dict[str, object]:
    """Return an item beside what it should show."""
    item = step.item
    fields = [each for each in Field if each not in IMAGE_FIELDS and (each in item.values or each in explained.wanted)]
    return {
        "rating_key": item.rating_key,
        "library_key": item.library_key,
        "plex_url": item_page(str(installation.settings.plex_url), explained.server_id, item.rating_key),
        "files": [part.file for part in item.parts],
        "fields": [
            {
                "field": each.value,
                "shown": _plain(item.value(each)),
                "wanted": _plain(explained.wanted[each]) if each in explained.wanted else None,
                "locked": each.value in item.locked,
            }
            for each in fields
        ],
    }


def _plain(value: FieldValue) -> str | list[str]:
    return value if isinstance(value, str) else list(value)
