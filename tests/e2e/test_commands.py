"""What the commands print and with which status they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from live_world import PLEX_ROOT

if TYPE_CHECKING:
    from live_world import LiveWorld

    from scenesync.simulators.stash.records import Scene

pytestmark = pytest.mark.e2e


def ambiguous_scene(world: LiveWorld) -> tuple[Scene, list[str]]:
    """A scene whose file Plex has twice, at other paths than the mapped one; with the two rating keys."""
    scene = world.add_scene("Northern lights", in_plex=False)
    items = [
        world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/Northern lights.mp4") for folder in ("A", "B")
    ]
    return scene, [item.rating_key for item in items]


def test_wrong_settings_are_all_named_and_end_with_2(world: LiveWorld) -> None:
    world.data_dir.mkdir()
    (world.data_dir / "scenesync.toml").write_text('workers = 900\nplex_url = "ftp://nas"\npoll_intervall = 30\n')
    ran = world.scenesync("drain", plex_url=None, max_retries="many")
    assert (ran.exit_code, ran.stdout) == (2, "")
    lines = ran.stderr.splitlines()
    assert lines[0] == "scenesync: 4 settings need attention:"
    assert len(lines) == 5
    for expected in ("workers = 900", "plex_url", "Did you mean poll_interval?", 'max_retries = "many"'):
        assert expected in ran.stderr


def test_a_command_that_needs_plex_says_how_to_name_it(world: LiveWorld) -> None:
    ran = world.scenesync("sync", "--all", plex_url=None, plex_token=None)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "2 settings need attention" in ran.stderr
    assert f'Write plex_url = "http://192.0.2.7:32400" in {world.data_dir}/scenesync.toml' in ran.stderr
    assert "SCENESYNC_PLEX_TOKEN" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sync",), "Name scenes by id, or choose them with --since TIME, or take --all."),
        (("sync", "--since", "yesterday"), "'yesterday' is no time."),
        (("dlq", "discard", "--all"), "Without a terminal this needs --yes."),
        (("dlq", "replay"), "Name letters by id, or by filter options, or all of them with --all."),
    ],
)
def test_wrong_usage_ends_with_2(world: LiveWorld, arguments: tuple[str, ...], message: str) -> None:
    ran = world.scenesync(*arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert world.jobs() == 0


def test_status_without_a_data_directory_shows_zeros_and_makes_nothing(world: LiveWorld) -> None:
    requests = len(world.plex.requests) + len(world.stash.requests)
    ran = world.scenesync("status", "--json", plex_url=None, plex_token=None)
    assert (ran.exit_code, ran.stderr) == (0, "")
    status = ran.document()
    counts = ("pending", "due", "in_progress", "dead_letters", "completed_total", "failed_total", "oldest_pending_s")
    assert {key: status[key] for key in counts} == dict.fromkeys(counts, 0)
    assert (status["circuit"], status["plex"]) == ("closed", "unknown")
    text = world.scenesync("status").stdout
    assert "0 pending (0 due), 0 in progress, 0 dead letters" in text
    assert not world.data_dir.exists()
    assert len(world.plex.requests) + len(world.stash.requests) == requests


def test_with_json_stdout_holds_one_document_and_nothing_else(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    ambiguous_scene(world)
    enqueued = world.scenesync("sync", str(scene.id), "--no-wait", "--json")
    assert (enqueued.exit_code, enqueued.document()) == (0, {"created": 1, "merged": 0})
    synced = world.scenesync("sync", "--all", "--json")
    assert synced.exit_code == 3
    report = synced.document()
    assert (report["synced"], report["dead"], report["dead_letters"], report["pending"]) == (1, 1, 1, 0)
    drained = world.scenesync("drain", "--json")
    assert (drained.exit_code, drained.document()["synced"]) == (3, 0)
    [letter] = world.scenesync("dlq", "list", "--json").document()
    assert world.scenesync("dlq", "show", str(letter["id"]), "--json").document() == letter
    checks = world.scenesync("doctor", "--json").document()
    assert {check["verdict"] for check in checks} <= {"ok", "warning"}
    assert {check["name"] for check in checks} >= {"stash", "plex", "plex token", "plex libraries", "path mapping"}
    assert world.scenesync("status", "--json").document()["dead_letters"] == 1


def test_a_dead_letter_for_an_ambiguous_match_names_its_candidates_and_can_be_replayed(world: LiveWorld) -> None:
    scene, keys = ambiguous_scene(world)
    world.stash.save(scene, details="Which of the two?")
    assert world.scenesync("drain").exit_code == 3
    assert world.plex.field_writes == []

    listed = world.scenesync("dlq", "list")
    assert listed.exit_code == 3
    assert "AmbiguousMatch" in listed.stdout
    [letter] = world.scenesync("dlq", "list", "--json").document()
    assert letter["error_type"] == "AmbiguousMatch"
    assert letter["details"]["candidates"] == keys
    shown = world.scenesync("dlq", "show", str(letter["id"]))
    assert shown.exit_code == 0
    for key, folder in zip(keys, "AB", strict=True):
        assert f"{key} ({PLEX_ROOT}/{folder}/Northern lights.mp4)" in shown.stdout
    assert "What would help: Set path_map so that the exact path matches" in shown.stdout

    world.plex.remove_item(keys[1])
    replayed = world.scenesync("dlq", "replay", str(letter["id"]))
    assert (replayed.exit_code, replayed.stdout) == (0, "1 dead letter replayed.\n")
    assert world.scenesync("drain").exit_code == 0
    assert world.plex.item(keys[0]).summary == "Which of the two?"
    empty = world.scenesync("dlq", "list")
    assert (empty.exit_code, empty.stdout) == (0, "No dead letters.\n")


def test_dead_letters_are_discarded_one_by_one_freely_and_together_with_a_yes(world: LiveWorld) -> None:
    for title in ("Pier", "Island", "Valley"):
        scene = world.add_scene(title, in_plex=False)
        for folder in ("A", "B"):
            world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/{title}.mp4")
        world.stash.save(scene, organized=True)
    assert world.scenesync("drain").exit_code == 3
    assert world.queue().dead_letters == 3

    missing = world.scenesync("dlq", "show", "77")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr == "There is no dead letter 77; `scenesync dlq list` shows them.\n"
    assert world.scenesync("dlq", "discard", "1").exit_code == 0
    assert world.scenesync("dlq", "discard", "1").exit_code == 1
    assert world.scenesync("dlq", "discard", "2", "3").exit_code == 2
    assert world.queue().dead_letters == 2
    both = world.scenesync("dlq", "discard", "--error", "AmbiguousMatch", "--yes")
    assert (both.exit_code, both.stdout) == (0, "2 dead letters discarded.\n")
    assert world.jobs() == 0


def test_explain_knows_what_is_the_matter_with_each_scene(world: LiveWorld) -> None:
    in_sync = world.add_scene("Harbour at dawn")
    ambiguous, keys = ambiguous_scene(world)
    no_file = world.stash.add_scene(title="Only an idea")
    not_there = world.add_scene("Night train", in_plex=False)
    gone = world.add_scene("Old town")
    assert world.scenesync("sync", "--all").exit_code == 3
    world.stash.destroy(gone)

    def explained(scene: Scene) -> dict[str, Any]:
        ran = world.scenesync("explain", str(scene.id), "--json")
        assert ran.exit_code == 0
        document: dict[str, Any] = ran.document()
        return document

    first = explained(in_sync)
    assert first["verdict"] == "is in sync."
    assert (first["rule"], first["rating_keys"]) == ("path", [world.item_of(in_sync).rating_key])
    second = explained(ambiguous)
    assert second["verdict"].startswith("is not synced, because several Plex items fit")
    assert second["candidates"] == keys
    assert len(second["dead_letters"]) == 1
    third = explained(no_file)
    assert third["takes_part"] is False
    assert third["verdict"] == (
        f"does not take part. Scene {no_file.id} has no file, so there is nothing in Plex to show it on."
    )
    fourth = explained(not_there)
    assert fourth["verdict"].startswith(f"waits for Plex. No Plex item plays {not_there.path}.")
    assert "failed 1 times, last PlexNotFound" in str(fourth["waiting"])
    fifth = explained(gone)
    assert (fifth["verdict"], fifth["takes_part"]) == ("does not exist in Stash.", False)

    world.stash.save(in_sync, title="Harbour at dusk")
    text = world.scenesync("explain", str(in_sync.id)).stdout
    assert text.startswith(f"Scene {in_sync.id}: differs in title, titleSort.\n")
    assert "Harbour at dawn" in text
    assert "Harbour at dusk" in text
    assert "  waiting    since " in text


def test_scenes_that_are_gone_or_have_no_file_are_done_and_no_dead_letters(world: LiveWorld) -> None:
    gone = world.add_scene("Old town")
    no_file = world.stash.add_scene(title="Only an idea")
    world.stash.save(gone, details="A last word.")
    world.stash.save(no_file, details="Still an idea.")
    world.stash.destroy(gone)
    ran = world.scenesync("drain", "--json")
    assert ran.exit_code == 0
    assert (ran.document()["skipped"], world.jobs()) == (2, 0)
    assert world.plex.field_writes == []


def test_a_drain_out_of_time_leaves_the_rest_waiting_and_ends_with_3(world: LiveWorld) -> None:
    for number in range(16):
        world.add_scene(f"Pier {number:02d}")
    world.plex.latency_s = 0.2
    ran = world.scenesync("sync", "--all", "--no-wait")
    assert (ran.exit_code, ran.stdout) == (0, "16 scenes enqueued, 0 were waiting already.\n")
    # One worker holds few jobs, and those in hand are all that it may still finish.
    assert world.scenesync("drain", "--timeout", "1", workers="1").exit_code == 3
    assert world.jobs() > 0
    world.plex.latency_s = 0
    assert world.scenesync("drain").exit_code == 0
    assert world.queue().completed_total == 16
