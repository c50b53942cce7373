import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

import scenesync
from scenesync.app.demo import report
from scenesync.app.demo.narration import Narrator
from scenesync.app.demo.performance import DemoResult
from scenesync.app.demo.plugin_folder import install_plugin
from scenesync.app.demo.stash_page import SaveFailed, StashPage
from scenesync.app.demo.story import Facts, cast_of
from scenesync.app.demo.verdict import Check, Ending, judge
from scenesync.app.demo.world import DemoWorld, open_world
from scenesync.domain.dead_letter import DeadLetter
from scenesync.queue.records import QueueSnapshot
from scenesync.queue.snapshot import read_snapshot
from scenesync.simulators.stash.server import StashSimulator

SCENES = 20


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DemoWorld]:
    with open_world(tmp_path, scenes=SCENES, seed=1) as opened:
        yield opened


def failed(checks: tuple[Check, ...], claim: str) -> tuple[str, ...]:
    (found,) = [check for check in checks if claim in check.claim]
    return found.problems


def ending(world: DemoWorld, **changes: object) -> Ending:
    letter = DeadLetter(
        {"scene_id": world.ambiguous_scene}, "AmbiguousMatch", f"2 items fit: {', '.join(world.candidates)}"
    )
    parts = {
        "world": world,
        "facts": Facts(stop_status=0),
        "saved": (),
        "queue": QueueSnapshot(),
        "letters": (letter,),
        "log": "",
        **changes,
    }
    return Ending(**parts)  # type: ignore[arg-type]


def test_a_plex_that_shows_file_names_only_is_not_accepted(world: DemoWorld) -> None:
    problems = failed(judge(ending(world)), "Plex shows what Stash says")
    assert {int(problem.split(",")[0].removeprefix("scene ")) for problem in problems} == (
        set(world.sample.scene_ids) - {world.ambiguous_scene}
    )
    assert any(problem.startswith(f"scene {world.late_scene}, file") for problem in problems)


def test_jobs_that_are_left_are_not_accepted(world: DemoWorld) -> None:
    left = QueueSnapshot(pending=2, in_progress=1, waiting_by_error={"PlexNotFound": 2})
    assert len(failed(judge(ending(world, queue=left)), "nothing waits")) == 2
    assert failed(judge(ending(world)), "nothing waits") == ()


def test_only_the_one_dead_letter_with_both_candidates_is_accepted(world: DemoWorld) -> None:
    assert failed(judge(ending(world)), "one dead letter") == ()
    assert failed(judge(ending(world, letters=())), "one dead letter") != ()
    vague = DeadLetter({"scene_id": world.ambiguous_scene}, "AmbiguousMatch", f"only {world.candidates[0]}")
    assert world.candidates[1] in failed(judge(ending(world, letters=(vague,))), "one dead letter")[0]
    other = DeadLetter({"scene_id": world.late_scene}, "PlexNotFound", "no item")
    problems = failed(judge(ending(world, letters=(*ending(world).letters, other))), "one dead letter")
    assert problems == (f"scene {world.late_scene} was given up: PlexNotFound: no item",)


def test_a_save_without_hook_and_a_slow_recovery_are_not_accepted(world: DemoWorld) -> None:
    assert failed(judge(ending(world, saved=(1,))), "fired one hook") == ("1 saves, but 0 hooks",)
    slow = Facts(stop_status=0, recovery_s=9.0, requests_in_startup={"identity": 3, "list": 1})
    problems = failed(judge(ending(world, facts=slow)), "the outage cost no retry")
    assert any("9.0 s after" in problem for problem in problems)
    assert any("1 times for list" in problem for problem in problems)


def test_a_secret_in_the_log_and_an_unclean_end_are_not_accepted(world: DemoWorld) -> None:
    bad = ending(world, log=f"token={world.plex.token}", facts=Facts(stop_status=None, stop_s=10.0))
    problems = failed(judge(bad), "no secret")
    assert len(problems) == 2
    assert not any(world.plex.token in problem for problem in problems)


