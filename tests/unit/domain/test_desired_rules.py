"""What a person may decide about each field."""

from __future__ import annotations

import pytest

from scenesync.domain.desired import Cut, desired_fields
from scenesync.domain.field_rules import (
    ContentRatingRules,
    Disambiguation,
    FieldRules,
    LabelRules,
    PartialDates,
    PerformerOrder,
    PerformerRules,
    StudioName,
    TagRules,
)
from scenesync.domain.fields import Field, FieldValue
from scenesync.domain.name_rules import NameRules, name_pattern, rename_rule
from scenesync.domain.scene import Group, Performer, Scene, Studio, Tag
from scenesync.domain.text import NAME_LIMIT, SUMMARY_LIMIT, TITLE_LIMIT
from scenesync.domain.title_template import title_template

ALL_FIELDS = frozenset(Field)
RECORDS = Studio(3, "Pier Live", Studio(2, "Pier Records", Studio(1, "Harbour Group")))


def value(scene: Scene, field: Field, rules: FieldRules | None = None) -> FieldValue:
    return desired_fields(scene, ALL_FIELDS, rules or FieldRules()).values[field]


class TestTitle:
    def test_the_template_makes_title_and_sort_title(self) -> None:
        rules = FieldRules(title=title_template("{studio} - {title} ({year})"))
        scene = Scene(1, title="Encore", studio=Studio(1, "North Pier"), date="2024-05")
        for field in (Field.TITLE, Field.SORT_TITLE):
            assert value(scene, field, rules) == "North Pier - Encore (2024)"

    def test_every_fact_can_stand_in_it(self) -> None:
        names = ("title", "studio", "parent_studio", "date", "year", "performers", "director", "code", "group")
        scene = Scene(
            1,
            title="Encore",
            studio=RECORDS,
            date="2024-05",
            performers=(Performer(1, "Ann"), Performer(2, "Bo")),
            director="Cy",
            code="NP-1",
            groups=(Group(1, "Summer Tour"),),
        )
        rules = FieldRules(title=title_template("|".join(f"{{{name}}}" for name in names)))
        assert value(scene, Field.TITLE, rules) == (
            "Encore|Pier Live|Pier Records|2024-05|2024|Ann, Bo|Cy|NP-1|Summer Tour"
        )

    def test_a_large_cast_does_not_drown_the_title(self) -> None:
        cast = tuple(Performer(number, f"Member {number}") for number in range(9))
        rules = FieldRules(title=title_template("{performers}: {title}"))
        assert value(Scene(1, title="Encore", performers=cast), Field.TITLE, rules) == (
            "Member 0, Member 1, Member 2, …: Encore"
        )

    def test_a_template_of_which_a_scene_has_nothing_gives_the_plain_title(self) -> None:
        rules = FieldRules(title=title_template("{studio} {code}"))
        assert value(Scene(1, title="Encore"), Field.TITLE, rules) == "Encore"

    def test_a_date_that_is_none_is_missing(self) -> None:
        rules = FieldRules(title=title_template("{title} ({date})"))
        assert value(Scene(1, title="Encore", date="2024-13"), Field.TITLE, rules) == "Encore"


class TestStudio:
    @pytest.mark.parametrize(
        ("which", "shown"),
        [
            (StudioName.OWN, "Pier Live"),
            (StudioName.PARENT, "Pier Records"),
            (StudioName.ROOT, "Harbour Group"),
            (StudioName.PATH, "Harbour Group / Pier Records / Pier Live"),
        ],
    )
    def test_which_of_the_studios_above_is_shown(self, which: StudioName, shown: str) -> None:
        rules = FieldRules(studio=which)
        assert value(Scene(1, studio=RECORDS), Field.STUDIO, rules) == shown
        assert value(Scene(1, studio=Studio(1, "Alone")), Field.STUDIO, rules) == "Alone"
        assert value(Scene(1), Field.STUDIO, rules) == ""


