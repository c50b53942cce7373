"""Two Stashes, each with the plugin, two Plexes, and one installation that the file's tables join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from live_world import NOT_SET_UP, PLEX_ROOT, PLEX_TOKEN, STASH_PYTHON, STASH_ROOT, LiveWorld

from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from live_world import Daemon, Ran

    from scenesync.simulators.stash.records import Scene

ROUTES: Final = ("living-home", "living-cabin", "attic-cabin")
STARTS_WITHIN_S: Final = 90.0
"""Four processes begin at once, each of which imports everything, beside whatever else the machine does."""
CABIN_TOKEN: Final = "fake-cabin-token-0123456789"


class SeveralServers(LiveWorld):
    """The Stash ``living`` is carried to the Plexes ``home`` and ``cabin``, the Stash ``attic`` to ``cabin`` alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cabin = PlexSimulator(token=CABIN_TOKEN)
        self.attic_data = folder / "attic-data"
        self.attic = StashSimulator(
            self.plugin_dir.parent,
            hook_env={"SCENESYNC_DATA_DIR": str(self.attic_data), "SCENESYNC_AUTOSTART": "false"},
            python=STASH_PYTHON,
        )

    def __enter__(self) -> Self:
        super().__enter__()
        self._open.enter_context(self.cabin)
        self._open.enter_context(self.attic)
        self.libraries = {plex: plex.add_library("Films", [PLEX_ROOT]) for plex in (self.plex, self.cabin)}
        self.data_dir.mkdir(exist_ok=True)
        self.write_settings()
        return self

    def write_settings(self, **common: str) -> None:
        """Write the tables; looking at Stash for changes is off, so that hooks alone tell of them."""
        lines = [
            "poll_interval = 0",
            "http_enabled = false",
            f"path_map = ['{STASH_ROOT} => {PLEX_ROOT}']",
            *(f"{key} = {value}" for key, value in common.items()),
            f'[[stash]]\nname = "living"\nurl = "{self.stash.url}"',
            f'[[stash]]\nname = "attic"\nurl = "{self.attic.url}"\nplex = ["cabin"]\noutbox = \'{self.attic_data}\'',
            f'[[plex]]\nname = "home"\nurl = "{self.plex.url}"\ntoken = "{PLEX_TOKEN}"',
            f'[[plex]]\nname = "cabin"\nurl = "{self.cabin.url}"\ntoken = "{CABIN_TOKEN}"',
        ]
        (self.data_dir / "scenesync.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def environment(self, **settings: str | None) -> dict[str, str]:
        """Return a child's environment: it says no more than where the data directory is."""
        alone = dict.fromkeys(("sync_collection", "http_enabled"), None)
        return super().environment(**{**NOT_SET_UP, **alone, **settings})

    def film(self, stash: StashSimulator, title: str, *plexes: PlexSimulator) -> Scene:
        """Add a scene to a Stash, and the item that plays its file to each of these Plexes."""
        file = f"/Films/{title}.mp4"
        scene = stash.add_scene(title=title, path=STASH_ROOT + file, size_bytes=1_000_000)
        for plex in plexes:
            plex.add_item(self.libraries[plex], file=PLEX_ROOT + file, size_bytes=1_000_000)
        return scene

    @staticmethod
    def shown(plex: PlexSimulator, scene: Scene) -> str:
        """Return the title that a Plex shows for the file of a scene."""
        return plex.item_by_file(PLEX_ROOT + scene.path.removeprefix(STASH_ROOT)).title

    def supervised(self) -> Daemon:
        """Start ``scenesync run`` and return when every route works."""
        daemon = self.daemon(wait=False)
        for route in ROUTES:
            daemon.wait_for_log(f"[{route}] working data_dir=", STARTS_WITHIN_S)
        return daemon

    def pids(self, daemon: Daemon) -> list[int]:
        """Return the processes that the daemon has started and that live."""
        text = self.run(["ps", "-o", "pid=", "--ppid", str(daemon.pid)]).stdout
        return [int(word) for word in text.split()]

    def status(self, route: str = "") -> Any:
        """Return the status of one route, or of all."""
        chosen = ["--route", route] if route else []
        ran: Ran = self.scenesync("status", "--json", *chosen)
        return ran.document()
