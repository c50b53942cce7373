"""A Plex that fails in every way known: what Stash says arrives, once, within the tries of the error table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from faulty_household import MAX_RETRIES, SCALE, TRIES_OF, Household, shorten_pauses
from faulty_plex import FaultMix, doubled_writes, mishaps

from scenesync.domain.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from proofs import Bounds, Figures

pytestmark = pytest.mark.reliability

SHARE = 0.12
"""Of all requests so many go wrong, as long as their item has not had its share yet."""
AGAIN = 5
"""One in so many scenes is changed once more while the worker is busy."""


@pytest.mark.timeout(7200)
def test_whatever_plex_does_it_shows_what_stash_says_and_nothing_is_written_twice(
    tmp_path: Path, bounds: Bounds, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = bounds.pick(150, 5000)
    scenes = jobs * (AGAIN - 1) // AGAIN
    seed = bounds.first_seed
    shorten_pauses(monkeypatch)
    with Household(tmp_path / "data", scenes, seed) as house:
        plex = house.world.plex
        rows = mishaps(jobs)
        mix = FaultMix(rows, share=SHARE, seed=seed)
        plex._traffic.flakiness = mix
        with house.working():
            house.save_all()
            house.work_off(scenes // 4)
            house.outage()
            house.save_again((jobs - scenes) // 2)
            house.work_off(scenes // 2)
            house.refused_token()
            house.save_again(jobs - scenes - (jobs - scenes) // 2)
            house.outage()
            house.settle()
            wrong, doubled, left, jobs = house.wrong(), doubled_writes(plex), house.left(), house.jobs
            plex.heal()
            house.save_all()  # once more, with nothing to do: what was applied is recognised
            writes = len(plex.field_writes)
            house.settle()
            repeated = len(plex.field_writes) - writes
            outage = house.installation.outages.latest(10)[0]

        dead = [attempt for attempt in house.attempts if attempt.outcome is Outcome.DEAD]
        met = Counter(attempt.error_type for attempt in house.attempts if attempt.error_type)
        figures(
            "faulty Plex",
            f"{sum(mix.dealt.values())} faults of {len(mix.dealt)} kinds, 2 restarts",
            jobs=jobs,
            lost=len(wrong) + left.dead_letters,
            doubled=len(doubled) + repeated,
            remarks=", ".join(f"{count} {name}" for name, count in met.most_common()),
        )
        print(f"seed {seed}: {dict(mix.dealt)}", *wrong, *doubled, sep="\n")  # noqa: T201 - shown when the test fails
        assert [(attempt.scene_id, attempt.error_type, attempt.message) for attempt in dead] == []
        assert wrong == [], f"seed {seed}"
        assert (left.waiting, left.in_progress, left.dead_letters) == (0, 0, 0), f"seed {seed}"
        assert doubled == [], f"seed {seed}"
        assert repeated == 0
        assert beyond_the_table(house) == []
        assert set(mix.dealt) == {row.name for row in rows}, "a fault was never met: this proves less"
        assert plex.whole_library_edits == []
        assert plex.deleted_media == []
        assert plex.simulator_failures == ()
        assert outage.ended_at is not None


def beyond_the_table(house: Household) -> list[str]:
    """Return one line for each retry that the error table does not have, or that was planned too late."""
    tries: Counter[tuple[int, str]] = Counter()
    found = []
    for attempt in house.attempts:
        if attempt.outcome is not Outcome.RETRY:
            continue
        tries[attempt.scene_id, attempt.error_type] += 1
        if tries[attempt.scene_id, attempt.error_type] >= TRIES_OF.get(attempt.error_type, MAX_RETRIES):
            found.append(f"scene {attempt.scene_id}: too many tries after {attempt.error_type}")
        planned_s = (attempt.retry_at or 0.0) - attempt.started_at - attempt.duration_s
        if planned_s > max(600.0 * SCALE, 1.0):
            found.append(f"scene {attempt.scene_id}: waits {planned_s:.1f} s after {attempt.error_type}")
    return found
