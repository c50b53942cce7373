from __future__ import annotations

import copy
import pickle
from enum import StrEnum

from scenesync.domain.fields import Field
from scenesync.domain.members import plain_members


def test_members_that_are_plain_attributes_are_members_all_the_same() -> None:
    @plain_members
    class Season(StrEnum):
        SPRING = "spring"
        AUTUMN = "autumn"

    assert vars(Season)["SPRING"] is Season("spring") is Season["SPRING"]
    assert [each.name for each in Season] == ["SPRING", "AUTUMN"]
    assert {"autumn": 1}[Season.AUTUMN] == 1


def test_they_are_the_same_ones_after_a_copy() -> None:
    assert all(copy.deepcopy(each) is each is pickle.loads(pickle.dumps(each)) for each in Field)  # noqa: S301 - our own
