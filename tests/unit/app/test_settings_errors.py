from __future__ import annotations

import logging
import os
import traceback
from typing import TYPE_CHECKING

import pytest

from scenesync.app.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("SCENESYNC_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path))
    return tmp_path


def problems(overrides: dict[str, object] | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=overrides)
    return caught.value.problems


def in_file(data_dir: Path, text: str) -> str:
    path = data_dir / "scenesync.toml"
    path.write_text(text, encoding="utf-8")
    (problem,) = problems()
    return problem.replace(str(data_dir), "DIR")


@pytest.mark.parametrize(
    ("key", "lowest", "highest", "allowed"),
    [
        ("workers", 1, 64, "a whole number from 1 to 64"),
        ("max_retries", 1, 20, "a whole number from 1 to 20"),
        ("http_port", 0, 65535, "a whole number from 0 to 65535"),
        ("poll_interval", 0, 86400, "a number of seconds from 0 to 86400"),
        ("connect_timeout", 0.001, 600, "a number of seconds above 0, up to 600"),
        ("read_timeout", 0.001, 600, "a number of seconds above 0, up to 600"),
    ],
)
def test_numbers_are_allowed_up_to_their_bounds_and_refused_beyond(
    key: str, lowest: float, highest: float, allowed: str
) -> None:
    for inside in (lowest, highest):
        assert getattr(load_settings(overrides={key: inside}).settings, key) == inside
    beyond = [-1, highest + 1] if lowest == 0 else [0, -1, highest + 1]
    for outside in beyond:
        assert problems({key: outside}) == (f"{key} = {outside} (command line): must be {allowed}.",)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("max_retries = 99", "max_retries = 99 (file DIR/scenesync.toml): must be a whole number from 1 to 20."),
        ("workers = 2.5", "workers = 2.5 (file DIR/scenesync.toml): must be a whole number from 1 to 64."),
        (
            "workers = true",
            (
                "workers = true (file DIR/scenesync.toml): that is a switch, not a number. "
                "It must be a whole number from 1 to 64."
            ),
        ),
        ("workers = [3]", "workers = [3] (file DIR/scenesync.toml): must be a whole number from 1 to 64."),
        (
            "read_timeout = nan",
            "read_timeout = NaN (file DIR/scenesync.toml): must be a number of seconds above 0, up to 600.",
        ),
        (
            "poll_interval = inf",
            "poll_interval = Infinity (file DIR/scenesync.toml): must be a number of seconds from 0 to 86400.",
        ),
        ('autostart = "maybe"', 'autostart = "maybe" (file DIR/scenesync.toml): must be true or false.'),
        ("autostart = 2", "autostart = 2 (file DIR/scenesync.toml): must be true or false."),
        (
            'conflict_policy = "me"',
            'conflict_policy = "me" (file DIR/scenesync.toml): must be one of stash, plex, fill.',
        ),
        (
            "reconcile_scope = 2024-05-01",
            'reconcile_scope = "2024-05-01" (file DIR/scenesync.toml): must be one of 24h, 7d, all.',
        ),
        (
            'reconcile_interval = "x"',
            'reconcile_interval = "x" (file DIR/scenesync.toml): must be one of never, hourly, daily, weekly.',
        ),
        ('log_format = ""', 'log_format = "" (file DIR/scenesync.toml): must be one of auto, text, json, stash.'),
        (
            'log_level = "loud"',
            'log_level = "loud" (file DIR/scenesync.toml): must be one of debug, info, warning, error.',
        ),
        (
            'plex_libraries = "Films"',
            (
                'plex_libraries = "Films" (file DIR/scenesync.toml): it is not a list, such as ["one", "two"]. '
                "It must be a list of names."
            ),
        ),
        (
            'only_tags = ["a", 3]',
            'only_tags = ["a", 3] (file DIR/scenesync.toml): not all of it is text. It must be a list of names.',
        ),
        (
            'path_map = "/a => /b"',
            (
                'path_map = "/a => /b" (file DIR/scenesync.toml): it is not a list, such as ["/data => /media"]. '
                "It must be a list of stash_prefix => plex_prefix."
            ),
        ),
        (
            "path_map = [3]",
            (
                "path_map = [3] (file DIR/scenesync.toml): not all of it is text. "
                "It must be a list of stash_prefix => plex_prefix."
            ),
        ),
        (
            'plex_ca_file = "none.pem"',
            (
                'plex_ca_file = "DIR/none.pem" (file DIR/scenesync.toml): there is no such file. '
                "It must be the path of an existing file."
            ),
        ),
        (
            'http_host = "a host:80/x"',
            'http_host = "a host:80/x" (file DIR/scenesync.toml): must be a host name or IP address, without port.',
        ),
        (
            "plex_token = 12345",
            "plex_token (file DIR/scenesync.toml): it is not text: put it in quotes. It must be text without blanks.",
        ),
        (
            'plex_token = "hidden value"',
            (
                "plex_token (file DIR/scenesync.toml): it holds blanks, line breaks or characters that no token has. "
                "It must be text without blanks."
            ),
        ),
        (
            'database_url = "postgresql://me:hid@den@db/x"',
            (
                "database_url (file DIR/scenesync.toml): it has more than one @ before the host: write the character @ "
                "in a password as %40. It must be an address such as postgresql://user:password@host:5432/name."
            ),
        ),
        (
            'database_url = "mysql://me:hidden@db/x"',
            (
                "database_url (file DIR/scenesync.toml): it does not begin with postgresql://. "
                "It must be an address such as postgresql://user:password@host:5432/name."
            ),
        ),
        (
            f"plex_libraries = [{', '.join(['1'] * 90)}]",
            (
                f"plex_libraries = [{'1, ' * 33}… (file DIR/scenesync.toml): not all of it is text. "
                "It must be a list of names."
            ),
        ),
        (
            'data_dir = "/elsewhere"',
            (
                "data_dir (file DIR/scenesync.toml): cannot be set in the file that is looked for in that directory. "
                "Set SCENESYNC_DATA_DIR, or name the file in SCENESYNC_CONFIG."
            ),
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(data_dir: Path, line: str, expected: object) -> None:
    assert in_file(data_dir, line) == expected


ADDRESS = "must be an address such as http://192.0.2.7:32400."


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("plex.example:32400", ' = "plex.example:32400" (command line): it does not begin with http:// or https://.'),
        ("ftp://plex.example", ' = "ftp://plex.example" (command line): it does not begin with http:// or https://.'),
        ("http://", ' = "http://" (command line): its host or port cannot be read.'),
        ("http://:32400", ' = "http://:32400" (command line): its host or port cannot be read.'),
        ("http://plex:99999", ' = "http://plex:99999" (command line): its host or port cannot be read.'),
        ("http://[::1", ' = "http://[::1" (command line): its host or port cannot be read.'),
        ("http://plex example", ' = "http://plex example" (command line): it holds blanks.'),
        (
            "http://plex/web/index.html",
            ' = "http://plex/web/index.html" (command line): leave out everything from "/web" on.',
        ),
        ("http://plex/?X-Plex-Token=hidden", ' (command line): leave out everything from "?" or "#" on.'),
        ("http://plex/web#!/hidden", ' (command line): leave out everything from "?" or "#" on.'),
        (
            "http://me:hidden@plex:32400",
            " (command line): a user name or password in it would show up in logs, so it is not accepted there.",
        ),
    ],
)
def test_an_address_that_cannot_be_one_says_why_and_repeats_no_password(url: str, expected: object) -> None:
    assert problems({"plex_url": url}) == (f"plex_url{expected} It {ADDRESS}",)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://plex.example:32400/", "http://plex.example:32400"),
        (" HTTPS://Plex.example ", "https://Plex.example"),
        ("https://home.example/plex/", "https://home.example/plex"),
        ("http://[2001:db8::7]:32400", "http://[2001:db8::7]:32400"),
    ],
)
def test_an_address_is_kept_without_what_does_not_matter(url: str, kept: str) -> None:
    assert load_settings(overrides={"plex_url": url}).settings.plex_url == kept


