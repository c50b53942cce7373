from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scenesync.app.doctor.mounts import network_share_type

if TYPE_CHECKING:
    from pathlib import Path

TABLE = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:40 / {root}/media rw - nfs4 nas:/media rw
41 40 0:41 / {root}/media/local rw master:2 - ext4 /dev/sdb1 rw
42 22 0:42 / {root}/my\040share rw - cifs //nas/share rw
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(TABLE.replace("{root}", str(tmp_path)))
    return file


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("media/scenesync", "nfs4"),
        ("media", "nfs4"),
        ("media/local/scenesync", None),
        ("media2", None),
        ("my share/data", "cifs"),
    ],
)
def test_the_nearest_mount_says_whether_a_folder_lies_on_a_share(
    tmp_path: Path, table: Path, folder: str, kind: str | None
) -> None:
    assert network_share_type(tmp_path / folder, table) == kind


def test_without_a_table_nothing_is_claimed(tmp_path: Path) -> None:
    assert network_share_type(tmp_path, tmp_path / "missing") is None
