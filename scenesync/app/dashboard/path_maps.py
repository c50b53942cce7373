"""Implements ``web.ports.PathMaps``: writes the proposed path map to the settings file, and keeps the one before."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.editing import SettingsFileRefused, path_map_in, write_path_map
from scenesync.app.configuration.values import Refused, path_rules
from scenesync.app.doctor.path_check import as_text
from scenesync.domain.setting_origin import wins_over_file
from scenesync.store.memory import Memory
from scenesync.web.models import scenes
from scenesync.web.problems import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scenesync.app.dashboard.desk import Desk
    from scenesync.web.models.state import CheckReport

FACT: Final = "path map written"
CHECK: Final = "path mapping"


class WrittenPathMaps:
    """The path map in force, the one that the doctor proposed last, and the one that was written last. Thread-safe."""

    def __init__(self, desk: Desk, checks: Callable[[], CheckReport]) -> None:
        self._desk = desk
        self._checks = checks
        self._writing = threading.Lock()
        self._latest: scenes.PathMapChange | None = None
        self._is_known = False

    def show(self) -> scenes.PathMap:
        """Return them. Asks no server."""
        loaded = self._desk.loaded
        in_force = [as_text(rule) for rule in loaded.settings.path_map]
        latest = self._known()
        if latest is not None and in_force != latest.after and not _has(loaded.file, latest.after):
            latest = None  # somebody wrote another one since
        proposed = self._proposed()
        return scenes.PathMap(
            in_force=in_force,
            proposed=[] if proposed == in_force or (latest is not None and proposed == latest.after) else proposed,
            file=str(loaded.file),
            why_not=_why_not(loaded.origins["path_map"], loaded.file),
            latest=latest,
            is_awaited=latest is not None and in_force != latest.after,
        )

    def write(self, rules: Sequence[str]) -> scenes.PathMap:
        """Write rules that were shown. Raises Conflict for others, or if the file cannot be written; StoreError."""
        with self._writing:
            shown = self.show()
            if shown.why_not:
                raise Conflict(shown.why_not, code="set-elsewhere")
            if list(rules) not in (shown.proposed, None if shown.latest is None else shown.latest.before):
                raise Conflict("Another path map is proposed by now. Look at it again.", code="moved-on")
            self._write(list(rules))
        return self.show()

    def _write(self, rules: list[str]) -> None:
        file, known = self._desk.loaded.file, self._known()
        try:
            change = scenes.PathMapChange(at=time.time(), file=str(file), before=_in_file(file), after=rules)
            self._keep(change)  # before it is gone from the file
            write_path_map(file, rules)
        except SettingsFileRefused as error:
            self._keep(known)
            raise Conflict(f"Not written: {error}", code="file-refused") from error

    def _proposed(self) -> list[str]:
        found = (check.path_map for check in self._checks().checks if check.name == CHECK)
        return next(found, [])

    def _known(self) -> scenes.PathMapChange | None:
        """Return the latest change, None if there is none, or while the store that knows it is not open."""
        if not self._is_known:
            with suppress(Unavailable):
                text = Memory(self._desk.installation.database).recall(FACT)
                self._latest = scenes.PathMapChange.model_validate_json(text) if text else None
                self._is_known = True
        return self._latest

    def _keep(self, change: scenes.PathMapChange | None) -> None:
        text = "" if change is None else change.model_dump_json()
        Memory(self._desk.installation.database).note(FACT, text)
        self._latest, self._is_known = change, True


def _in_file(file: Path) -> list[str]:
    """Return the rules that stand in the file, as they are written everywhere else. Raises SettingsFileRefused."""
    found = path_map_in(file)
    try:
        return [as_text(rule) for rule in path_rules(found)]
    except Refused:
        return list(found)


def _has(file: Path, rules: Sequence[str]) -> bool:
    """Say whether these rules stand in the file."""
    try:
        return _in_file(file) == rules
    except SettingsFileRefused:
        return False


def _why_not(origin: str, file: Path) -> str:
    return f"It is set by {origin}, which wins over {file}: set it there." if wins_over_file(origin) else ""