def test_an_address_of_stash_is_wanted_without_its_pages() -> None:
    assert problems({"stash_url": "http://stash:9999/graphql"}) == (
        (
            'stash_url = "http://stash:9999/graphql" (command line): leave out everything from "/graphql" on. '
            "It must be an address such as http://localhost:9999."
        ),
    )


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("/data -> /media", 'there is no "=>" in the rule /data -> /media'),
        ("/a => /b => /c", 'there is more than one "=>" in the rule /a => /b => /c'),
        ("=> /media", "Stash's side is empty in the rule => /media"),
        ("/data =>", "Plex's side is empty in the rule /data =>"),
        ("data => /media", r"data is no absolute path (/media, C:\media or \\host\media)"),
        ("/data => D:", r"D: is no absolute path (/media, C:\media or \\host\media)"),
        ("/data => /a; /data/ => /b", "two rules begin with /data/ and lead to different places"),
    ],
)
def test_a_path_rule_that_cannot_be_read_says_why(monkeypatch: pytest.MonkeyPatch, rule: str, reason: str) -> None:
    monkeypatch.setenv("SCENESYNC_PATH_MAP", rule)
    (problem,) = problems()
    assert problem.endswith(
        f" (environment SCENESYNC_PATH_MAP): {reason}. It must be a list of stash_prefix => plex_prefix."
    )
    assert problem.startswith('path_map = ["')


