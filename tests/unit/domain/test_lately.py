from __future__ import annotations

from scenesync.domain.lately import MINUTES, Lately

NOON = 1_777_636_800.0


def happened(*times: float) -> Lately:
    lately = Lately()
    for at in times:
        lately = lately.with_one(at)
    return lately


def test_what_happened_within_the_hour_is_counted_and_what_is_older_is_forgotten() -> None:
    lately = happened(NOON, NOON + 1, NOON + 1800)
    assert [lately.count(NOON + after) for after in (1801, 3599, 3601, 5399, 5401)] == [3, 3, 1, 1, 0]
    assert len(happened(*(NOON + second * 10 for second in range(2000))).minutes) <= MINUTES


def test_it_is_read_as_it_was_written() -> None:
    lately = happened(NOON, NOON, NOON + 70)
    assert Lately.from_text(lately.to_text()) == lately
    assert Lately.from_text(None).count(NOON) == 0
