"""Whose state lies in the data directory when tables come, go and change: used by its own Stash, or refused."""

from __future__ import annotations

import json
import os
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.app.commands.status import totals
from scenesync.app.configuration.marks import leave_mark
from scenesync.app.context import AppContext
from scenesync.app.exit_codes import DONE
from scenesync.app.plugin.tasks import run_task
from scenesync.app.running.daemon import SettingsSource, SettingsWatch
from scenesync.app.settings import LoadedSettings, SettingsError, load_settings
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from pathlib import Path

LIVING = '[[stash]]\nname = "living"\nurl = "http://living:9999"\n'
ATTIC = '[[stash]]\nname = "attic"\nurl = "http://attic:9999"\n'
HOME = '[[plex]]\nname = "home"\nurl = "http://home:32400"\ntoken = "fake-home-token"\n'
CABIN = '[[plex]]\nname = "cabin"\nurl = "http://cabin:32400"\ntoken = "fake-cabin-token"\n'
ALONE = 'stash_url = "http://{stash}:9999"\nplex_url = "http://{plex}:32400"\nplex_token = "fake-token"\n'


def alone(stash: str, plex: str = "home") -> str:
    return ALONE.format(stash=stash, plex=plex)


class Place:
    """A data directory whose settings file changes."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def write(self, *tables: str) -> None:
        (self.data_dir / "scenesync.toml").write_text("\n".join(tables), encoding="utf-8")

    def load(self, *tables: str) -> LoadedSettings:
        self.write(*tables)
        return load_settings()

    def worked(self, *tables: str) -> None:
        """Do as if SceneSync had worked with these settings."""
        loaded = self.load(*tables)
        for settings in [route.settings for route in loaded.routes] or [loaded.settings]:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            leave_mark(settings)

    def folders(self, *tables: str) -> dict[str, str]:
        routes = self.load(*tables).routes
        return {route.name: str(route.settings.data_dir.relative_to(self.data_dir)) for route in routes}

    def refusal(self, *tables: str) -> str:
        with pytest.raises(SettingsError) as caught:
            self.load(*tables)
        [problem] = caught.value.problems
        return problem.replace(str(self.data_dir), "DIR")

    @property
    def mark(self) -> Any:
        return json.loads((self.data_dir / "route.json").read_text(encoding="utf-8"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in [name for name in os.environ if name.upper().startswith("SCENESYNC_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path))
    return Place(tmp_path)


def test_the_single_settings_note_whose_state_it_is_if_they_say_where_stash_is(place: Place) -> None:
    place.worked('plex_url = "http://home:32400"')
    assert not (place.data_dir / "route.json").exists(), "under a plugin the default would be a guess"
    place.worked(alone("living"))
    assert place.mark == {
        "route": "",
        "stash_url": "http://living:9999",
        "plex_url": "http://home:32400",
        "server": "",
    }
    place.worked(alone("stash.example"))
    assert place.mark["stash_url"] == "http://stash.example:9999"


def test_settings_for_all_routes_say_nothing_about_the_route_in_the_data_directory(place: Place) -> None:
    place.worked(LIVING, ATTIC, HOME)
    leave_mark(place.load(ATTIC, LIVING, HOME).settings)
    assert place.mark["route"] == "living-home"


def test_the_state_of_the_only_stash_goes_to_its_route_wherever_its_table_stands(place: Place) -> None:
    place.worked(alone("living"))
    assert place.folders(ATTIC, LIVING, HOME) == {"attic-home": "routes/attic-home", "living-home": "."}
    servers = {
        route.stash: route.settings.place.server
        for route in place.load(ATTIC, LIVING, HOME).routes
        if route.settings.place
    }
    assert servers == {"attic": "attic", "living": ""}
    # To another Plex as well, of which the state keeps everything by its own identity.
    assert place.folders(ATTIC, LIVING, CABIN) == {"attic-cabin": "routes/attic-cabin", "living-cabin": "."}


def test_state_that_nobody_says_anything_about_goes_to_the_first_table(place: Place) -> None:
    place.worked('plex_url = "http://home:32400"')
    assert place.folders(ATTIC, LIVING, HOME) == {"attic-home": ".", "living-home": "routes/living-home"}


def test_tables_without_the_only_stash_that_there_was_are_refused(place: Place) -> None:
    place.worked(alone("192.0.2.9"))
    assert place.refusal(LIVING, ATTIC, HOME) == (
        "The state in DIR was made for the Stash at http://192.0.2.9:9999, and no [[stash]] has this address. Write it "
        "in the table of that Stash; it can be changed once SceneSync was started with it. If that Stash is gone for "
        "good, delete route.json, scenesync.db and queue there."
    )


def test_the_single_settings_are_refused_the_state_of_another_stash(place: Place) -> None:
    place.worked(LIVING, ATTIC, HOME)
    assert place.refusal(alone("attic")) == (
        "The state of the Stash at http://attic:9999 lies in DIR/routes/attic-home, where tables alone lead. Keep "
        "[[stash]] attic and [[plex]] home: there may be one of each."
    )
    assert place.refusal(alone("garden")).startswith(
        "The state in DIR was made for the Stash at http://living:9999 (route living-home), and would be used for the "
        "one at http://garden:9999."
    )
    assert place.refusal('plex_url = "http://home:32400"') == (
        "The states of several Stashes lie in DIR, and no setting says which one is meant. Set stash_url to the "
        "address that it had in its table."
    )
    assert place.load(alone("living")).settings.data_dir == place.data_dir
    # What the refusals advise is accepted.
    assert place.folders(ATTIC, HOME) == {"attic-home": "routes/attic-home"}


def test_the_single_settings_are_refused_where_the_same_stash_has_state_for_that_plex_elsewhere(place: Place) -> None:
    place.worked(LIVING, HOME, CABIN)
    assert "lies in DIR/routes/living-cabin" in place.refusal(alone("living", "cabin"))
    place.worked(alone("living"))
    place.worked(alone("living", "192.0.2.7"))
    assert place.mark["plex_url"] == "http://192.0.2.7:32400"


def test_who_goes_back_and_forth_finds_all_state_again(place: Place) -> None:
    place.worked(alone("living"))
    place.worked(LIVING, ATTIC, HOME)
    place.worked(alone("living"))
    assert place.folders(ATTIC, LIVING, HOME) == {"attic-home": "routes/attic-home", "living-home": "."}


def test_the_name_of_a_stash_that_is_gone_is_refused_to_another_one(place: Place) -> None:
    place.worked(LIVING, ATTIC, HOME)
    assert place.refusal(ATTIC.replace('"attic"', '"living"'), HOME) == (
        "The state in DIR was made for the Stash at http://living:9999, and would be used for [[stash]] living at "
        "http://attic:9999, whose own state lies in DIR/routes/attic-home. Give that table another name, or its old "
        "one back: a name belongs to one server for good."
    )


def test_the_names_of_two_plexes_that_were_exchanged_are_refused_too(place: Place) -> None:
    place.worked(LIVING, HOME, CABIN)
    with pytest.raises(SettingsError, match=r"the Plex at http://home:32400, which is \[\[plex\]\] cabin now"):
        place.load(LIVING, HOME.replace('"home"', '"cabin"'), CABIN.replace('"cabin"', '"home"'))
    assert "whose own state lies in DIR/routes/living-cabin" in place.refusal(
        LIVING, CABIN.replace('"cabin"', '"home"')
    )


def test_one_folder_is_not_given_to_two_tables_with_the_same_addresses(place: Place) -> None:
    place.worked(LIVING, ATTIC, HOME)
    twice = [ATTIC.replace('"attic"', f'"{name}"') for name in ("loft", "roof")]
    found = place.folders(LIVING, *twice, HOME)
    assert found == {"living-home": ".", "loft-home": "routes/attic-home", "roof-home": "routes/roof-home"}


def test_with_a_database_of_several_machines_a_new_name_is_refused(place: Place) -> None:
    database = 'database_url = "postgresql://somebody@db.example/films"'
    place.worked(database, LIVING, ATTIC, HOME)
    assert place.refusal(database, LIVING, ATTIC.replace('"attic"', '"loft"'), HOME) == (
        "With database_url a route keeps its name, by which all machines find its state: loft-home was attic-home. "
        "Give the tables their names back."
    )


def watching(place: Place, *tables: str, is_for_all: bool = False) -> SettingsWatch:
    place.write(*tables)
    source = SettingsSource(AppContext(is_for_all=is_for_all), None)
    return SettingsWatch(source, source.load())


def test_a_second_table_is_not_taken_up_by_who_works_for_one_route(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.worked(LIVING, HOME)
    watch = watching(place, LIVING, HOME)
    before = watch.latest
    assert before.settings.place is not None
    for tables in ((ATTIC, LIVING, HOME), (ATTIC, HOME), (alone("living"),)):
        place.write(*tables)
        assert not watch.look()
        assert watch.latest is before
        assert "one server or several: that takes effect when SceneSync is started again" in capsys.readouterr().err


def test_who_works_for_all_routes_goes_on_with_the_one_that_is_left_wherever_its_state_lies(place: Place) -> None:
    place.worked(LIVING, ATTIC, HOME)
    watch = watching(place, LIVING, ATTIC, HOME, is_for_all=True)
    for tables, left in (((ATTIC, HOME), "attic-home"), ((LIVING, HOME), "living-home")):
        place.write(*tables)
        watch.look()
        assert [route.name for route in watch.latest.routes] == [left]
        assert watch.latest.settings.data_dir == place.data_dir


def test_a_route_that_is_alone_stands_for_all_only_if_its_state_lies_in_the_data_directory(place: Place) -> None:
    place.worked(LIVING, ATTIC, HOME)
    place.write(LIVING, HOME)
    assert AppContext().load().settings.place is not None
    place.write(ATTIC, HOME)
    away = AppContext().load().settings
    assert (away.place, away.data_dir) == (None, place.data_dir)
    settings = AppContext(route="attic-home").load().settings
    assert settings.data_dir == place.data_dir / "routes" / "attic-home"


def test_tasks_of_the_plugin_work_where_the_file_has_a_table_of_their_stash(place: Place) -> None:
    with StashSimulator() as stash:
        place.write(f'[[stash]]\nname = "living"\nurl = "{stash.url}"\n', HOME)
        port = int(stash.url.rpartition(":")[2])
        document = {
            "args": {"mode": "queue-status"},
            "server_connection": {"Scheme": "http", "Host": "127.0.0.1", "Port": port},
        }
        stdout = BytesIO()
        assert run_task(AppContext(), document, stdout, BytesIO()) == DONE
    assert json.loads(stdout.getvalue()).get("error") is None


def test_where_nothing_is_known_of_any_route_the_worst_is_said() -> None:
    assert totals([])["plex"] == "down"
    assert totals([])["pending"] == 0
