"""The plugin's page and tasks offer what SceneSync has: nothing is missing, nothing is offered that there is not."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from scenesync.app.configuration.model import KEYS, LIST_SEPARATORS, Settings
from scenesync.app.configuration.sources import ZERO_IS_UNSET
from scenesync.app.plugin import entry as plugin_entry
from scenesync.app.plugin import install as plugin_install
from scenesync.app.plugin import tasks as plugin_tasks
from scenesync.app.settings import load_settings
from scenesync.simulators.stash.manifest import Plugin, Setting, read_manifest

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NOT_ON_THE_PAGE: Final = {
    "stash_url": "Stash tells it to its plugin",
    "stash_api_key": "the plugin asks Stash for it",
    "stash_ca_file": "belongs to stash_url",
    "stash_verify_tls": "belongs to stash_url",
    "plex_tv_url": "belongs to `scenesync setup`, which Stash does not run",
    "plex_notifications": "does no harm where it cannot work: scenesync.toml",
    "data_dir": "the hook, which reads no page, has to know it too: SCENESYNC_DATA_DIR",
    "network_share": "belongs to data_dir",
    "database_url": "belongs to several machines, of which Stash's is one: scenesync.toml or the environment",
    "log_format": "Stash dictates it",
    "notify_outage_after": "its 0 means at once, the page shows 0 for unset: scenesync.toml",
    "recovery_ramp": "a safeguard that is right for nearly everybody: scenesync.toml",
    "max_change_percent": "a safeguard; the page would show its 0 as unset: scenesync.toml",
    "max_change_items": "belongs to max_change_percent",
    "max_cleared_fields": "belongs to max_change_percent",
    "dead_letter_days": "its 0 means for ever, the page shows 0 for unset: scenesync.toml",
    "journal_days": "its 0 means for ever, the page shows 0 for unset: scenesync.toml",
    "journal_entries": "its 0 means no limit, the page shows 0 for unset: scenesync.toml",
}


@pytest.fixture(scope="module")
def plugin() -> Plugin:
    return read_manifest(ROOT / "scenesync.yml")


def test_every_setting_is_on_the_page_or_has_a_reason_why_not(plugin: Plugin) -> None:
    offered = {setting.name for setting in plugin.settings}
    assert offered & NOT_ON_THE_PAGE.keys() == set()
    assert offered | NOT_ON_THE_PAGE.keys() == set(KEYS)


def test_every_setting_of_the_page_says_what_it_is_and_has_the_type_that_stash_can_show(plugin: Plugin) -> None:
    for setting in plugin.settings:
        assert setting.display_name, setting.name
        assert setting.description, setting.name
        assert len(setting.description) > 5, setting.name
        default = Settings.model_fields[setting.name].default
        number = isinstance(default, int | float) and not isinstance(default, bool)
        wanted = "BOOLEAN" if isinstance(default, bool) else "NUMBER" if number else "STRING"
        assert setting.type == wanted, setting.name


def test_a_switch_that_is_on_by_default_says_so_since_stash_shows_it_as_off(plugin: Plugin) -> None:
    for setting in plugin.settings:
        default = Settings.model_fields[setting.name].default
        if isinstance(default, bool):
            assert f"Default: {'on' if default else 'off'}." in (setting.description or ""), setting.name
            assert ("Untouched it shows as off but counts as on" in (setting.description or "")) is default


def test_a_number_that_the_page_shows_as_zero_is_its_default_or_means_none(plugin: Plugin) -> None:
    for setting in plugin.settings:
        if setting.type == "NUMBER" and setting.name not in {"poll_interval", "max_tags", "max_performers"}:
            assert setting.name in ZERO_IS_UNSET
            assert "Empty or 0 means" in (setting.description or ""), setting.name
    zeros = dict.fromkeys(ZERO_IS_UNSET, 0)
    assert load_settings(plugin_settings=zeros).settings == load_settings().settings


def test_a_list_says_how_its_members_are_separated(plugin: Plugin) -> None:
    for setting in plugin.settings:
        if setting.name in LIST_SEPARATORS:
            says = {",": "separated by commas", ";": "separated by ;"}[LIST_SEPARATORS[setting.name]]
            assert says in _words(setting).lower(), setting.name


def test_choices_that_the_page_names_are_those_that_there_are(plugin: Plugin) -> None:
    for setting in plugin.settings:
        default = Settings.model_fields[setting.name].default
        if setting.type == "STRING" and hasattr(type(default), "__members__"):
            for choice in type(default):
                assert re.search(rf"\b{choice.value}\b", _words(setting)), f"{setting.name}: {choice.value}"
            parts = re.split(r"[.,]", setting.description or "")
            assert any(default.value in part and "default" in part.lower() for part in parts), setting.name


def test_every_task_can_be_done_and_whatever_can_be_done_is_a_task(plugin: Plugin) -> None:
    modes = [task.default_args["mode"] for task in plugin.tasks]
    assert len(modes) == len(set(modes)) == len({task.name for task in plugin.tasks})
    assert sorted(modes) == sorted([*plugin_tasks.TASKS, *plugin_entry.TASKS])
    assert all(len(task.description) > 15 for task in plugin.tasks)


def test_manifest_and_project_have_one_version_and_one_description(plugin: Plugin) -> None:
    assert plugin.version == PROJECT["version"]
    assert re.fullmatch(r"\d+(\.\d+)?(\.\d+)?", plugin.version)  # all that Stash's own index of plugins takes
    assert plugin.description == PROJECT["description"]
    assert plugin.id == "scenesync"


def test_the_oldest_python_of_the_install_task_is_that_of_the_project() -> None:
    assert f">={'.'.join(map(str, plugin_install.OLDEST_PYTHON))}" == PROJECT["requires-python"]


def _words(setting: Setting) -> str:
    return f"{setting.display_name} {setting.description}"