def test_a_file_that_cannot_even_be_looked_at_is_refused() -> None:
    (problem,) = problems({"plex_ca_file": f"/{'x' * 5000}"})
    assert problem.endswith(
        " (command line): it cannot be looked at (File name too long). It must be the path of an existing file."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'plex_libary = "hidden"',
            "plex_libary (file DIR/scenesync.toml): there is no such setting. Did you mean plex_libraries?",
        ),
        ("Plex-URL = 'x'", "Plex-URL (file DIR/scenesync.toml): there is no such setting. Did you mean plex_url?"),
        (
            'plex_tokenfile = "x"',
            "plex_tokenfile (file DIR/scenesync.toml): there is no such setting. Did you mean plex_token_file?",
        ),
        (
            "qqq = 1",
            "qqq (file DIR/scenesync.toml): there is no such setting. docs/SETTINGS.md lists all settings.",
        ),
        (
            "[plex]\ntoken = 'hidden'",
            (
                "[plex] (file DIR/scenesync.toml): there are no sections but [[stash]] and [[plex]], write every key "
                "at the top level, for example plex_token = .... Several servers begin with [[plex]] each."
            ),
        ),
        (
            "[extras]\nx = 1",
            (
                "[extras] (file DIR/scenesync.toml): there are no sections but [[stash]] and [[plex]], write every key "
                "at the top level."
            ),
        ),
        (
            "[[plexx]]\ntoken = 'hidden'",
            "[[plexx]] (file DIR/scenesync.toml): there is no such table. Did you mean [[plex]]?",
        ),
        (
            "[plexx]\ntoken = 'hidden'",
            "[plexx] (file DIR/scenesync.toml): there is no such table. Did you mean [[plex]]?",
        ),
        (
            "[[extras]]\nx = 1",
            (
                "[[extras]] (file DIR/scenesync.toml): there is no such table. There are [[stash]] and [[plex]], see "
                "docs/SEVERAL_SERVERS.md."
            ),
        ),
    ],
)
def test_an_unknown_key_in_the_file_is_an_error_with_the_nearest_known_one(
    data_dir: Path, text: str, expected: object
) -> None:
    assert in_file(data_dir, text) == expected


def test_an_unknown_option_is_an_error() -> None:
    assert problems({"worker": 3}) == ("worker (command line): there is no such setting. Did you mean workers?",)


def test_all_problems_are_reported_together(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = data_dir / "scenesync.toml"
    path.write_text('max_retries = 0\nsink_title = true\nplex_token_file = "missing"', encoding="utf-8")
    monkeypatch.setenv("SCENESYNC_WORKERS", "many")
    with pytest.raises(SettingsError) as caught:
        load_settings(plugin_settings={"http_port": "http"})
    assert str(caught.value) == (
        "5 settings need attention:\n"
        f"  - sink_title (file {path}): there is no such setting. Did you mean sync_title?\n"
        f"  - plex_token_file (file {path}): {data_dir / 'missing'} cannot be read (No such file or directory).\n"
        '  - workers = "many" (environment SCENESYNC_WORKERS): must be a whole number from 1 to 64.\n'
        f"  - max_retries = 0 (file {path}): must be a whole number from 1 to 20.\n"
        '  - http_port = "http" (Stash plugin settings): must be a whole number from 0 to 65535.'
    )


def test_a_single_problem_stands_alone() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides={"workers": 0})
    assert str(caught.value) == "workers = 0 (command line): must be a whole number from 1 to 64."


def test_a_named_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "none.toml"
    monkeypatch.setenv("SCENESYNC_CONFIG", str(missing))
    assert problems() == (
        f"{missing}: there is no such file, but SCENESYNC_CONFIG names it. Create it or unset SCENESYNC_CONFIG.",
    )


