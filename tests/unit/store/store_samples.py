from __future__ import annotations

from scenesync.domain.item import ListedItem, MediaPart
from scenesync.domain.paths import name_key, path_key

SERVER = "5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88"
OTHER_SERVER = "c3d1904e5fb7428a90e6d8f21b7a45c09e8d6f12"


def film(number: int, *paths: str, library: str = "1", updated_at: int = 1_700_000_000) -> ListedItem:
    files = paths or (f"/media/films/Journey {number}/Journey to the coast {number}.mkv",)
    parts = tuple(MediaPart(path, size_bytes=1_000_000 + number, duration_ms=60_000 + number) for path in files)
    return ListedItem(str(number), library, parts, title=f"Journey {number}", updated_at=updated_at)


def path_lookup(path: str) -> str:
    return path_key(path).casefold()


def name_lookup(path: str) -> str:
    return name_key(path)
