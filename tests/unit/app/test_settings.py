from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from platformdirs import user_data_path
from pydantic import SecretStr, ValidationError

from scenesync.app.configuration.fields import enabled_fields
from scenesync.app.configuration.model import KEYS, SECRET_KEYS
from scenesync.app.settings import (
    LoadedSettings,
    PlexConnection,
    Settings,
    SettingsError,
    load_settings,
    masked,
    require_plex,
)
from scenesync.domain.desired import DEFAULT_FIELDS
from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.fields import Field
from scenesync.domain.paths import PathRule

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = {
    "stash_url": "http://localhost:9999",
    "stash_api_key": None,
    "plex_url": None,
    "plex_token": None,
    "plex_tv_url": "https://plex.tv",
    "plex_libraries": (),
    "data_dir": user_data_path("scenesync", appauthor=False),
    "network_share": False,
    "autostart": True,
    "path_map": (),
    "workers": 4,
    "max_retries": 5,
    "recovery_ramp": 30,
    "poll_interval": 30,
    "reconcile_interval": "daily",
    "reconcile_scope": "7d",
    "max_change_percent": 50,
    "max_change_items": 1000,
    "max_cleared_fields": 500,
    "strict_matching": True,
    "dead_letter_days": 30,
    "journal_days": 365,
    "journal_entries": 2_000_000,
    "skip_not_found": False,
    "conflict_policy": "stash",
    "conflict_policy_fields": (),
    "lock_fields": True,
    "on_destroy": "keep",
    "destroyed_label": "Stash-Deleted",
    "only_organized": False,
    "only_tags": (),
    "skip_tags": (),
    "only_studios": (),
    "only_paths": (),
    "skip_paths": (),
    "sync_title": True,
    "sync_summary": True,
    "sync_date": True,
    "sync_studio": True,
    "sync_performers": True,
    "sync_tags": True,
    "sync_director": True,
    "sync_poster": True,
    "sync_background": True,
    "poster_fit": "none",
    "sync_collection": False,
    "sync_performer_photos": False,
    "stash_url_for_plex": None,
    "sync_rating": False,
    "sync_tagline": False,
    "sync_labels": False,
    "sync_content_rating": False,
    "title_template": "{title}",
    "partial_dates": "complete",
    "studio_name": "own",
    "tag_include": (),
    "tag_exclude": (),
    "tag_rename": (),
    "tag_parents": False,
    "max_tags": 0,
    "performer_include": (),
    "performer_exclude": (),
    "performer_rename": (),
    "skip_performer_genders": (),
    "performer_disambiguation": "needed",
    "performer_order": "stash",
    "max_performers": 0,
    "organized_label": "Organized",
    "label_tags": (),
    "fixed_labels": (),
    "collection_sources": ("studio",),
    "collection_tags": (),
    "collection_summary": True,
    "collection_poster": True,
    "collection_order": True,
    "content_rating": "",
    "content_rating_tags": (),
    "connect_timeout": 5,
    "read_timeout": 30,
    "plex_ca_file": None,
    "plex_verify_tls": True,
    "stash_ca_file": None,
    "stash_verify_tls": True,
    "plex_notifications": True,
    "trigger_plex_scan": False,
    "http_enabled": True,
    "http_host": "127.0.0.1",
    "http_port": 9988,
    "http_api_key": None,
    "http_base_path": "",
    "http_trusted_hosts": (),
    "database_url": None,
    "log_format": "auto",
    "log_level": "info",
    "backup_interval": "weekly",
    "backup_keep": 4,
    "backup_dir": None,
    "notify_urls": None,
    "notify_webhook_url": None,
    "notify_about": ("outage", "refused", "dead_letters", "stopped_run"),
    "notify_outage_after": 600,
    "notify_digest_at": "",
    "heartbeat_url": None,
    "heartbeat_interval": 300,
    "heartbeat_method": "get",
}


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("SCENESYNC_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path))
    return tmp_path


def write(data_dir: Path, text: str) -> Path:
    path = data_dir / "scenesync.toml"
    path.write_text(text, encoding="utf-8")
    return path


def value_of(loaded: LoadedSettings, key: str) -> object:
    value: object = getattr(loaded.settings, key)
    return value


def test_every_key_of_the_contract_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCENESYNC_DATA_DIR")
    settings = Settings()
    assert {key: getattr(settings, key) for key in KEYS} == DEFAULTS
    assert tuple(DEFAULTS) == KEYS


def test_every_key_has_a_description_and_secrets_are_secret() -> None:
    fields = Settings.model_fields
    assert all(field.description for field in fields.values())
    assert {key for key, field in fields.items() if "SecretStr" in str(field.annotation)} == SECRET_KEYS


def test_settings_made_directly_do_not_look_at_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENESYNC_WORKERS", "9")
    assert Settings().workers == 4


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.workers = 9


def test_without_any_source_only_the_data_directory_has_an_origin(data_dir: Path) -> None:
    loaded = load_settings()
    assert loaded.settings == Settings(data_dir=data_dir)
    assert {key: origin for key, origin in loaded.origins.items() if origin != "default"} == {
        "data_dir": "environment SCENESYNC_DATA_DIR"
    }
    assert set(loaded.origins) == set(KEYS)
    assert loaded.warnings == ()
    assert loaded.files == (data_dir / "scenesync.toml",)


def test_each_source_wins_over_the_ones_before_it(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [load_settings()]
    path = write(data_dir, "workers = 10")
    seen.append(load_settings())
    monkeypatch.setenv("SCENESYNC_WORKERS", "20")
    seen.append(load_settings())
    seen.append(load_settings(plugin_settings={"workers": 30}))
    seen.append(load_settings(plugin_settings={"workers": 30}, overrides={"workers": 40}))
    assert [(loaded.settings.workers, loaded.origins["workers"]) for loaded in seen] == [
        (4, "default"),
        (10, f"file {path}"),
        (20, "environment SCENESYNC_WORKERS"),
        (30, "Stash plugin settings"),
        (40, "command line"),
    ]


def test_sources_are_joined_key_by_key(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(data_dir, "workers = 10\nmax_retries = 7")
    monkeypatch.setenv("SCENESYNC_MAX_RETRIES", "8")
    settings = load_settings(overrides={"log_level": "debug"}).settings
    assert (settings.workers, settings.max_retries, settings.log_level) == (10, 8, "debug")


def test_options_that_were_not_used_override_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENESYNC_WORKERS", "9")
    monkeypatch.setenv("SCENESYNC_PLEX_LIBRARIES", "Films")
    settings = load_settings(overrides={"workers": None, "plex_libraries": ()}).settings
    assert (settings.workers, settings.plex_libraries) == (9, ("Films",))


def test_a_wrong_value_that_a_later_source_replaces_does_no_harm(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(data_dir, "workers = 1000")
    monkeypatch.setenv("SCENESYNC_WORKERS", "9")
    assert load_settings().settings.workers == 9


def test_the_file_is_read_again_at_each_call(data_dir: Path) -> None:
    write(data_dir, "workers = 10")
    before = load_settings()
    write(data_dir, "workers = 11")
    assert (before.settings.workers, load_settings().settings.workers) == (10, 11)


def test_every_kind_of_value_can_stand_in_the_file(data_dir: Path) -> None:
    ca_file = data_dir / "ca.pem"
    ca_file.write_text("certificate", encoding="utf-8")
    write(
        data_dir,
        r"""
        plex_url = "https://plex.example:32400/"
        plex_token = "tok-en_1"
        plex_libraries = ["Films", "Concerts, live"]
        path_map = ['/data => /media', 'D:\Films=>\\nas\films']
        connect_timeout = 2.5
        plex_verify_tls = false
        plex_ca_file = "ca.pem"
        conflict_policy = "fill"
        log_format = "json"
        """,
    )
    settings = load_settings().settings
    assert settings.plex_url == "https://plex.example:32400"
    assert settings.plex_token == SecretStr("tok-en_1")
    assert settings.plex_libraries == ("Films", "Concerts, live")
    assert settings.path_map == (PathRule("/data", "/media"), PathRule("D:\\Films", "\\\\nas\\films"))
    assert settings.connect_timeout == 2.5
    assert settings.plex_verify_tls is False
    assert settings.plex_ca_file == ca_file
    assert settings.conflict_policy is ConflictPolicy.FILL
    assert settings.log_format == "json"


def test_a_byte_order_mark_at_the_start_of_the_file_is_no_obstacle(data_dir: Path) -> None:
    (data_dir / "scenesync.toml").write_bytes(b"\xef\xbb\xbfworkers = 8")
    assert load_settings().settings.workers == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [(text, True) for text in ("true", "TRUE", "1", "yes", "on", "On")]
    + [(text, False) for text in ("false", "False", "0", "no", "off")],
)
def test_switches_in_the_environment_have_several_spellings(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: object
) -> None:
    monkeypatch.setenv("SCENESYNC_SYNC_RATING", text)
    assert load_settings().settings.sync_rating is expected


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("plex_libraries", " Films, Concerts ,,Films", ("Films", "Concerts")),
        ("only_tags", "travel", ("travel",)),
        ("skip_tags", "draft,old", ("draft", "old")),
        ("only_studios", "Harbour Films", ("Harbour Films",)),
        ("only_paths", "/data/a,/data/b", ("/data/a", "/data/b")),
        ("skip_paths", "C:\\Old", ("C:\\Old",)),
        ("path_map", "/data => /media", (PathRule("/data", "/media"),)),
        (
            "path_map",
            "/a, b=>/media ; D:\\Films => \\\\nas\\films;",
            (PathRule("/a, b", "/media"), PathRule("D:\\Films", "\\\\nas\\films")),
        ),
        ("log_level", "WARNING", "warning"),
        ("reconcile_scope", "24h", "24h"),
        ("poll_interval", "0", 0),
        ("read_timeout", "0.5", 0.5),
        ("http_host", "::1", "::1"),
        ("http_port", "0", 0),
        ("autostart", "off", False),
    ],
)
def test_the_environment_is_read_as_text(
    monkeypatch: pytest.MonkeyPatch, key: str, text: str, expected: object
) -> None:
    monkeypatch.setenv(f"SCENESYNC_{key.upper()}", text)
    loaded = load_settings()
    assert value_of(loaded, key) == expected
    assert loaded.origins[key] == f"environment SCENESYNC_{key.upper()}"


def test_an_empty_variable_counts_as_not_set(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(data_dir, 'plex_url = "http://plex.example:32400"')
    monkeypatch.setenv("SCENESYNC_PLEX_URL", "")
    monkeypatch.setenv("SCENESYNC_CONFIG", " ")
    monkeypatch.setenv("SCENESYNC_WORKERS", "  ")
    settings = load_settings().settings
    assert (settings.plex_url, settings.workers) == ("http://plex.example:32400", 4)


def test_empty_text_in_the_file_leaves_optional_keys_unset(data_dir: Path) -> None:
    write(data_dir, 'plex_url = ""\nplex_token = ""\nplex_ca_file = ""\ndatabase_url = ""')
    settings = load_settings().settings
    assert settings == Settings(data_dir=data_dir)


def test_an_unknown_variable_is_a_warning_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENESYNC_PLEX_TOKN", "hidden-value")
    monkeypatch.setenv("SCENESYNC_QQQ", "1")
    assert load_settings().warnings == (
        "SCENESYNC_PLEX_TOKN in the environment is no setting and is ignored. Did you mean SCENESYNC_PLEX_TOKEN?",
        "SCENESYNC_QQQ in the environment is no setting and is ignored.",
    )


def test_plugin_settings_may_be_text_and_empty_ones_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENESYNC_PLEX_URL", "http://plex.example:32400")
    loaded = load_settings(
        plugin_settings={
            "workers": "3",
            "max_retries": 7.0,
            "sync_rating": True,
            "plex_url": "",
            "plex_token": None,
            "plex_libraries": "Films, Concerts",
            "path_map": "/data => /media; /old => /media/old",
        }
    )
    settings = loaded.settings
    assert (settings.workers, settings.max_retries, settings.sync_rating) == (3, 7, True)
    assert settings.plex_url == "http://plex.example:32400"
    assert settings.plex_libraries == ("Films", "Concerts")
    assert settings.path_map == (PathRule("/data", "/media"), PathRule("/old", "/media/old"))
    assert loaded.warnings == ()


def test_keys_that_make_no_sense_in_plugin_settings_are_warnings(data_dir: Path) -> None:
    loaded = load_settings(plugin_settings={"wrokers": 3, "zzz": "hidden-value", "data_dir": "/elsewhere"})
    assert loaded.settings.data_dir == data_dir
    assert loaded.warnings == (
        "wrokers in Stash's plugin settings is no setting and is ignored. Did you mean workers?",
        "zzz in Stash's plugin settings is no setting and is ignored.",
        (
            "data_dir in Stash's plugin settings is ignored, since the hook could not know it. "
            "Set SCENESYNC_DATA_DIR in Stash's environment instead."
        ),
    )


def test_the_file_is_looked_for_in_the_chosen_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("option", "variable", "fallback"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, f'plex_libraries = ["{name}"]')
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path / "variable"))
    by_option = load_settings(overrides={"data_dir": tmp_path / "option"}, default_dir=tmp_path / "fallback")
    by_variable = load_settings(default_dir=tmp_path / "fallback")
    monkeypatch.delenv("SCENESYNC_DATA_DIR")
    by_default = load_settings(default_dir=tmp_path / "fallback")
    assert [(one.settings.plex_libraries, one.origins["data_dir"]) for one in (by_option, by_variable, by_default)] == [
        (("option",), "command line"),
        (("variable",), "environment SCENESYNC_DATA_DIR"),
        (("fallback",), "default"),
    ]
    assert by_default.settings.data_dir == tmp_path / "fallback"