def test_a_save_over_http_fires_a_real_hook_that_keeps_the_event(world: DemoWorld) -> None:
    page = StashPage(world.stash.url, world.api_key)
    scene_ids = world.sample.scene_ids
    page.save(scene_ids[0], {"title": "Harbour at dusk"})
    page.bulk_save(scene_ids[1:4], studio_id=world.sample.studio_ids[0], add_tag_id=world.sample.tag_ids[0])
    page.close()
    assert world.stash.scene(scene_ids[0]).title == "Harbour at dusk"
    assert page.saved == list(scene_ids[:4])
    assert [run.output for run in world.stash.hook_runs] == ["ok"] * 4
    assert read_snapshot(world.data_dir / "queue").pending == 4


def test_a_save_that_stash_refuses_is_an_error_with_its_words(world: DemoWorld) -> None:
    page = StashPage(world.stash.url, world.api_key)
    with pytest.raises(SaveFailed, match="scene with id 999 not found"):
        page.save(999, {"title": "x"})
    page.close()
    assert page.saved == []


def test_without_hook_py_a_stand_in_keeps_the_event(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "scenesync"
    shutil.copytree(Path(scenesync.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    data_dir, plugins = tmp_path / "data", tmp_path / "plugins"
    assert install_plugin(plugins, package) is False
    with StashSimulator(plugins, hook_env={"SCENESYNC_DATA_DIR": str(data_dir)}) as stash:
        stash.save(stash.add_scene(title="Pier", path="/data/stash/pier.mkv"), title="Pier at noon")
        assert [(run.exit_status, run.output) for run in stash.hook_runs] == [(0, "ok")]
    assert read_snapshot(data_dir / "queue").pending == 1


def test_the_repository_brings_its_own_hook(tmp_path: Path) -> None:
    assert install_plugin(tmp_path / "plugins") is True
    assert "Dead letters: replay" in (tmp_path / "plugins" / "scenesync" / "scenesync.yml").read_text(encoding="utf-8")


def test_every_scene_has_exactly_one_part_in_the_story() -> None:
    for count in (20, 33, 300):
        cast = cast_of(range(1, count + 1))
        parts = (cast.calm, cast.outage_bulk, cast.outage, cast.killed_bulk, cast.killed, cast.rest)
        assert [scene for part in parts for scene in part] == list(range(1, count + 1))
        assert all(len(part) > 0 for part in parts)


def test_a_claim_that_does_not_hold_is_printed_with_what_speaks_against_it() -> None:
    checks = (Check("all is well"), Check("nothing waits", tuple(f"job {number}" for number in range(25))))
    result = DemoResult(20, 1, (), 3.0, Facts(), checks=checks)
    console = Console(record=True, width=100, quiet=False, force_terminal=False)
    with console.capture() as captured:
        report.print_result(console, result)
    text = captured.get()
    assert not result.succeeded
    assert "  ok  all is well" in text
    assert "  NO  nothing waits\n      job 0\n" in text
    assert "and 5 more" in text
    assert "1 of 2 claims do not hold" in text


def test_a_story_that_broke_off_is_no_success() -> None:
    result = DemoResult(20, 1, (), 3.0, Facts(), checks=(Check("all is well"),), broken="Waited in vain.")
    assert not result.succeeded
    assert not DemoResult(20, 1, (), 3.0, Facts()).succeeded


def test_long_lines_of_the_story_hang_under_their_beginning_and_keep_units() -> None:
    console = Console(width=100, force_terminal=False)
    narrator = Narrator(console)
    with console.capture() as captured:
        narrator.say("word " * 17 + "x 2.0 s later")
    first, second = captured.get().splitlines()
    assert len(first) <= 100
    assert second == " " * 10 + "2.0 s later"
    assert narrator.events[0].text.endswith("x 2.0 s later")
