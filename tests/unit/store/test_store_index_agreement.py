"""The index must answer like a plain list that is searched from end to end, whatever happened to it before."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import SERVER, name_lookup, path_lookup

from scenesync.domain.item import ListedItem, MediaPart
from scenesync.store.database import open_database
from scenesync.store.path_index import PathIndexStore

PATHS = st.sampled_from(
    [
        "/media/Harbour at dawn.mkv",
        "/media/harbour at dawn.MKV",
        "/other/Harbour at dawn.mkv",
        "/media//./Harbour at dawn.mkv",
        r"D:\media\Harbour at dawn.mkv",
        r"d:/media/harbour at dawn.mkv",
        "/media/Cafe\u0301.mkv",
        "/media/caf\u00e9.mkv",
        r"/media/back\slash.mkv",
        "/media/100% _real_ 'quoted\".mkv",
        "/media/Quay.mkv",
    ]
)
PARTS = st.builds(MediaPart, PATHS, st.none() | st.integers(0, 2**62), st.none() | st.integers(0, 10**9))
ITEMS = st.builds(
    ListedItem,
    rating_key=st.sampled_from(["1", "2", "10", "11"]),
    library_key=st.sampled_from(["1", "2"]),
    parts=st.lists(PARTS, max_size=3, unique_by=lambda part: part.file).map(tuple),
    updated_at=st.integers(0, 2_000_000_000),
)
LISTINGS = st.lists(ITEMS, max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), LISTINGS),
        st.tuples(st.just("pass"), LISTINGS),
        st.tuples(st.just("forget"), st.sampled_from(["1", "2", "10", "11"])),
        st.tuples(st.just("drop"), st.sampled_from(["1", "2"])),
    ),
    max_size=8,
)

Model = dict[str, ListedItem]


def apply(step: tuple[str, object], index: PathIndexStore, model: Model) -> None:
    match step:
        case ("upsert", list(items)):
            known = {(item.rating_key, part.file) for item in model.values() for part in item.parts}
            latest = {item.rating_key: item for item in items}
            new = {(item.rating_key, part.file) for item in latest.values() for part in item.parts} - known
            assert index.upsert_items(items) == {name_lookup(path) for _, path in new}
            model.update(latest)
        case ("pass", list(items)):
            # A listing shows one library; what it shows of another would be a lie of the server.
            listed = {item.rating_key: item for item in items if item.library_key == "1"}
            gone = {key for key, item in model.items() if item.library_key == "1" and key not in listed}
            assert index.replace_library("1", listed.values(), started_at=1.0).removed == gone
            for key in gone:
                del model[key]
            model.update(listed)
        case ("forget", str(rating_key)):
            item = model.get(rating_key)
            paths = [part.file for part in item.parts] if item is not None else []
            assert index.forget_item(rating_key, paths) == bool(paths)
            if paths:
                del model[rating_key]
        case ("drop", str(kept)):
            gone = {key for key, item in model.items() if item.library_key != kept}
            assert index.drop_libraries_except([kept]) == len(gone)
            for key in gone:
                del model[key]


def agree(index: PathIndexStore, model: Model, path: str) -> None:
    files = [
        (item.rating_key, item.library_key, part.file, part.size_bytes, part.duration_ms)
        for item in model.values()
        for part in item.parts
    ]

    def answer(found: object) -> list[tuple[object, ...]]:
        assert isinstance(found, tuple)
        return [(file.rating_key, file.library_key, file.path, file.size_bytes, file.duration_ms) for file in found]

    at = sorted((file for file in files if path_lookup(file[2]) == path_lookup(path)), key=lambda file: file[::2][:2])
    named = sorted(
        (file for file in files if name_lookup(file[2]) == name_lookup(path)), key=lambda file: file[::2][:2]
    )
    assert answer(index.files_at(path_lookup(path))) == at
    assert answer(index.files_named(name_lookup(path))) == named


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, asked=st.lists(PATHS, min_size=1, max_size=6))
def test_the_index_answers_like_a_plain_list(steps: list[tuple[str, object]], asked: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_database(Path(folder) / "scenesync.db") as database,
    ):
        index, model = PathIndexStore(database, SERVER), Model()
        for step in steps:
            apply(step, index, model)
        for path in asked:
            agree(index, model, path)
        assert index.counts().items == len(model)
        for library in ("1", "2"):
            items = [item for item in model.values() if item.library_key == library]
            state = index.library_state(library)
            newest = max((item.updated_at for item in items), default=0)
            assert (state.item_count, state.newest_updated_at) == (len(items), newest)