def test_a_named_file_replaces_the_default_one_and_may_set_the_data_directory(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(data_dir, "workers = 10")
    named = tmp_path / "elsewhere.toml"
    named.write_text('data_dir = "state"\nmax_retries = 9', encoding="utf-8")
    monkeypatch.setenv("SCENESYNC_CONFIG", str(named))
    monkeypatch.delenv("SCENESYNC_DATA_DIR")
    loaded = load_settings()
    assert (loaded.settings.workers, loaded.settings.max_retries) == (4, 9)
    assert loaded.settings.data_dir == tmp_path / "state"
    assert loaded.origins["data_dir"] == f"file {named}"
    assert loaded.files == (named,)


def test_a_home_directory_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("SCENESYNC_DATA_DIR", "~/sync")
    assert load_settings().settings.data_dir == tmp_path / "sync"


SECRET_ADDRESSES_LIKE = {
    "database_url": "postgresql://someone:pass@db.example/sync",
    "notify_urls": "ntfy://fake-topic mailto://fake:pass@mail.example",
    "notify_webhook_url": "https://someone:pass@hooks.example/fake?key=fake",
    "heartbeat_url": "https://beats.example/fake",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("notify_webhook_url", "ftp://fake-secret.example"),
        ("notify_webhook_url", "http:///fake-secret"),
        ("heartbeat_url", "fake-secret"),
        ("notify_urls", "ntfy://topic fake-secret"),
        ("notify_digest_at", "25:00"),
        ("notify_digest_at", "8 o'clock"),
        ("notify_about", "outage, fake-secret"),
        ("heartbeat_interval", "1"),
        ("backup_keep", "-1"),
    ],
)
def test_what_cannot_be_told_or_kept_is_refused_without_repeating_secrets(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.setenv(f"SCENESYNC_{key.upper()}", value)
    with pytest.raises(SettingsError, match=f"{key} .*must be") as raised:
        load_settings()
    assert key == "notify_about" or "fake-secret" not in str(raised.value)


def test_addresses_are_taken_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENESYNC_NOTIFY_URLS", " ntfy://one\n\tntfy://two ")
    monkeypatch.setenv("SCENESYNC_NOTIFY_ABOUT", "Outage, Dead-Letters")
    settings = load_settings().settings
    assert settings.notify_urls == SecretStr("ntfy://one ntfy://two")
    assert settings.notify_about == ("outage", "dead_letters")


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_a_secret_may_come_from_a_file(data_dir: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    value = SECRET_ADDRESSES_LIKE.get(key, "from-a-file")
    (data_dir / "secret").write_text(f"  {value}\n", encoding="utf-8")
    path = write(data_dir, f'{key}_file = "secret"')
    by_file = load_settings()
    write(data_dir, "")
    monkeypatch.setenv(f"SCENESYNC_{key.upper()}_FILE", str(data_dir / "secret"))
    by_variable = load_settings()
    assert value_of(by_file, key) == value_of(by_variable, key) == SecretStr(value)
    assert by_file.origins[key] == f"file {path}"
    assert by_variable.origins[key] == f"environment SCENESYNC_{key.upper()}_FILE"
    assert by_file.files == by_variable.files == (path, data_dir / "secret")


def test_a_secret_of_a_later_source_wins_over_a_file_named_by_an_earlier_one(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(data_dir, 'plex_token_file = "missing"')
    monkeypatch.setenv("SCENESYNC_PLEX_TOKEN", "direct")
    assert load_settings().settings.plex_token == SecretStr("direct")


def test_plex_connection_is_there_when_both_parts_are() -> None:
    settings = Settings(plex_url="http://plex.example:32400", plex_token=SecretStr("direct"))
    assert require_plex(settings) == PlexConnection("http://plex.example:32400", SecretStr("direct"))
    assert "direct" not in repr(require_plex(settings))


def test_missing_plex_settings_are_explained_with_every_way_to_set_them(data_dir: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        require_plex(Settings(data_dir=data_dir))
    assert str(caught.value) == (
        "2 settings need attention:\n"
        f'  - plex_url is not set. Write plex_url = "http://192.0.2.7:32400" in {data_dir / "scenesync.toml"} (or the '
        "file that SCENESYNC_CONFIG names), "
        "or set SCENESYNC_PLEX_URL in the environment, or plex_url in Stash's plugin settings. "
        "Or let `scenesync setup` ask for it.\n"
        f'  - plex_token is not set. Write plex_token = "your-token" in {data_dir / "scenesync.toml"} (or the '
        "file that SCENESYNC_CONFIG names), "
        "or set SCENESYNC_PLEX_TOKEN in the environment, SCENESYNC_PLEX_TOKEN_FILE naming a file that holds it, "
        "or plex_token in Stash's plugin settings. Or let `scenesync setup` ask for it."
    )


def test_only_what_is_missing_for_plex_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        require_plex(Settings(plex_url="http://plex.example:32400"))
    assert [problem.split()[0] for problem in caught.value.problems] == ["plex_token"]


def test_fields_follow_their_switches() -> None:
    assert enabled_fields(Settings()) == DEFAULT_FIELDS
    without_title = enabled_fields(Settings(sync_title=False, sync_tags=False, sync_collection=True))
    assert without_title == DEFAULT_FIELDS - {Field.TITLE, Field.SORT_TITLE, Field.GENRES} | {Field.COLLECTIONS}
    everything = {key: True for key in KEYS if key.startswith("sync_")}
    assert enabled_fields(Settings.model_validate(everything)) == frozenset(Field)


def test_every_field_can_be_switched_off() -> None:
    off = Settings.model_validate({key: False for key in KEYS if key.startswith("sync_")})
    assert enabled_fields(off) == frozenset()


def test_masked_settings_show_everything_but_secrets(data_dir: Path) -> None:
    settings = Settings(
        data_dir=data_dir,
        plex_token=SecretStr("hidden-value"),
        path_map=(PathRule("/data", "/media"),),
        plex_libraries=("Films",),
    )
    shown = masked(settings)
    assert tuple(shown) == KEYS
    assert "hidden-value" not in str(shown)
    assert (shown["plex_token"], shown["stash_api_key"]) == ("***", "(not set)")
    assert shown["path_map"] == ["/data => /media"]
    assert shown["plex_libraries"] == ["Films"]
    assert shown["data_dir"] == str(data_dir)
    assert type(shown["log_level"]) is str
    assert (shown["plex_url"], shown["workers"], shown["autostart"]) == (None, 4, True)