class TestDate:
    @pytest.mark.parametrize(("date", "day"), [("2024", ""), ("2024-05", ""), ("2024-05-17", "2024-05-17")])
    def test_a_partial_date_can_be_dropped(self, date: str, day: str) -> None:
        assert value(Scene(1, date=date), Field.DATE, FieldRules(partial_dates=PartialDates.DROP)) == day


class TestRating:
    @pytest.mark.parametrize(
        ("rating100", "rating"),
        [(None, ""), (0, ""), (1, "0.1"), (20, "2"), (85, "8.5"), (100, "10"), (101, "10"), (-5, "")],
    )
    def test_a_hundred_points_are_ten(self, rating100: int | None, rating: str) -> None:
        assert value(Scene(1, rating100=rating100), Field.RATING) == rating


class TestTagline:
    def test_it_is_the_code(self) -> None:
        assert value(Scene(1, code=" NP-001 "), Field.TAGLINE) == "NP-001"


class TestTags:
    TOP = Tag(9, "Outdoors")
    SEA = Tag(2, "Sea", (TOP, Tag(8, "Water", (TOP,))))

    def test_parents_follow_level_by_level_each_once(self) -> None:
        scene = Scene(1, tags=(Tag(1, "Boats", (self.SEA,)), self.SEA))
        assert value(scene, Field.GENRES) == ("Boats", "Sea")
        assert value(scene, Field.GENRES, FieldRules(tags=TagRules(parents=True))) == (
            "Boats", "Sea", "Outdoors", "Water",
        )  # fmt: skip

    def test_a_circle_of_parents_ends(self) -> None:
        inner = Tag(2, "B", (Tag(1, "A"),))
        rules = FieldRules(tags=TagRules(parents=True))
        assert value(Scene(1, tags=(Tag(1, "A", (inner,)),)), Field.GENRES, rules) == ("A", "B")

    def test_filters_are_about_stashs_names_and_renamed_ones_meet(self) -> None:
        names = NameRules(
            include=(name_pattern("Genre: *"), name_pattern("Sea")),
            exclude=(name_pattern("/draft/"),),
            rename=(rename_rule("/^Genre: (.*)/", r"\1"), rename_rule("sea", "Travel")),
        )
        scene = Scene(1, tags=tuple(map(Tag, range(5), ("Genre: Travel", "Genre: Draft", "Sea", "Town", "Genre: Art"))))
        assert value(scene, Field.GENRES, FieldRules(tags=TagRules(names))) == ("Travel", "Art")

    def test_the_maximum_is_counted_after_the_filters_and_what_was_cut_is_told(self) -> None:
        tags = tuple(Tag(number, f"Tag {number}") for number in range(10))
        names = NameRules(exclude=(name_pattern("Tag 0"),), maximum=3)
        wanted = desired_fields(Scene(1, tags=tags), ALL_FIELDS, FieldRules(tags=TagRules(names)))
        assert wanted.values[Field.GENRES] == ("Tag 1", "Tag 2", "Tag 3")
        assert wanted.cuts == (Cut(Field.GENRES, 3, 9),)


