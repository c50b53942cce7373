"""What the commands do where there are several servers: for which routes, in which form, with which exit status."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from command_line import run_command

from scenesync.app.exit_codes import DONE, FAILED, LEFTOVERS, USAGE
from scenesync.app.opening import open_queue
from scenesync.app.settings import load_settings
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import scene_job

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import Ran

NOWHERE = "http://127.0.0.1:9"
LIVING = f'[[stash]]\nname = "living"\nurl = "{NOWHERE}"\n'
ATTIC = f'[[stash]]\nname = "attic"\nurl = "{NOWHERE}/attic"\nplex = ["cabin"]\n'
PLEXES = "".join(
    f'[[plex]]\nname = "{name}"\nurl = "{NOWHERE}/{name}"\ntoken = "fake-{name}-token"\n' for name in ("home", "cabin")
)


class Household:
    def __init__(self, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data_dir = data_dir
        self._capsys = capsys

    def settle(self, *tables: str) -> None:
        (self.data_dir / "scenesync.toml").write_text("\n".join(tables), encoding="utf-8")

    def enqueue(self, route: str, *scene_ids: int) -> None:
        settings = next(each.settings for each in load_settings().routes if each.name == route)
        with open_queue(settings) as queue:
            queue.put_many(scene_job(scene_id, 1.0) for scene_id in scene_ids)

    def give_up(self, route: str, scene_id: int) -> None:
        settings = next(each.settings for each in load_settings().routes if each.name == route)
        with open_queue(settings) as queue:
            queue.dead_letters.add(DeadLetter(scene_job(scene_id, 1.0), "PlexNotFound", "no item plays it"))

    def run(self, *arguments: str) -> Ran:
        return run_command(self._capsys, *arguments)

    def document(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def household(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Household:
    for name in [name for name in os.environ if name.upper().startswith("SCENESYNC_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path))
    household = Household(tmp_path, capsys)
    household.settle(LIVING, ATTIC, PLEXES)
    return household


def test_a_list_is_shown_for_every_route_under_its_name(household: Household) -> None:
    household.enqueue("living-home", 5)
    household.enqueue("attic-cabin", 5, 6)
    ran = household.run("queue", "list")
    assert ran.exit_code == LEFTOVERS
    headings = [line for line in ran.stdout.splitlines() if line.startswith("==")]
    assert headings == ["== living-home ==", "== living-cabin ==", "== attic-cabin =="]
    routes = household.document("queue", "list")["routes"]
    assert [(route["route"], [job["scene_id"] for job in route["entries"]]) for route in routes] == [
        ("living-home", [5]),
        ("living-cabin", []),
        ("attic-cabin", [5, 6]),
    ]


def test_a_route_or_the_routes_of_a_server_can_be_chosen(household: Household) -> None:
    household.enqueue("attic-cabin", 6)
    assert household.run("queue", "list", "--route", "living").exit_code == DONE
    assert household.run("queue", "list", "--route", "cabin").exit_code == LEFTOVERS
    one = household.run("queue", "list", "--route", "attic-cabin")
    assert "==" not in one.stdout
    assert household.document("queue", "list", "--route", "attic-cabin")["entries"][0]["scene_id"] == 6
    unknown = household.run("queue", "list", "--route", "garden")
    assert unknown.exit_code == USAGE
    assert "there is no such route. There are: living-home, living-cabin, attic-cabin." in unknown.stderr


def test_status_has_the_sums_above_the_routes(household: Household) -> None:
    household.enqueue("living-home", 5)
    household.enqueue("attic-cabin", 5, 6)
    household.give_up("living-cabin", 9)
    document = household.document("status")
    assert (document["pending"], document["due"], document["dead_letters"]) == (3, 3, 1)
    assert (document["circuit"], document["plex"]) == ("closed", "unknown")
    assert document["oldest_pending_s"] > 0
    assert [(route["route"], route["pending"]) for route in document["routes"]] == [
        ("living-home", 1),
        ("living-cabin", 0),
        ("attic-cabin", 2),
    ]
    assert household.document("status", "--route", "attic-cabin")["pending"] == 2


@pytest.mark.parametrize(
    "command",
    [
        ("pin", "5", "77"),
        ("undo", "5"),
        ("dlq", "show", "1"),
        ("dlq", "replay", "1"),
        ("explain", "5"),
        ("sync", "5", "--no-wait"),
        ("journal", "5"),
        ("stopped", "show", "1"),
    ],
)
def test_what_means_one_route_has_to_say_which(household: Household, command: tuple[str, ...]) -> None:
    ran = household.run(*command)
    assert ran.exit_code == USAGE
    assert (
        "There are several routes. Say which one, with --route: living-home, living-cabin, attic-cabin." in ran.stderr
    )


def test_scenes_of_one_stash_need_no_choice(household: Household) -> None:
    ran = household.run("sync", "5", "--no-wait", "--route", "living")
    assert ran.exit_code == DONE
    household.settle(LIVING, PLEXES)
    assert household.run("sync", "6", "--no-wait").exit_code == DONE
    assert [route["pending"] for route in household.document("status")["routes"]] == [2, 2]


def test_letters_are_replayed_on_every_route_together_or_by_number_on_one(household: Household) -> None:
    household.give_up("living-home", 5)
    household.give_up("attic-cabin", 5)
    assert household.document("dlq", "replay", "1", "--route", "attic-cabin") == {"route": "attic-cabin", "replayed": 1}
    assert household.document("dlq", "replay", "--all") == {
        "routes": [
            {"route": "living-home", "replayed": 1},
            {"route": "living-cabin", "replayed": 0},
            {"route": "attic-cabin", "replayed": 0},
        ]
    }


def test_what_stops_one_route_keeps_no_other_from_its_turn(household: Household) -> None:
    for route in ("living-home", "attic-cabin"):
        household.enqueue(route, 5)
    ran = household.run("drain", "--wait", "0")
    assert ran.exit_code == FAILED
    assert ran.stdout.count("== ") == 3
    assert ran.stderr.count("scenesync: ") >= 2
    assert household.document("status")["pending"] == 2
    stopped = {route["route"] for route in household.document("drain", "--wait", "0")["routes"] if "error" in route}
    assert stopped >= {"living-home", "attic-cabin"}


def test_one_route_that_cannot_be_looked_at_has_its_reason_in_the_place_of_its_figures(household: Household) -> None:
    household.enqueue("living-home", 5)
    household.enqueue("attic-cabin", 5)
    (household.data_dir / "routes" / "attic-cabin" / "queue" / "data.db").write_bytes(b"no database at all" * 400)
    document = household.document("status")
    assert document["pending"] == 1
    assert [(route["route"], "error" in route) for route in document["routes"]] == [
        ("living-home", False),
        ("living-cabin", False),
        ("attic-cabin", True),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "5"),
        ("restore", "scenesync.toml", "--yes"),
        ("setup", "--yes"),
        ("queue", "list", "--route", "x"),
        ("pin",),
    ],
)
def test_a_command_that_fails_still_prints_one_document(
    household: Household, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(household.data_dir)
    ran = household.run(*arguments, "--json")
    assert ran.exit_code == USAGE
    document = json.loads(ran.stdout)
    assert list(document) == ["error"]
    assert document["error"].splitlines()[0] in ran.stderr
    assert household.run(*arguments).stdout == ""


def test_doctor_says_where_each_state_lies_and_what_is_left_of_earlier_routes(household: Household) -> None:
    household.enqueue("living-home", 5)
    household.enqueue("attic-cabin", 5)
    household.settle(LIVING, PLEXES)
    checks = [check for route in household.document("doctor")["routes"] for check in route["entries"]]
    said = [check["finding"] for check in checks if check["name"] == "route"]
    assert said[0] == f"living-home: {NOWHERE} to {NOWHERE}/home, state in {household.data_dir}"
    assert said[1] == (
        f"queue and state of attic-cabin ({NOWHERE}/attic to {NOWHERE}/cabin) are left in "
        f"{household.data_dir / 'routes' / 'attic-cabin'}"
    )
    assert len(said) == 3


def test_one_route_alone_is_like_the_short_form_with_a_name(household: Household) -> None:
    household.settle(LIVING, PLEXES.partition('[[plex]]\nname = "cabin"')[0])
    household.enqueue("living-home", 5)
    ran = household.run("queue", "list")
    assert "==" not in ran.stdout
    assert household.document("status")["pending"] == 1
    assert (household.data_dir / "queue" / "data.db").exists()


def test_without_tables_there_is_no_route_to_choose(household: Household) -> None:
    household.settle(f'plex_url = "{NOWHERE}"', 'plex_token = "fake-token"')
    ran = household.run("status", "--route", "home")
    assert ran.exit_code == USAGE
    assert "there is one Stash and one Plex, so there are no routes. Leave --route out." in ran.stderr
    assert household.run("status").stdout.startswith("queue ")


def test_setup_does_not_touch_a_file_with_tables(household: Household) -> None:
    before = (household.data_dir / "scenesync.toml").read_bytes()
    ran = household.run("setup", "--yes")
    assert ran.exit_code == USAGE
    assert "tables of several servers, which setup cannot write" in ran.stderr
    assert (household.data_dir / "scenesync.toml").read_bytes() == before


def test_backups_of_further_routes_lie_in_folders_of_their_own(household: Household, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    household.settle(f'backup_dir = "{kept}"', LIVING, PLEXES)
    for route in ("living-home", "living-cabin"):
        household.enqueue(route, 5)
    assert household.run("backup").exit_code == DONE
    assert len(list(kept.glob("*.zip"))) == len(list((kept / "living-cabin").glob("*.zip"))) == 1
