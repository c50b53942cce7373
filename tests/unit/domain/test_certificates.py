from __future__ import annotations

import pytest

from scenesync.domain.certificates import cure


@pytest.mark.parametrize(
    ("verify_code", "told"),
    [
        (18, "plex_ca_file"),
        (19, "plex_ca_file"),
        (20, "plex_ca_file"),
        (62, "plex_url"),
        (64, "plex_url"),
        (10, "renew"),
        (9, "clock"),
        (1, "plex_ca_file"),
        (None, "plex_url"),
    ],
)
def test_each_fault_has_its_cure(verify_code: int | None, told: str) -> None:
    assert told in cure("plex", verify_code)
    assert "{" not in cure("stash", verify_code)
