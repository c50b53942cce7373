import stat
from pathlib import Path

import pytest

from scenesync.disk.drafts import drafted


def test_a_file_is_replaced_when_its_draft_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "settings.toml"
    target.write_text("old")
    with drafted(target) as draft:
        draft.write_text("new")
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_what_fails_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "settings.toml"
    target.write_text("old")

    def write_half() -> None:
        with drafted(target) as draft:
            draft.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_two_drafts_of_one_file_are_two(tmp_path: Path) -> None:
    target = tmp_path / "settings.toml"
    with drafted(target) as first, drafted(target) as second:
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"