class TestPerformers:
    CAST = (
        Performer(1, "Zoe", gender="female"),
        Performer(2, "Ann", "dancer", gender="female", favorite=True),
        Performer(3, "Max", gender="male"),
        Performer(4, "Robin"),
    )

    def actors(self, rules: PerformerRules, cast: tuple[Performer, ...] = CAST) -> FieldValue:
        return value(Scene(1, performers=cast), Field.ACTORS, FieldRules(performers=rules))

    def test_by_gender_and_an_unknown_one_stays(self) -> None:
        assert self.actors(PerformerRules(skip_genders=frozenset({"female"}))) == ("Max", "Robin")

    def test_by_name_renamed_and_at_most_so_many(self) -> None:
        names = NameRules(exclude=(name_pattern("R*"),), rename=(rename_rule("Zoe", "Zoë"),), maximum=2)
        assert self.actors(PerformerRules(names)) == ("Zoë", "Ann")

    @pytest.mark.parametrize(
        ("order", "names"),
        [
            (PerformerOrder.STASH, ("Zoe", "Ann", "Max", "Robin")),
            (PerformerOrder.FAVORITES, ("Ann", "Zoe", "Max", "Robin")),
            (PerformerOrder.NAME, ("Ann", "Max", "Robin", "Zoe")),
        ],
    )
    def test_in_the_order_that_was_asked_for(self, order: PerformerOrder, names: tuple[str, ...]) -> None:
        assert self.actors(PerformerRules(order=order)) == names

    @pytest.mark.parametrize(
        ("when", "names"),
        [
            (Disambiguation.NEEDED, ("Ann (dancer)", "Ann (pilot)", "Bo")),
            (Disambiguation.ALWAYS, ("Ann (dancer)", "Ann (pilot)", "Bo (cook)")),
            (Disambiguation.NEVER, ("Ann", "Bo")),
        ],
    )
    def test_told_apart_when_it_is_wanted(self, when: Disambiguation, names: tuple[str, ...]) -> None:
        cast = (Performer(1, "Ann", "dancer"), Performer(2, "Ann", "pilot"), Performer(3, "Bo", "cook"))
        assert self.actors(PerformerRules(disambiguation=when), cast) == names

    def test_two_that_are_renamed_alike_are_told_apart(self) -> None:
        names = NameRules(rename=(rename_rule("A.*", "Ann"),))
        cast = (Performer(1, "Ann", "dancer"), Performer(2, "A.N.", "pilot"))
        renamed = PerformerRules(NameRules(rename=(rename_rule("A.N.", "Ann"),)))
        assert self.actors(renamed, cast) == ("Ann (dancer)", "Ann (pilot)")
        assert self.actors(PerformerRules(names), (Performer(1, "Anna"),)) == ("Anna",)

    def test_a_namesake_who_does_not_take_part_needs_no_telling_apart(self) -> None:
        cast = (Performer(1, "Kim", "dancer", gender="male"), Performer(2, "Kim", "pilot", gender="female"))
        assert self.actors(PerformerRules(skip_genders=frozenset({"male"})), cast) == ("Kim",)


class TestLabels:
    RULES = FieldRules(labels=LabelRules("Organized", (name_pattern("Leaving *"),), ("Stash",)))

    def test_fixed_ones_organized_and_chosen_tags(self) -> None:
        scene = Scene(1, organized=True, tags=(Tag(1, "Leaving Soon"), Tag(2, "Travel")))
        assert value(scene, Field.LABELS, self.RULES) == ("Stash", "Organized", "Leaving Soon")
        assert value(Scene(1), Field.LABELS, self.RULES) == ("Stash",)
        assert value(scene, Field.LABELS) == ()


class TestContentRating:
    RULES = FieldRules(
        content_rating=ContentRatingRules("12", (rename_rule("Violence", "18"), rename_rule("/stunt/", "16")))
    )

    @pytest.mark.parametrize(
        ("tags", "rating"), [((), "12"), (("Stunts",), "16"), (("Stunts", "violence"), "18"), (("Sea",), "12")]
    )
    def test_the_first_rule_that_fits_a_tag_else_the_one_for_all(self, tags: tuple[str, ...], rating: str) -> None:
        scene = Scene(1, tags=tuple(Tag(number, name) for number, name in enumerate(tags)))
        assert value(scene, Field.CONTENT_RATING, self.RULES) == rating
        assert value(scene, Field.CONTENT_RATING) == ""


def test_what_is_cut_is_told_of_enabled_fields_only() -> None:
    scene = Scene(1, title="t" * 300, details="s" * 20_000, code="c" * 300)
    assert desired_fields(scene).cuts == (
        Cut(Field.SUMMARY, SUMMARY_LIMIT, 20_000),
        Cut(Field.TITLE, TITLE_LIMIT, 300),
    )
    cuts = desired_fields(scene, frozenset({Field.TAGLINE})).cuts
    assert cuts == (Cut(Field.TAGLINE, NAME_LIMIT, 300),)
    assert desired_fields(Scene(1, title=" " * 300 + "t")).cuts == ()
