"""Several Stash and Plex servers in ``scenesync.toml``: what is read, what is refused, and where each state lies."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from scenesync.app.configuration.marks import leave_mark
from scenesync.app.configuration.model import KEYS
from scenesync.app.configuration.operation import OperationSettings
from scenesync.app.configuration.route import PLEX, STASH
from scenesync.app.configuration.servers import common_settings, settings_of
from scenesync.app.context import secrets_of
from scenesync.app.routes.own_state import require_own_state
from scenesync.app.settings import LoadedSettings, SettingsError, load_settings, masked
from scenesync.store.database import open_database

LIVING = '[[stash]]\nname = "living"\nurl = "http://living:9999"\n'
ATTIC = '[[stash]]\nname = "attic"\nurl = "http://attic:9999"\n'
HOME = '[[plex]]\nname = "home"\nurl = "http://home:32400"\ntoken = "fake-home-token"\n'
CABIN = '[[plex]]\nname = "cabin"\nurl = "http://cabin:32400"\ntoken = "fake-cabin-token"\n'


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("SCENESYNC_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path))
    return tmp_path


def load(data_dir: Path, *tables: str) -> LoadedSettings:
    (data_dir / "scenesync.toml").write_text("\n".join(tables), encoding="utf-8")
    return load_settings()


def problems(data_dir: Path, *tables: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(data_dir, *tables)
    return tuple(problem.replace(str(data_dir), "DIR") for problem in caught.value.problems)


def names(loaded: LoadedSettings) -> list[str]:
    return [route.name for route in loaded.routes]


def settle(loaded: LoadedSettings) -> None:
    """Do as if every route had worked."""
    for route in loaded.routes:
        route.settings.data_dir.mkdir(parents=True, exist_ok=True)
        leave_mark(route.settings)


def folders(loaded: LoadedSettings, data_dir: Path) -> dict[str, str]:
    return {route.name: str(route.settings.data_dir.relative_to(data_dir)) for route in loaded.routes}


def test_every_stash_is_carried_to_every_plex_unless_it_names_some(data_dir: Path) -> None:
    assert names(load(data_dir, LIVING, ATTIC, HOME, CABIN)) == [
        "living-home",
        "living-cabin",
        "attic-home",
        "attic-cabin",
    ]
    assert names(load(data_dir, LIVING, ATTIC + 'plex = ["cabin"]', HOME, CABIN)) == [
        "living-home",
        "living-cabin",
        "attic-cabin",
    ]


def test_tables_of_one_kind_go_with_the_single_settings_of_the_other(data_dir: Path) -> None:
    loaded = load(data_dir, 'stash_url = "http://one:9999"', HOME, CABIN)
    assert names(loaded) == ["stash-home", "stash-cabin"]
    assert {route.settings.stash_url for route in loaded.routes} == {"http://one:9999"}

    loaded = load(data_dir, 'plex_url = "http://one:32400"', 'plex_token = "fake-token"', LIVING, ATTIC)
    assert names(loaded) == ["living-plex", "attic-plex"]
    assert {route.settings.plex_url for route in loaded.routes} == {"http://one:32400"}


def test_the_example_of_the_documents_is_right_and_names_every_key_of_a_server(data_dir: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "SEVERAL_SERVERS.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    for file in re.findall(r'_file = "(.+?)"', example):
        (data_dir / file).write_text("fake-secret\n", encoding="utf-8")
    assert names(load(data_dir, example)) == ["living-home", "living-cabin", "attic-cabin"]
    keys = {*settings_of(STASH), *settings_of(PLEX), "name", "plex", "outbox"}
    assert {key for key in keys if f"`{key}`" not in page} == set()


def test_without_tables_there_are_no_routes_and_no_place(data_dir: Path) -> None:
    loaded = load(data_dir, 'plex_url = "http://one:32400"', 'plex_token = "fake-token"')
    assert loaded.routes == ()
    assert loaded.settings.place is None
    assert loaded.settings.data_dir == data_dir
    settle(loaded)
    leave_mark(loaded.settings)
    assert not (data_dir / "route.json").exists()


def test_what_a_table_says_goes_before_what_is_said_for_all_wherever_that_was(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENESYNC_CONFLICT_POLICY", "fill")
    loaded = load(data_dir, "workers = 2", LIVING, HOME + "sync_tags = false", CABIN + 'conflict_policy = "plex"')
    home, cabin = (route.settings for route in loaded.routes)
    assert (home.sync_tags, home.conflict_policy, home.workers) == (False, "fill", 2)
    assert (cabin.sync_tags, cabin.conflict_policy, cabin.workers) == (True, "plex", 2)
    assert loaded.routes[1].origins["conflict_policy"] == (
        f"file {data_dir / 'scenesync.toml'}, conflict_policy in [[plex]] cabin"
    )
    assert loaded.routes[0].origins["conflict_policy"] == "environment SCENESYNC_CONFLICT_POLICY"


def test_a_secret_may_stand_in_a_file_beside_and_is_never_shown(data_dir: Path) -> None:
    (data_dir / "cabin-token").write_text("fake-cabin-token\n", encoding="utf-8")
    table = CABIN.replace('token = "fake-cabin-token"', 'token_file = "cabin-token"')
    loaded = load(data_dir, LIVING + 'api_key = "fake-api-key"', HOME, table)
    settings = loaded.routes[1].settings
    assert set(secrets_of(settings)) == {"fake-api-key", "fake-cabin-token"}
    assert data_dir / "cabin-token" in loaded.files
    for text in (repr(loaded), str(masked(settings)), repr(settings)):
        assert "fake-" not in text


def test_everything_wrong_is_said_at_once_with_table_and_key(data_dir: Path) -> None:
    found = problems(
        data_dir,
        'plex_url = "http://single:32400"',
        "workers = 0",
        LIVING + 'plex = ["home", "garden"]\nurll = "x"\nhttp_port = 1\nstash_api_key = "fake"',
        '[[stash]]\nname = "Living room"\nurl = "http://other:9999"',
        HOME + "token_file = 'x'\npoll_interval = -1",
        HOME,
        '[[plex]]\nname = "cabin"\nurl = "ftp://cabin"',
    )
    origin = "(file DIR/scenesync.toml)"
    assert set(found) == {
        (
            f"plex_url {origin} and the tables [[plex]] exclude each other. Take it out there, and write url in each "
            "table."
        ),
        f"workers = 0 {origin}: must be a whole number from 1 to 64.",
        f'plex in [[stash]] living {origin}: there is no [[plex]] with name = "garden". There are: home, home, cabin.',
        f"urll in [[stash]] living {origin}: there is no such key. Did you mean url?",
        f"http_port in [[stash]] living {origin}: is one for all servers. Write it at the top level, above the tables.",
        f"stash_api_key in [[stash]] living {origin}: is written api_key here.",
        (
            f"name in [[stash]] Living room {origin}: it cannot be used. It must be made of a letter from a to z and "
            "then such letters and digits, at most 20 together."
        ),
        f"token_file and its other form are both given in [[plex]] home {origin}. Keep one of them.",
        f'name in [[plex]] {origin}: 2 tables have the name "home".',
        f"token in [[plex]] cabin {origin}: is missing.",
        (
            "poll_interval = -1 (file DIR/scenesync.toml, poll_interval in [[plex]] home): must be a number of seconds "
            "from 0 to 86400."
        ),
        (
            'plex_url = "ftp://cabin" (file DIR/scenesync.toml, url in [[plex]] cabin): it does not begin with '
            "http:// or https://. It must be an address such as http://192.0.2.7:32400."
        ),
    }
    assert "fake" not in "".join(found)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (
            (LIVING + 'path_map = ["/a => /b"]', HOME + 'path_map = ["/a => /c"]'),
            "path_map stands in [[stash]] living and in [[plex]] home, which belong together. Keep one of them.",
        ),
        (
            (LIVING + 'plex = ["home"]', HOME, CABIN),
            "[[plex]] cabin: no [[stash]] is carried to it. Name it under plex in one of them, or take it out.",
        ),
        (
            (LIVING + "plex = []", ATTIC, HOME),
            "[[stash]] living: plex is an empty list, so it is carried nowhere. Take it out, or name a [[plex]].",
        ),
        (
            (LIVING + 'plex = "home"', HOME),
            (
                'plex in [[stash]] living (file DIR/scenesync.toml): it is not a list, such as ["one", "two"]. It '
                "must be a list of names of [[plex]]."
            ),
        ),
        (
            ('[[stash]]\nname = "küche"\nurl = "http://kueche:9999"', HOME),
            (
                "name in [[stash]] küche (file DIR/scenesync.toml): it cannot be used. It must be made of a letter "
                "from a to z and then such letters and digits, at most 20 together."
            ),
        ),
        (
            ('[[stash]]\nurl = "http://nameless:9999"', HOME),
            (
                "name in [[stash]] number 1 (file DIR/scenesync.toml): every table needs one. It must be made of a "
                "letter from a to z and then such letters and digits, at most 20 together."
            ),
        ),
        (
            ("plex = [1]", LIVING),
            "plex (file DIR/scenesync.toml): several servers are written as tables, each beginning with [[plex]].",
        ),
    ],
)
def test_tables_that_do_not_go_together_are_refused(data_dir: Path, tables: tuple[str, ...], expected: str) -> None:
    assert expected in problems(data_dir, *tables)


def test_each_setting_is_either_of_one_server_or_of_all_or_may_be_both() -> None:
    single = {*settings_of(STASH).values(), *settings_of(PLEX).values()}
    assert {"stash_url", "stash_api_key", "plex_url", "plex_token", "plex_libraries"} <= single
    assert not single & set(common_settings())
    left = set(KEYS) - single - set(common_settings())
    assert left >= {"data_dir", "http_port", "http_api_key", "log_level", "database_url", "plex_tv_url"}
    assert left >= set(OperationSettings.model_fields)
    assert not {key for key in left if key.startswith(("sync_", "only_", "tag_", "conflict_"))}


def test_the_first_route_keeps_the_state_that_is_there_and_each_other_has_a_folder(data_dir: Path) -> None:
    loaded = load(data_dir, LIVING, ATTIC, HOME)
    assert folders(loaded, data_dir) == {"living-home": ".", "attic-home": "routes/attic-home"}
    assert loaded.settings.data_dir == data_dir
    assert [route.settings.place.server for route in loaded.routes if route.settings.place] == ["", "attic"]


def test_a_route_keeps_its_folder_wherever_its_tables_stand(data_dir: Path) -> None:
    before = load(data_dir, LIVING, ATTIC, HOME)
    settle(before)
    after = load(data_dir, ATTIC, HOME, LIVING)
    assert names(after) == ["attic-home", "living-home"]
    assert folders(after, data_dir) == folders(before, data_dir)
    assert after.settings.data_dir == data_dir
    servers = {route.name: route.settings.place.server for route in after.routes if route.settings.place}
    assert servers == {"living-home": "", "attic-home": "attic"}


def test_a_route_whose_server_has_a_new_name_or_address_keeps_its_folder(data_dir: Path) -> None:
    settle(load(data_dir, LIVING, ATTIC, HOME))
    renamed = load(data_dir, LIVING, ATTIC.replace('"attic"', '"loft"'), HOME)
    assert folders(renamed, data_dir) == {"living-home": ".", "loft-home": "routes/attic-home"}
    settle(renamed)
    moved = load(data_dir, LIVING.replace("living:9999", "192.0.2.9:9999"), ATTIC.replace('"attic"', '"loft"'), HOME)
    assert folders(moved, data_dir) == {"living-home": ".", "loft-home": "routes/attic-home"}
    settle(moved)
    assert json.loads((data_dir / "route.json").read_text(encoding="utf-8"))["stash_url"] == "http://192.0.2.9:9999"
    assert moved.left_over == ()


def test_what_a_removed_route_left_is_neither_used_nor_lost(data_dir: Path) -> None:
    settle(load(data_dir, LIVING, ATTIC, HOME))
    alone = load(data_dir, ATTIC, HOME)
    assert folders(alone, data_dir) == {"attic-home": "routes/attic-home"}
    assert [(mark.name, mark.folder) for mark in alone.left_over] == [("living-home", data_dir)]
    other = load(data_dir, ATTIC, '[[stash]]\nname = "garden"\nurl = "http://garden:9999"', HOME)
    assert folders(other, data_dir) == {"attic-home": "routes/attic-home", "garden-home": "routes/garden-home"}
    assert folders(load(data_dir, LIVING, ATTIC, HOME), data_dir)["living-home"] == "."


def test_a_folder_of_another_name_is_not_given_twice(data_dir: Path) -> None:
    settle(load(data_dir, LIVING, ATTIC, HOME))
    settle(load(data_dir, LIVING, ATTIC.replace('"attic"', '"loft"'), HOME))
    third = '[[stash]]\nname = "attic"\nurl = "http://third:9999"'
    found = folders(load(data_dir, LIVING, ATTIC.replace('"attic"', '"loft"'), third, HOME), data_dir)
    assert found == {"living-home": ".", "loft-home": "routes/attic-home", "attic-home": "routes/attic-home-2"}


def test_on_postgresql_each_route_has_a_schema_of_its_own_and_the_first_keeps_that_of_before(data_dir: Path) -> None:
    loaded = load(data_dir, 'database_url = "postgresql://somebody@db.example/films"', LIVING, ATTIC, HOME)
    assert [route.settings.database_schema for route in loaded.routes] == ["scenesync", "scenesync_attic_home"]
    place = loaded.routes[1].settings.place
    assert place is not None
    assert [elder.database_schema for elder in place.elders] == ["scenesync"]


def test_a_database_of_several_machines_is_refused_to_another_route_than_the_one_that_it_holds(data_dir: Path) -> None:
    first, second = (route.settings for route in load(data_dir, LIVING, ATTIC, HOME).routes)
    file = data_dir / "shared.db"
    for _ in range(2):
        with open_database(file) as database:
            require_own_state(database, first)
    with pytest.raises(SettingsError, match="holds the state of the route living-home, and not of attic-home"):
        require_own_state(open_database(file), second)
    with open_database(file) as database:
        require_own_state(database, load(data_dir, 'plex_url = "http://home:32400"').settings)


def test_further_dashboards_are_found_on_the_ports_above_and_under_paths_of_their_own(data_dir: Path) -> None:
    found = [
        (each.settings.http_port, each.settings.http_base_path) for each in load(data_dir, LIVING, HOME, CABIN).routes
    ]
    assert found == [(9988, ""), (9989, "")]
    proxied = load(data_dir, 'http_base_path = "/scenesync"', "http_port = 0", LIVING, HOME, CABIN).routes
    assert [(each.settings.http_port, each.settings.http_base_path) for each in proxied] == [
        (0, "/scenesync"),
        (0, "/scenesync/living-cabin"),
    ]


def test_names_that_were_exchanged_would_mix_two_libraries_and_are_refused(data_dir: Path) -> None:
    settle(load(data_dir, LIVING, ATTIC, HOME))
    exchanged = (LIVING.replace('"living"', '"attic"'), ATTIC.replace('"attic"', '"living"'), HOME)
    first, second = sorted(problems(data_dir, *exchanged))
    assert first == (
        "The state in DIR was made for the Stash at http://living:9999, which is [[stash]] attic now, and would be "
        "used for [[stash]] living. Give the tables their names back: a name belongs to one server for good."
    )
    assert "DIR/routes/attic-home" in second


def test_the_stash_that_stands_first_has_its_way_with_a_plex_whatever_the_addresses(data_dir: Path) -> None:
    loaded = load(data_dir, LIVING, ATTIC, HOME, CABIN)
    elders = {
        route.name: [(elder.stash, elder.data_dir) for elder in route.settings.place.elders]
        for route in loaded.routes
        if route.settings.place
    }
    assert elders == {
        "living-home": [],
        "living-cabin": [],
        "attic-home": [("living", data_dir), ("living", data_dir / "routes" / "living-cabin")],
        "attic-cabin": [("living", data_dir), ("living", data_dir / "routes" / "living-cabin")],
    }
