"""What follows from where the value of a setting comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenesync.domain.setting_origin import DEFAULT, is_decided, of_file, wins_over_file


@pytest.mark.parametrize(
    ("origin", "decided", "wins"),
    [
        (DEFAULT, False, False),
        (of_file(Path("/data/scenesync.toml")), True, False),
        ("environment SCENESYNC_PLEX_URL", True, True),
        ("Stash plugin settings", True, True),
        ("command line", True, True),
    ],
)
def test_what_is_set_elsewhere_wins_over_the_file_and_a_default_is_nobodys_decision(
    origin: str, *, decided: bool, wins: bool
) -> None:
    assert is_decided(origin) is decided
    assert wins_over_file(origin) is wins
