"""What the daemon and the plugin's tasks leave for the hook: written by several at once, and seldom new."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from scenesync.app.running.daemon import HOOK_FILE, try_to_write_hook_file, write_hook_file
from scenesync.app.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, http_port=9000)
    write_hook_file(settings)
    first = (tmp_path / HOOK_FILE).stat()
    write_hook_file(settings)
    assert (tmp_path / HOOK_FILE).stat().st_ino == first.st_ino
    assert first.st_mode & 0o777 == 0o600
    write_hook_file(Settings(data_dir=tmp_path, http_port=9001))
    assert json.loads((tmp_path / HOOK_FILE).read_text())["dashboard"]["port"] == 9001
    assert [path.name for path in tmp_path.iterdir()] == [HOOK_FILE]


def test_several_at_once_do_not_take_each_others_draft(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(port: int) -> None:
        try:
            for turn in range(100):
                write_hook_file(Settings(data_dir=tmp_path, http_port=port + turn % 2))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=write, args=(port,)) for port in (9000, 9010, 9020, 9030)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in tmp_path.iterdir()] == [HOOK_FILE]


def test_that_it_cannot_be_written_is_said_and_leaves_no_draft(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / HOOK_FILE).mkdir()
    try_to_write_hook_file(Settings(data_dir=tmp_path))
    assert "hook.json cannot be written" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [HOOK_FILE]
    with pytest.raises(OSError, match=r"hook\.json"):
        write_hook_file(Settings(data_dir=tmp_path))
