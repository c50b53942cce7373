"""Every awkward case of the table, against the index in memory and against the one in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from matching_cases import CASES
from path_index_double import Index

from scenesync.app.configuration.values import path_rule
from scenesync.domain.item import ListedItem, MediaPart
from scenesync.domain.matching import Ambiguous, IndexedFile, Match, MatchResult, PathIndex, match_files
from scenesync.domain.scene import SceneFile
from scenesync.store.database import open_database
from scenesync.store.path_index import PathIndexStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def told(result: MatchResult) -> str:
    match result:
        case Match(rule):
            return " ".join([rule.value, *sorted(result.rating_keys)])
        case Ambiguous(rule):
            return f"ambiguous by {rule.value}"
    return "none"


def plex_files(rows: Sequence[tuple[Any, ...]]) -> Iterator[IndexedFile]:
    for item, path, *facts in rows:
        key, _, library = item.partition("@")
        size, seconds = (*facts, None, None)[:2]
        yield IndexedFile(key, library or "1", path, size, None if seconds is None else round(seconds * 1000))


@pytest.fixture(scope="module")
def database_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("indexes")


@pytest.mark.parametrize("where", ["memory", "database"])
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_an_awkward_case_is_answered_as_the_table_says(case: Any, where: str, database_folder: Path) -> None:
    _, ours, theirs, path_map, answer = case
    files = [SceneFile(path, *facts) for path, *facts in ours]
    rules = [path_rule(text) for text in path_map]
    indexed = list(plex_files(theirs))
    if where == "memory":
        assert told(match_files(files, Index(*indexed), rules)) == answer
        return
    with open_database(database_folder / "scenesync.db") as database:
        store = PathIndexStore(database, f"server of {case[0]}")
        store.upsert_items(
            ListedItem(
                key,
                library,
                tuple(
                    MediaPart(file.path, file.size_bytes, file.duration_ms)
                    for file in indexed
                    if file.rating_key == key
                ),
            )
            for key, library in dict.fromkeys((file.rating_key, file.library_key) for file in indexed)
        )
        index: PathIndex = store
        assert told(match_files(files, index, rules)) == answer


def test_the_table_is_long_enough_and_names_every_case_once() -> None:
    assert len(CASES) >= 60
    assert len({case[0] for case in CASES}) == len(CASES)
