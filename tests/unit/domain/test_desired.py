from __future__ import annotations

import pytest

from scenesync.domain.desired import DEFAULT_FIELDS, complete_date, desired_fields, shown_title
from scenesync.domain.fields import IMAGE_FIELDS, LIST_FIELDS, Field, empty_value
from scenesync.domain.scene import Performer, Scene, SceneFile, Studio, Tag
from scenesync.domain.text import NAME_LIMIT, SUMMARY_LIMIT, TITLE_LIMIT

ALL_FIELDS = frozenset(Field)


class TestTitle:
    @pytest.mark.parametrize("title", ["", "   ", "\n\t", "\x00\x07", "\u202e"])
    def test_a_blank_title_is_the_first_files_name(self, title: str) -> None:
        scene = Scene(1, title=title, files=(SceneFile("/data/Harbour at dawn.mp4"), SceneFile("/data/other.mp4")))
        assert shown_title(scene) == "Harbour at dawn"

    @pytest.mark.parametrize(
        ("path", "title"),
        [
            ("/data/Vol. 2.final.mkv", "Vol. 2.final"),
            ("/data/no extension", "no extension"),
            ("/data/.hidden", ".hidden"),
            ("/data/.hidden.mp4", ".hidden"),
            ("C:\\Films\\Harbour.mp4", "Harbour"),
            ("/data/AC\\DC live.mp4", "AC\\DC live"),
            ("/data/caf\u0065\u0301.mp4", "caf\u00e9"),
            ("/data/two\nlines.mp4", "two lines"),
        ],
    )
    def test_the_file_name_loses_its_extension_and_nothing_else(self, path: str, title: str) -> None:
        assert shown_title(Scene(1, files=(SceneFile(path),))) == title

    def test_a_title_of_its_own_wins_and_is_one_clean_line_of_limited_length(self) -> None:
        scene = Scene(1, title=" Harbour\nat\x00dawn ", files=(SceneFile("/data/a.mp4"),))
        assert shown_title(scene) == "Harbour at dawn"
        assert len(shown_title(Scene(1, title="x" * 1000))) == TITLE_LIMIT

    def test_the_sort_title_goes_with_the_title(self) -> None:
        values = desired_fields(Scene(1, title="The Harbour")).values
        assert values[Field.TITLE] == values[Field.SORT_TITLE] == "The Harbour"

    @pytest.mark.parametrize("files", [(), (SceneFile("/data/\x00\x01"),)])
    def test_a_scene_that_has_no_name_at_all_says_nothing_about_the_title(self, files: tuple[SceneFile, ...]) -> None:
        values = desired_fields(Scene(1, files=files)).values
        assert not {Field.TITLE, Field.SORT_TITLE} & values.keys()
        assert Field.SUMMARY in values


class TestDate:
    @pytest.mark.parametrize(
        ("date", "day"),
        [
            ("2024-05-17", "2024-05-17"),
            (" 2024-05-17 ", "2024-05-17"),
            ("2024-05", "2024-05-01"),
            ("2024", "2024-01-01"),
            ("2024-02-29", "2024-02-29"),
        ],
    )
    def test_full_dates_stay_and_partial_ones_are_completed(self, date: str, day: str) -> None:
        assert complete_date(date) == day

    @pytest.mark.parametrize(
        "date",
        [
            "",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "0000-01-01",
            "24-05-17",
            "2024-5-7",
            "2024-05-17T10:00",
            "2024-W20-5",
            "20240517",
            "soon",
        ],
    )
    def test_what_is_no_date_is_dropped_without_an_error(self, date: str) -> None:
        assert complete_date(date) == ""


