"""What a comparison asks the stores about many scenes is asked all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sync_world import SyncWorld

from scenesync.domain.holds import Hold, fingerprint
from scenesync.domain.matching import Match, NoMatch
from scenesync.store.holds import HoldStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    with SyncWorld(tmp_path / "data") as made:
        yield made


def test_who_foresaw_scenes_is_told_of_each_how_it_was_then_without_asking_again(world: SyncWorld) -> None:
    scene_id, item = world.pair("Harbour at dawn")
    with world.installed() as installation:
        session = world.session(installation)
        scene = installation.stash.scenes([scene_id])[scene_id]
        holds = HoldStore(installation.database, session.identity.machine_identifier)
        syncing = session.scene_sync

        with installation.database.looking_up():
            syncing.foresee([scene])
            holds.put([Hold(scene_id, fingerprint(scene), 1.0)])
            session.index.forget_item(item.rating_key, [item.versions[0].file])

            assert (syncing.left_alone(scene), type(syncing.match(scene))) == ("", Match)
            assert (syncing.left_alone(scene), type(syncing.match(scene))) == ("held", NoMatch)
