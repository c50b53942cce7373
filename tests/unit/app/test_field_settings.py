"""The settings about fields: how they are read, what is refused and in which words, what they come to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scenesync.app.configuration.fields import (
    FIELDS_OF_SETTING,
    conflict_policies,
    enabled_fields,
    field_rules,
    photo_policy,
)
from scenesync.app.configuration.model import KEYS
from scenesync.app.configuration.values import FIELD_NAMES
from scenesync.app.settings import Settings, SettingsError, load_settings
from scenesync.domain.desired import DEFAULT_RULES
from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.field_rules import Disambiguation, PartialDates, PerformerOrder, StudioName
from scenesync.domain.fields import Field

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("SCENESYNC_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path))
    return tmp_path


def load(data_dir: Path, text: str) -> Settings:
    (data_dir / "scenesync.toml").write_text(text, encoding="utf-8")
    return load_settings().settings


def test_without_any_setting_the_rules_are_the_domains_own_but_for_the_one_label() -> None:
    rules = field_rules(Settings(organized_label=""))
    assert rules == DEFAULT_RULES
    assert field_rules(Settings()).labels.organized == "Organized"


def test_every_rule_can_be_set_in_the_file(data_dir: Path) -> None:
    settings = load(
        data_dir,
        r"""
        title_template = "{studio} - {title} ({year})"
        partial_dates = "DROP"
        studio_name = "root"
        tag_include = ["Genre: *"]
        tag_exclude = ["/draft|test/"]
        tag_rename = ['/^Genre: (.*)$/ => \1', "Sea => Ocean"]
        tag_parents = true
        max_tags = 20
        performer_include = ["*"]
        performer_exclude = ["Extra ?"]
        performer_rename = ["Anne => Ann"]
        skip_performer_genders = ["Male", "non-binary"]
        performer_disambiguation = "always"
        performer_order = "favorites"
        max_performers = 15
        organized_label = "Done"
        label_tags = ["Leaving *"]
        fixed_labels = ["Stash"]
        content_rating = "12"
        content_rating_tags = ["Violence => 18"]
        """.replace("\\\\", "\\"),
    )
    rules = field_rules(settings)
    assert rules.title.text == "{studio} - {title} ({year})"
    assert (rules.partial_dates, rules.studio) == (PartialDates.DROP, StudioName.ROOT)
    tags = rules.tags.names
    assert (tags.shows("Genre: Sea"), tags.shows("Genre: Draft"), tags.shows("Sea")) == (True, False, False)
    assert (tags.renamed("Genre: Art"), tags.renamed("sea"), tags.maximum) == ("Art", "Ocean", 20)
    assert rules.tags.parents is True
    performers = rules.performers
    assert (performers.names.shows("Extra 1"), performers.names.shows("Ann"), performers.names.maximum) == (
        False, True, 15,
    )  # fmt: skip
    assert performers.skip_genders == {"male", "non_binary"}
    assert (performers.disambiguation, performers.order) == (Disambiguation.ALWAYS, PerformerOrder.FAVORITES)
    assert (rules.labels.organized, rules.labels.always) == ("Done", ("Stash",))
    assert rules.content_rating.of(["violence"]) == "18"
    assert rules.content_rating.of([]) == "12"


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("tag_include", "Sea, Travel*", ("Sea", "Travel*")),
        ("tag_rename", "Sea => Ocean, deep; Art=>Fine Art", ("Sea => Ocean, deep", "Art=>Fine Art")),
        ("conflict_policy_fields", "title => plex ; poster=>fill", ("title => plex", "poster=>fill")),
        ("skip_performer_genders", "male,Transgender Male", ("male", "transgender_male")),
        ("fixed_labels", "Stash,Home", ("Stash", "Home")),
        ("content_rating_tags", "Violence => 18; Stunts => 16", ("Violence => 18", "Stunts => 16")),
        ("title_template", " {title} ", "{title}"),
        ("organized_label", " Done ", "Done"),
        ("max_tags", "12", 12),
    ],
)
def test_the_environment_is_read_as_text(
    monkeypatch: pytest.MonkeyPatch, key: str, text: str, expected: object
) -> None:
    monkeypatch.setenv(f"SCENESYNC_{key.upper()}", text)
    assert getattr(load_settings().settings, key) == expected


PLACEHOLDERS = "{title}, {studio}, {parent_studio}, {date}, {year}, {performers}, {director}, {code}, {group}"
RULES = "a list of old => new, where old may be a pattern"
PATTERNS = "a list of names, with * and ? as wildcards, or /regular expressions/"
GENDERS = "a list of male, female, transgender_male, transgender_female, intersex, non_binary"
POLICIES = f"a list of field => policy, with the fields {', '.join(FIELD_NAMES)}"


@pytest.mark.parametrize(
    ("line", "reason", "allowed"),
    [
        (
            'title_template = "{titel}"',
            "there is no placeholder {titel}",
            f"text with placeholders out of {PLACEHOLDERS}",
        ),
        ("title_template = 5", "", f"text with placeholders out of {PLACEHOLDERS}"),
        (
            'tag_exclude = ["/a(/"]',
            "/a(/ is no regular expression (missing ), unterminated subpattern at position 1)",
            PATTERNS,
        ),
        ('tag_rename = ["Sea"]', 'there is no "=>" in the rule Sea', RULES),
        ('tag_rename = ["Sea =>"]', "one side is empty in the rule Sea =>", RULES),
        ('skip_performer_genders = ["men"]', "Stash knows no gender men", GENDERS),
        ('conflict_policy_fields = ["name => plex"]', "there is no field name", POLICIES),
        ('studio_name = "mother"', "", "one of own, parent, root, path"),
        ("max_tags = -1", "", "a whole number from 0 to 1000"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(data_dir: Path, line: str, reason: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(data_dir, line)
    must = f"{reason}. It must be" if reason else "must be"
    assert str(caught.value) == f"{line} (file {data_dir}/scenesync.toml): {must} {allowed}."


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ('["title => me"]', "there is no policy me; there are stash, plex, fill"),
        ('["title => plex", "Title => fill"]', "two rules are about title"),
        ('"title => plex"', "it is not a list"),
    ],
)
def test_a_policy_per_field_must_be_one(data_dir: Path, rules: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        load(data_dir, f"conflict_policy_fields = {rules}")


def test_a_policy_is_about_all_that_its_switch_is_about() -> None:
    settings = Settings(conflict_policy_fields=("Title => PLEX", "poster => fill"))
    assert conflict_policies(settings) == {
        Field.TITLE: ConflictPolicy.PLEX,
        Field.SORT_TITLE: ConflictPolicy.PLEX,
        Field.POSTER: ConflictPolicy.FILL,
    }


def test_every_field_has_a_switch_and_a_name_for_rules() -> None:
    assert set(FIELDS_OF_SETTING) == set(FIELD_NAMES)
    assert {f"sync_{name}" for name in FIELD_NAMES} <= set(KEYS)
    assert {field for fields in FIELDS_OF_SETTING.values() for field in fields} == set(Field)


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_each_switch_is_about_its_own_fields_alone(name: str) -> None:
    every = Settings.model_validate({f"sync_{each}": True for each in FIELD_NAMES})
    but_one = every.model_copy(update={f"sync_{name}": False})
    assert enabled_fields(every) - enabled_fields(but_one) == set(FIELDS_OF_SETTING[name])


@pytest.mark.parametrize("everywhere", ConflictPolicy)
def test_what_others_know_of_a_person_is_replaced_only_if_somebody_says_so_of_photos(
    everywhere: ConflictPolicy,
) -> None:
    assert photo_policy(Settings(conflict_policy=everywhere)) is ConflictPolicy.FILL
    rules = ("performers => plex", "performer_photos => stash")
    assert photo_policy(Settings(conflict_policy=everywhere, conflict_policy_fields=rules)) is ConflictPolicy.STASH