class TestAbsentAndEmpty:
    def test_what_stash_leaves_empty_is_wanted_empty_in_the_fields_own_kind(self) -> None:
        values = desired_fields(Scene(1, title="Harbour"), ALL_FIELDS).values
        for field, value in values.items():
            if field not in {Field.TITLE, Field.SORT_TITLE}:
                assert value == empty_value(field)
        assert values.keys() == ALL_FIELDS - IMAGE_FIELDS

    def test_what_is_switched_off_is_absent(self) -> None:
        scene = Scene(1, title="Harbour", details="Ships.", screenshot_url="http://stash/1")
        wanted = desired_fields(scene, frozenset({Field.SUMMARY}))
        assert wanted.values == {Field.SUMMARY: "Ships."}
        assert wanted.images == {}

    def test_collections_are_off_unless_asked_for(self) -> None:
        scene = Scene(1, studio=Studio(1, "North Pier"))
        assert Field.COLLECTIONS not in DEFAULT_FIELDS
        assert Field.COLLECTIONS not in desired_fields(scene).values
        assert desired_fields(scene, ALL_FIELDS).values[Field.COLLECTIONS] == ("North Pier",)

    def test_a_cover_is_wanted_as_poster_and_background_and_none_is_not_wanted_away(self) -> None:
        url = "http://stash/scene/1/screenshot"
        assert desired_fields(Scene(1, screenshot_url=url)).images == {Field.POSTER: url, Field.BACKGROUND: url}
        assert desired_fields(Scene(1)).images == {}


class TestText:
    def test_a_summary_keeps_its_paragraphs(self) -> None:
        values = desired_fields(Scene(1, details="Ships.\r\n\r\nSea\x07gulls.\n")).values
        assert values[Field.SUMMARY] == "Ships.\n\nSea gulls."

    def test_long_text_is_cut(self) -> None:
        scene = Scene(1, details="x" * 20_000, director="y" * 300, studio=Studio(1, "z" * 300))
        values = desired_fields(scene).values
        assert values[Field.SUMMARY] == "x" * SUMMARY_LIMIT
        assert values[Field.DIRECTORS] == ("y" * NAME_LIMIT,)
        assert values[Field.STUDIO] == "z" * NAME_LIMIT

    def test_what_cannot_travel_is_gone_from_every_field(self) -> None:
        dirty = "a\x00b\ud800c\u202ed"
        scene = Scene(
            1,
            title=dirty,
            details=dirty,
            director=dirty,
            code=dirty,
            studio=Studio(1, dirty),
            performers=(Performer(1, dirty),),
            tags=(Tag(1, dirty),),
        )
        values = desired_fields(scene, ALL_FIELDS).values
        without = IMAGE_FIELDS | {Field.DATE, Field.RATING, Field.CONTENT_RATING, Field.LABELS}
        assert {field: value for field, value in values.items() if field not in without} == {
            field: ("a b cd",) if field in LIST_FIELDS else "a b cd" for field in ALL_FIELDS - without
        }


class TestNames:
    def test_performers_keep_their_order(self) -> None:
        scene = Scene(1, performers=(Performer(2, "Zoe"), Performer(1, "Ann")))
        assert desired_fields(scene).values[Field.ACTORS] == ("Zoe", "Ann")

    def test_a_name_stands_once_whatever_its_case_and_blank_ones_do_not(self) -> None:
        tags = (
            Tag(1, "Travel"),
            Tag(2, " travel "),
            Tag(3, "TRAVEL"),
            Tag(4, "  "),
            Tag(5, "Caf\u00e9"),
            Tag(6, "Cafe\u0301"),
        )
        assert desired_fields(Scene(1, tags=tags)).values[Field.GENRES] == ("Travel", "Caf\u00e9")

    def test_the_disambiguation_is_shown_where_the_cast_has_two_of_that_name(self) -> None:
        cast = (Performer(1, "Ann", "dancer"), Performer(2, "Ann", "pilot"), Performer(3, "Bo", "cook"))
        assert desired_fields(Scene(1, performers=cast)).values[Field.ACTORS] == ("Ann (dancer)", "Ann (pilot)", "Bo")

    def test_one_of_two_may_have_none(self) -> None:
        cast = (Performer(1, "Ann"), Performer(2, "Ann", "pilot"))
        assert desired_fields(Scene(1, performers=cast)).values[Field.ACTORS] == ("Ann", "Ann (pilot)")

    def test_names_that_plex_would_take_for_one_person_are_told_apart_too(self) -> None:
        cast = (Performer(1, "Ann", "dancer"), Performer(2, "ANN ", "pilot"))
        assert desired_fields(Scene(1, performers=cast)).values[Field.ACTORS] == ("Ann (dancer)", "ANN (pilot)")