def test_a_home_that_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENESYNC_CONFIG", "~no-such-user/x.toml")
    assert problems() == (
        (
            "SCENESYNC_CONFIG = ~no-such-user/x.toml: the home directory in it is not known. "
            "It must be the path of a file."
        ),
    )
    assert problems({"data_dir": "~no-such-user/x"}) == (
        (
            'data_dir = "~no-such-user/x" (command line): the home directory in it is not known. '
            "It must be the path of a folder."
        ),
    )


def test_a_data_directory_that_is_no_path_is_refused() -> None:
    assert problems({"data_dir": 7}) == (
        "data_dir = 7 (command line): it is not text. It must be the path of a folder.",
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"workers = ", "FILE: is not valid TOML: Invalid value (at end of document)."),
        (b"plex_token = '\xff'", "FILE: is not UTF-8 text. Save it as UTF-8."),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(data_dir: Path, content: bytes, expected: object) -> None:
    path = data_dir / "scenesync.toml"
    path.write_bytes(content)
    assert [problem.replace(str(path), "FILE") for problem in problems()] == [expected]


def test_a_windows_path_in_double_quotes_gets_a_hint(data_dir: Path) -> None:
    (data_dir / "scenesync.toml").write_text('plex_ca_file = "C:\\Users\\ca.pem"', encoding="utf-8")
    (problem,) = problems()
    assert problem.endswith(r" In TOML, put Windows paths in single quotes: 'C:\Films'.")


def test_a_folder_in_place_of_the_file_is_named(data_dir: Path) -> None:
    path = data_dir / "scenesync.toml"
    path.mkdir()
    assert problems() == (f"{path}: cannot be read (Is a directory).",)


def test_a_secret_given_twice_in_one_place_is_an_error(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENESYNC_PLEX_TOKEN", "hidden")
    monkeypatch.setenv("SCENESYNC_PLEX_TOKEN_FILE", str(data_dir / "token"))
    assert problems() == (
        "plex_token and plex_token_file are both given (environment SCENESYNC_PLEX_TOKEN). Keep one of them.",
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b" \n", "is empty. It must hold the secret and nothing else."),
        (b"\xff\xfe", "is not UTF-8 text."),
        (None, "cannot be read (No such file or directory)."),
    ],
)
def test_a_secret_file_without_a_secret_is_named(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, expected: object
) -> None:
    path = data_dir / "token"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("SCENESYNC_PLEX_TOKEN_FILE", str(path))
    assert problems() == (f"plex_token_file (environment SCENESYNC_PLEX_TOKEN_FILE): {path} {expected}",)


def test_a_secret_file_must_be_named_by_text(data_dir: Path) -> None:
    assert in_file(data_dir, "plex_token_file = 3") == (
        "plex_token_file (file DIR/scenesync.toml): it is not text. It must be the path of a file."
    )


def test_a_secret_file_with_two_lines_is_refused_without_repeating_them(data_dir: Path) -> None:
    (data_dir / "token").write_text("hidden-one\nhidden-two", encoding="utf-8")
    problem = in_file(data_dir, 'plex_token_file = "token"')
    assert problem == (
        "plex_token (file DIR/scenesync.toml): it holds blanks, line breaks or characters that no token has. "
        "It must be text without blanks."
    )


SECRETS = {
    "plex_token": "hidden-a",
    "stash_api_key": "hidden-b",
    "http_api_key": "hidden-c",
    "database_url": "postgresql://me:hidden-d@db.example/sync",
}


def test_secrets_are_in_no_repr_and_no_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    loaded = load_settings(overrides=SECRETS)
    assert loaded.settings.plex_token is not None
    assert loaded.settings.plex_token.get_secret_value() == "hidden-a"
    assert "hidden" not in repr(loaded) + str(loaded.settings) + str(loaded.settings.model_dump()) + caplog.text


@pytest.mark.parametrize("workers", [0, 4])
def test_secrets_are_in_no_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, workers: int
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    wrong: dict[str, object] = {key: f"{value} x" for key, value in SECRETS.items()}
    wrong |= {"plex_token": list(SECRETS.values()), "plex_tokn": SECRETS["plex_token"], "workers": workers}
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=wrong)
    text = "".join(traceback.format_exception(caught.value))
    assert len(caught.value.problems) == 5 + (workers == 0)
    assert "hidden" not in text + repr(caught.value) + caplog.text
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
