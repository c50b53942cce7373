"""The stage: an invented library in a simulated Stash and a simulated Plex, with two scenes that are not easy."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from scenesync.app.demo.plugin_folder import install_plugin
from scenesync.app.settings import Settings
from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.sample_world import World, build_world
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LIBRARY: Final = "Films and concerts"
LATE_PLACE: Final = 4
AMBIGUOUS_PLACE: Final = 9
COPIES: Final = ("Copies/Upstairs", "Copies/Downstairs")
DAEMON_LOG: Final = "daemon.log"
SECOND_DATA: Final = "second-data"
SECOND_LOG: Final = "second-daemon.log"


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Both servers, running, and what is special about two scenes.

    ``late_scene`` has a file that Plex has not scanned yet; ``ambiguous_scene`` has one that Plex knows twice, as
    the items ``candidates``, and neither is where Stash has it. Hooks write to ``data_dir``; with a ``database_url``
    that is an outbox, and the work is shared.
    """

    stash: StashSimulator
    plex: PlexSimulator
    sample: World
    late_scene: int
    ambiguous_scene: int
    candidates: tuple[str, str]
    data_dir: Path
    own_hook: bool
    api_key: str = field(repr=False)
    database_url: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not occur in any log."""
        password = urlsplit(self.database_url).password
        return self.api_key, self.plex.token, *([] if password is None else [password])

    @property
    def special(self) -> tuple[int, int]:
        """The scenes that are not easy."""
        return self.late_scene, self.ambiguous_scene

    def plex_file(self, scene_id: int) -> str:
        """Return where Plex sees a scene's file."""
        return self.sample.plex_path(self.stash.scene(scene_id).path)

    def places(self) -> Settings:
        """Return the settings by which queue and state are looked at."""
        url = SecretStr(self.database_url) if self.database_url else None
        return Settings(data_dir=self.data_dir, database_url=url)

    def settings(self, data_dir: Path | None = None) -> Mapping[str, str]:
        """Return SceneSync's settings for this world, as environment variables; of a worker with its own folder."""
        stash_root, plex_root = self.sample.path_map
        return {
            "SCENESYNC_DATA_DIR": str(data_dir or self.data_dir),
            **({"SCENESYNC_DATABASE_URL": self.database_url} if self.database_url else {}),
            "SCENESYNC_STASH_URL": self.stash.url,
            "SCENESYNC_STASH_API_KEY": self.api_key,
            "SCENESYNC_PLEX_URL": self.plex.url,
            "SCENESYNC_PLEX_TOKEN": self.plex.token,
            "SCENESYNC_PLEX_LIBRARIES": LIBRARY,
            "SCENESYNC_PATH_MAP": f"{stash_root} => {plex_root}",
            # How often Plex is looked at for new files; a household can wait longer.
            "SCENESYNC_POLL_INTERVAL": "1",
            "SCENESYNC_HTTP_ENABLED": "false",
            "SCENESYNC_LOG_FORMAT": "text",
        }


@contextlib.contextmanager
def open_world(folder: Path, *, scenes: int, seed: int, database_url: str = "") -> Iterator[DemoWorld]:
    """Build everything below ``folder`` and serve it; both servers are stopped at the end. Raises OSError."""
    plugins, data_dir = folder / "stash" / "plugins", folder / "data"
    own_hook = install_plugin(plugins)
    api_key = secrets.token_hex(16)
    plex = PlexSimulator(token=secrets.token_hex(10))
    stash = StashSimulator(
        plugins,
        api_key=api_key,
        username="demo",
        password=secrets.token_hex(8),
        # All that the hook knows of the world; the worker is started, and killed, by the story.
        hook_env={"SCENESYNC_DATA_DIR": str(data_dir), "SCENESYNC_AUTOSTART": "false"},
    )
    sample = build_world(stash, plex, scenes, seed=seed, library_title=LIBRARY)
    late, ambiguous = sample.scene_ids[LATE_PLACE], sample.scene_ids[AMBIGUOUS_PLACE]
    _hide_from_plex(stash, plex, sample, late)
    candidates = _keep_twice_elsewhere(stash, plex, sample, ambiguous)
    with plex, stash:
        yield DemoWorld(stash, plex, sample, late, ambiguous, candidates, data_dir, own_hook, api_key, database_url)


def _hide_from_plex(stash: StashSimulator, plex: PlexSimulator, sample: World, scene_id: int) -> None:
    """Take the file out of the library and leave it on the disk, to be found by a scan."""
    file = stash.scene(scene_id).files[0]
    plex.remove_item(sample.rating_key_of[scene_id])
    plex.add_unscanned_file(
        plex.library(LIBRARY),
        file=sample.plex_path(file.path),
        size_bytes=file.size_bytes,
        duration_ms=round(file.duration_s * 1000),
        appears_after_scan=False,
    )


def _keep_twice_elsewhere(stash: StashSimulator, plex: PlexSimulator, sample: World, scene_id: int) -> tuple[str, str]:
    """Let Plex have two equal copies of the file in folders that Stash does not know."""
    file = stash.scene(scene_id).files[0]
    _stash_root, plex_root = sample.path_map
    first, second = (f"{plex_root}/{folder}/{file.basename}" for folder in COPIES)
    item = plex.item(sample.rating_key_of[scene_id])
    plex.rename_file(item, first)
    copy = plex.add_item(
        plex.library(LIBRARY), file=second, size_bytes=file.size_bytes, duration_ms=round(file.duration_s * 1000)
    )
    return item.rating_key, copy.rating_key
