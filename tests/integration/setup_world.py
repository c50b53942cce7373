"""A household that nobody has set up yet: Stash, Plex, plex.tv, and an environment that names none of them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from command_line import run_command
from sync_world import TOKEN, SyncWorld

from scenesync.app.context import AppContext
from scenesync.app.setup.setting_up import SetUp
from scenesync.simulators.plex_tv import AccountServer, PlexTvSimulator, connection

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from command_line import Ran


class SetUpWorld(SyncWorld):
    """Two scenes whose files Plex sees elsewhere, and a third that it does not have."""

    def __init__(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(data_dir)
        self.plex_tv = PlexTvSimulator()
        self.toml = data_dir / "scenesync.toml"
        self._patch = monkeypatch
        self._servers = ExitStack()

    def __enter__(self) -> Self:
        super().__enter__()
        self._servers.enter_context(self.plex_tv)
        for title in ("Harbour at dawn", "Night train"):
            self.pair(title=title)
        self.scene(title="Not scanned yet")
        self.environment(DATA_DIR=str(self.data_dir), PLEX_TV_URL=self.plex_tv.url, HTTP_ENABLED="false")
        return self

    def __exit__(self, *exc: object) -> None:
        self._servers.close()
        super().__exit__(*exc)

    def environment(self, **variables: str) -> None:
        for name, value in variables.items():
            self._patch.setenv(f"SCENESYNC_{name}", value)

    def offer(self, name: str = "Cellar", token: str = TOKEN, **changes: Any) -> AccountServer:
        """Let the account own our Plex, or another server."""
        facts = {
            "machine_identifier": self.plex.machine_identifier,
            "connections": (connection(self.plex.url),),
            **changes,
        }
        server = AccountServer(name, access_token=token, **facts)
        self.plex_tv.add_server(server)
        return server

    def setting_up(self) -> SetUp:
        app = AppContext()
        self.protected: list[str] = []
        return SetUp(app, app.load(), self.protected.extend)

    def secret_file(self, name: str, secret: str) -> str:
        path = self.data_dir.parent / name
        path.write_text(secret + "\n", encoding="utf-8")
        return str(path)

    def command(self, capsys: pytest.CaptureFixture[str], *options: str) -> Ran:
        token = self.secret_file("token", TOKEN)
        given = ["--stash-url", self.stash.url, "--plex-url", self.plex.url, "--plex-token-file", token]
        return run_command(capsys, "setup", *given, *options)

    def writes(self) -> list[str]:
        """What Plex was asked to change."""
        return [f"{each.method} {each.path}" for each in self.plex.requests if each.method != "GET"]
