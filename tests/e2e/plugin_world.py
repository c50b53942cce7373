"""A Stash with SceneSync's plugin in it, as a person has set it up on the plugin's page."""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from live_world import LOCKED, PLEX_ROOT, PLEX_TOKEN, STASH_ROOT, LiveWorld, eventually

if TYPE_CHECKING:
    from scenesync.simulators.stash.jobs import Job

RUN_TASK = 'mutation($task: String) { runPluginTask(plugin_id: "scenesync", task_name: $task) }'
CONFIGURE = 'mutation($input: Map!) { configurePlugin(plugin_id: "scenesync", input: $input) }'


class PluginWorld(LiveWorld):
    """A Stash with a password in which the plugin has its own environment and was set up on the plugin's page."""

    def __init__(self, folder: Path) -> None:
        # The hook knows nothing but its folder, as on a machine where nobody set any variable.
        super().__init__(folder, login=LOCKED, hook_settings={"SCENESYNC_DATA_DIR": "", "SCENESYNC_AUTOSTART": ""})
        self.data_dir = self.plugin_dir / "data"
        self._install_dependencies()

    def _install_dependencies(self) -> None:
        """Give the plugin an environment: the project's own."""
        python = self.plugin_dir / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        # A link would lose the project's environment, which an interpreter finds beside its own path.
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)

    def ask(self, query: str, variables: dict[str, Any]) -> Any:
        """Send a query to Stash as its own page would."""
        with urllib3.PoolManager() as pool:
            answer = pool.request(
                "POST",
                f"{self.stash.url}/graphql",
                json={"query": query, "variables": variables},
                headers={"ApiKey": LOCKED.api_key},
            )
            return answer.json()["data"]

    def configure(self, **settings: object) -> None:
        """Fill in the plugin's page."""
        usual = {"plex_url": self.plex.url, "plex_token": PLEX_TOKEN, "path_map": f"{STASH_ROOT} => {PLEX_ROOT}"}
        self.ask(CONFIGURE, {"input": {**usual, **settings}})

    def task(self, name: str) -> tuple[Job, list[str]]:
        """Run a task to its end; return the job and what a person reads of it in Stash's log."""
        seen = len(self.stash.log)
        job = self.stash.job(self.ask(RUN_TASK, {"task": name})["runPluginTask"], 60)
        return job, [line.text for line in self.stash.log[seen:] if line.level != "debug"]

    def kept_texts(self) -> list[str]:
        """Return every file of the data directory as text."""
        return [path.read_text("latin-1") for path in self.data_dir.rglob("*") if path.is_file()]

    def cookies_in(self, text: str) -> list[str]:
        """Return what in ``text`` Stash would take for a valid session."""
        words = re.findall(r"[A-Za-z0-9_=-]{60,}", text)
        return [word for word in words if self.stash.engine.sessions.read(word) is not None]

    def daemon_pid(self) -> int | None:
        """Return the daemon that a hook started, found by its data directory."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if b"--from-stash" in (process / "cmdline").read_bytes() and (
                    f"SCENESYNC_DATA_DIR={self.data_dir}".encode() in (process / "environ").read_bytes().split(b"\0")
                ):
                    return int(process.name)
        return None

    def kill_daemon(self) -> None:
        """See to it that nothing is left of a daemon that a hook or a task started."""
        pid = self.daemon_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: self.daemon_pid() is None, "the end of the daemon")
