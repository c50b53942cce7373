"""Edits as bytes: what stands in the request line, in which order, in how many requests."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenesync.domain.diff import Edit, FieldChange
from scenesync.domain.fields import Field
from scenesync.plex.dialect import Dialect
from scenesync.plex.edit_request import edit_requests, fitting_summary, metadata_put
from scenesync.plex.exceptions import PlexPermanentError

HEAD = "/library/sections/4/all?type=1&id=1201&"


def edit(*changes: FieldChange, lock: bool = True) -> Edit:
    return Edit(rating_key="1201", library_key="4", changes=changes, lock=lock)


def text(field: Field, after: str) -> FieldChange:
    return FieldChange(field, before="", after=after)


def targets(*changes: FieldChange, lock: bool = True, dialect: Dialect | None = None) -> list[str]:
    return [request.target for request in edit_requests(edit(*changes, lock=lock), dialect or Dialect())]


def parameters(target: str) -> list[tuple[str, str]]:
    return parse_qsl(target.partition("?")[2], keep_blank_values=True, strict_parsing=True)


def test_a_title_is_sent_with_its_lock() -> None:
    (request,) = edit_requests(edit(text(Field.TITLE, "Beach Walk")), Dialect())

    assert request.method == "PUT"
    assert request.body is None
    assert request.target == HEAD + "title.value=Beach%20Walk&title.locked=1"


def test_without_locking_the_lock_is_sent_as_0() -> None:
    assert targets(text(Field.TITLE, "X"), lock=False) == [HEAD + "title.value=X&title.locked=0"]


def test_scalars_keep_one_order_whatever_the_order_of_the_changes() -> None:
    changes = [
        text(Field.STUDIO, "North Pier"),
        text(Field.DATE, "2021-06-05"),
        text(Field.SUMMARY, "Two walk."),
        text(Field.SORT_TITLE, "walk"),
        text(Field.TITLE, "Walk"),
    ]

    expected = [
        HEAD + "title.value=Walk&title.locked=1&titleSort.value=walk&titleSort.locked=1"
        "&summary.value=Two%20walk.&summary.locked=1"
        "&originallyAvailableAt.value=2021-06-05&originallyAvailableAt.locked=1"
        "&studio.value=North%20Pier&studio.locked=1"
    ]
    assert targets(*changes) == expected
    assert targets(*reversed(changes)) == expected


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (",%&\"'+", "%2C%25%26%22%27%2B"),
        ("a\nb", "a%0Ab"),
        ("🌊", "%F0%9F%8C%8A"),
        ("Müller", "M%C3%BCller"),
        ("a=b;c#d?e/f", "a%3Db%3Bc%23d%3Fe%2Ff"),
        ("[x]", "%5Bx%5D"),
        ("title.value=1&id=2", "title.value%3D1%26id%3D2"),
    ],
)
def test_values_are_encoded_so_that_nothing_but_the_value_is_read(value: str, encoded: str) -> None:
    (target,) = targets(text(Field.SUMMARY, value))

    assert target == HEAD + f"summary.value={encoded}&summary.locked=1"
    assert dict(parameters(target))["summary.value"] == value


@pytest.mark.parametrize("field", [Field.SUMMARY, Field.STUDIO, Field.DATE, Field.SORT_TITLE])
def test_an_emptied_text_is_sent_as_an_empty_value(field: Field) -> None:
    assert targets(text(field, "")) == [HEAD + f"{field.value}.value=&{field.value}.locked=1"]


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_title_is_never_sent(empty: str) -> None:
    with pytest.raises(PlexPermanentError, match="empty title"):
        targets(text(Field.TITLE, empty))


def test_a_list_is_sent_whole_with_the_removals_beside_it() -> None:
    change = FieldChange(Field.GENRES, before=("Outdoor", "Old One", "Sea"), after=("Sea", "Beach"))

    assert targets(change) == [
        HEAD + "genre%5B0%5D.tag.tag=Sea&genre%5B1%5D.tag.tag=Beach"
        "&genre%5B%5D.tag.tag-=Outdoor%2COld%2520One&genre.locked=1"
    ]


def test_actors_are_called_actor() -> None:
    change = FieldChange(Field.ACTORS, before=(), after=("Ann Example",))

    assert targets(change) == [HEAD + "actor%5B0%5D.tag.tag=Ann%20Example&actor.locked=1"]


def test_an_emptied_list_is_the_removal_of_its_names() -> None:
    change = FieldChange(Field.COLLECTIONS, before=("North Pier", "Best"), after=())

    assert targets(change) == [HEAD + "collection%5B%5D.tag.tag-=North%2520Pier%2CBest&collection.locked=1"]


def test_the_plain_dialect_encodes_removals_once() -> None:
    change = FieldChange(Field.GENRES, before=("Old One", "Sea"), after=())

    assert targets(change, dialect=Dialect(minus_encoding="plain")) == [
        HEAD + "genre%5B%5D.tag.tag-=Old%20One%2CSea&genre.locked=1"
    ]


@pytest.mark.parametrize(
    ("name", "double", "plain"),
    [
        ("C & D", "C%2520%2526%2520D", "C%20%26%20D"),
        ("100%", "100%2525", "100%25"),
        ('the "x"', "the%2520%2522x%2522", "the%20%22x%22"),
        ("it's", "it%2527s", "it%27s"),
        ("a+b", "a%252Bb", "a%2Bb"),
        ("🌊", "%25F0%259F%258C%258A", "%F0%9F%8C%8A"),
    ],
)
def test_names_with_marks_share_a_request_only_in_the_encoding_that_escapes_them(
    name: str, double: str, plain: str
) -> None:
    change = FieldChange(Field.GENRES, before=("Old", name, "Sea", f"{name}{name}"), after=("New",))
    new = HEAD + "genre%5B0%5D.tag.tag=New&genre%5B%5D.tag.tag-="

    (only,) = targets(change, dialect=Dialect(minus_encoding="double"))
    assert only == f"{new}Old%2C{double}%2CSea%2C{double * 2}&genre.locked=1"

    first, second, third = targets(change, dialect=Dialect(minus_encoding="plain"))
    assert first == f"{new}Old%2CSea&genre.locked=1"
    assert second == HEAD + f"genre%5B%5D.tag.tag-={plain}&genre.locked=1"
    assert third == HEAD + f"genre%5B%5D.tag.tag-={plain * 2}&genre.locked=1"


def test_a_plain_name_with_a_comma_leaves_by_taking_all_off_and_putting_the_wanted_ones_on() -> None:
    change = FieldChange(Field.GENRES, before=("A, B", "Sea"), after=("Sea", "New"))
    plain = Dialect(minus_encoding="plain")

    assert targets(change, dialect=plain) == [
        HEAD + "genre%5B%5D.tag=&genre.locked=1",
        HEAD + "genre%5B0%5D.tag.tag=Sea&genre%5B1%5D.tag.tag=New&genre.locked=1",
    ]
    emptied = FieldChange(Field.GENRES, before=("A, B",), after=())
    assert targets(emptied, dialect=plain) == [HEAD + "genre%5B%5D.tag=&genre.locked=1"]


def test_a_single_removed_name_with_marks_needs_no_request_of_its_own() -> None:
    change = FieldChange(Field.GENRES, before=("C & D",), after=("New",))

    assert len(targets(change)) == 1


def test_letters_of_any_script_share_a_request() -> None:
    change = FieldChange(Field.ACTORS, before=("Bo Müller", "山田 花子", "हिन्दी"), after=())

    (target,) = targets(change)

    names = dict(parameters(target))["actor[].tag.tag-"]
    assert [unquote(name) for name in names.split(",")] == ["Bo Müller", "山田 花子", "हिन्दी"]


def test_lonely_removals_of_several_lists_travel_together() -> None:
    changes = [
        FieldChange(Field.ACTORS, before=("A & B", "C & D"), after=()),
        FieldChange(Field.GENRES, before=("E & F", "G & H"), after=()),
    ]

    assert len(targets(*changes, dialect=Dialect(minus_encoding="plain"))) == 2


def test_an_edit_without_changes_is_no_request() -> None:
    assert targets() == []


def test_everything_goes_in_one_request_while_it_fits() -> None:
    changes = [
        text(Field.TITLE, "T" * 255),
        text(Field.SUMMARY, "s" * 4000),
        FieldChange(Field.ACTORS, before=(), after=tuple(f"Actor {number}" for number in range(40))),
        FieldChange(Field.GENRES, before=(), after=tuple(f"Genre {number}" for number in range(40))),
    ]

    (target,) = targets(*changes)

    assert len(target) < 8000


@pytest.mark.parametrize("limit", [8000, 4000, 2000, 1000])
def test_long_edits_are_split_by_field_and_lose_nothing(limit: int) -> None:
    actors = tuple(f"Actor Ümlaut {number}" for number in range(60))
    genres = tuple(f"Genre {number}" for number in range(60))
    old = tuple(f"Old genre {number}" for number in range(60))
    changes = [
        text(Field.TITLE, "Title"),
        text(Field.SUMMARY, "s" * 700),
        FieldChange(Field.ACTORS, before=(), after=actors),
        FieldChange(Field.GENRES, before=old, after=genres),
    ]

    requests = edit_requests(edit(*changes), Dialect(item_line_bytes=limit))

    assert all(request.line_bytes <= limit for request in requests)
    sent = [parameters(request.target) for request in requests]
    flat = [pair for query in sent for pair in query]
    assert [value for name, value in flat if name.startswith("actor[") and name.endswith(".tag")] == list(actors)
    assert [value for name, value in flat if name.startswith("genre[") and name.endswith(".tag")] == list(genres)
    removed = [name for key, value in flat if key == "genre[].tag.tag-" for name in map(unquote, value.split(","))]
    assert removed == list(old)
    for query in sent:
        fields = {name.partition(".")[0].partition("[")[0] for name, _ in query} - {"type", "id"}
        assert {f"{field}.locked" for field in fields} <= {name for name, _ in query}


def test_fields_are_not_torn_apart_when_splitting_between_them_is_enough() -> None:
    changes = [
        text(Field.SUMMARY, "s" * 1500),
        FieldChange(Field.ACTORS, before=(), after=tuple(f"Actor {number}" for number in range(30))),
        FieldChange(Field.GENRES, before=("Old",), after=tuple(f"Genre {number}" for number in range(30))),
    ]

    first, second, third = targets(*changes, dialect=Dialect(item_line_bytes=2000))

    assert "summary.value" in first
    assert {name for name, _ in parameters(second) if not name.startswith("actor")} == {"type", "id"}
    assert {name for name, _ in parameters(third) if not name.startswith("genre")} == {"type", "id"}


def test_one_name_that_cannot_fit_is_refused() -> None:
    change = FieldChange(Field.GENRES, before=(), after=("é" * 255,))

    with pytest.raises(PlexPermanentError, match="genre"):
        targets(change, dialect=Dialect(item_line_bytes=1000))


def test_a_summary_too_long_is_cut_after_a_sentence() -> None:
    summary = "One sentence more of it. " * 600

    (target,) = targets(text(Field.SUMMARY, summary))

    assert len("PUT " + target) <= 8000
    sent = dict(parameters(target))["summary.value"]
    assert sent.endswith("it. …")
    assert summary.startswith(sent[:-2])
    assert len(target) > 7500


@pytest.mark.parametrize(
    ("summary", "end"),
    [
        ("Word after word without an end " * 500, " …"),
        ("x" * 12_000, "x …"),
        ("中文句子。" * 600, "。 …"),
        ("👩‍👩‍👧" * 600, "👩‍👩‍👧 …"),
    ],
)
def test_other_summaries_are_cut_at_a_word_or_between_visible_characters(summary: str, end: str) -> None:
    sent = fitting_summary(summary, 8000)

    assert sent.endswith(end)
    assert summary.startswith(sent.removesuffix(" …"))
    assert targets(text(Field.SUMMARY, sent)) == targets(text(Field.SUMMARY, summary))


@given(st.text(max_size=3000), st.integers(min_value=1000, max_value=8000))
def test_a_fitting_summary_fits_and_stays_as_it_is(summary: str, limit: int) -> None:
    fitted = fitting_summary(summary, limit)

    assert fitting_summary(fitted, limit) == fitted
    (request,) = edit_requests(edit(text(Field.SUMMARY, fitted)), Dialect(item_line_bytes=limit))
    assert request.line_bytes <= limit


@pytest.mark.parametrize("key", ["", " ", "1,2", "1/2", "1&id=", "../1", "1\n", "1201?", "a" * 65, "%31"])
def test_a_key_that_does_not_name_one_thing_is_refused(key: str) -> None:
    with pytest.raises(PlexPermanentError, match="refused"):
        metadata_put("4", (key,), ())
    with pytest.raises(PlexPermanentError, match="refused"):
        metadata_put(key, ("1201",), ())
    with pytest.raises(PlexPermanentError, match="refused"):
        edit_requests(Edit(key, "4", (text(Field.TITLE, "X"),)), Dialect())


def test_an_edit_of_nothing_cannot_be_built() -> None:
    with pytest.raises(PlexPermanentError, match="names no item"):
        metadata_put("4", (), ())


def test_several_items_stand_in_one_id_parameter() -> None:
    request = metadata_put("4", ("1", "a-2_b"), ["title.locked=1"])

    assert request.target == "/library/sections/4/all?type=1&id=1,a-2_b&title.locked=1"


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(Field.POSTER, before="", after="/x"),
        FieldChange(Field.GENRES, before="", after="Sea"),
        FieldChange(Field.TITLE, before=(), after=("Sea",)),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(change: FieldChange) -> None:
    with pytest.raises(PlexPermanentError, match="refused to write"):
        targets(change)


def test_locking_sends_locks_only() -> None:
    (request,) = edit_requests(Edit("1201", "4", (), also_lock=(Field.BACKGROUND, Field.POSTER)), Dialect())

    assert request.target == HEAD + "thumb.locked=1&art.locked=1"


def test_a_lock_comes_off_with_or_without_its_value() -> None:
    bare = Edit("1201", "4", (), also_lock=(Field.BACKGROUND,), also_unlock=(Field.POSTER,))
    (request,) = edit_requests(bare, Dialect())
    assert request.target == HEAD + "thumb.locked=0&art.locked=1"

    changes = (text(Field.TITLE, "A"), text(Field.SUMMARY, "B"))
    (request,) = edit_requests(Edit("1201", "4", changes, lock=False, locked_before=frozenset({"summary"})), Dialect())
    assert request.target == HEAD + "title.value=A&title.locked=0&summary.value=B&summary.locked=1"


def test_texts_stay_out_of_the_repr() -> None:
    (request,) = edit_requests(edit(text(Field.TITLE, "Private")), Dialect())

    assert "Private" not in repr(request)
