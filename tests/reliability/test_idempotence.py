"""Syncing again what did not change sends Plex no write at all, over a library of some size and with every field on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scenesync.domain.outcome import Outcome
from scenesync.simulators.sample_world import build_world
from tests.integration.sync_world import PLEX_ROOT, STASH_ROOT, SyncWorld

if TYPE_CHECKING:
    from pathlib import Path

    from proofs import Bounds, Figures

pytestmark = pytest.mark.reliability

EVERY_FIELD: dict[str, Any] = {
    "sync_rating": True,
    "sync_tagline": True,
    "sync_labels": True,
    "sync_content_rating": True,
    "sync_collection": True,
    "content_rating": "12",
    "label_tags": ("*a*",),
    "tag_parents": True,
    "max_tags": 4,
    "title_template": "{title} ({year})",
    "studio_name": "path",
}
WRITING_KINDS = {"edit", "rate", "image", "collection"}


@pytest.mark.timeout(300)
def test_what_did_not_change_is_written_once(tmp_path: Path, bounds: Bounds, figures: Figures) -> None:
    scenes = bounds.pick(110, 1000)
    with SyncWorld(tmp_path / "data") as world:
        content = build_world(
            world.stash,
            world.plex,
            scenes,
            seed=bounds.first_seed,
            stash_root=STASH_ROOT,
            plex_root=PLEX_ROOT,
            library_title="Many",
        )
        first = world.drain(*content.scene_ids, **EVERY_FIELD)
        assert {attempt.outcome for attempt in first} == {Outcome.SYNCED}
        counts = world.plex.counts()
        assert counts["edit"] == scenes  # all texts and lists of an item in one request
        assert counts.get("rate", 0) == 0

        world.plex.clear_records()
        second = world.drain(*content.scene_ids, **EVERY_FIELD)
        assert {attempt.outcome for attempt in second} == {Outcome.UNCHANGED}
        assert len(second) == scenes
        assert WRITING_KINDS.isdisjoint(world.plex.counts())
        assert world.plex.field_writes == []
        assert world.plex.whole_library_edits == []
    figures(
        "nothing changed, nothing written",
        f"{scenes} scenes twice",
        jobs=2 * scenes,
        lost=0,
        doubled=0,
        remarks=f"{counts['edit']} edits, then 0",
    )
