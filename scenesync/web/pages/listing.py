"""What the pages of long lists share: by what a list is narrowed down, and how its rows name what they are about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Query

from scenesync.web.asking import Cursor
from scenesync.web.models.common import LARGEST_ID
from scenesync.web.pages.scenes import query
from scenesync.web.problems import Unusable

_LONGEST: Final = len(str(LARGEST_ID))


async def _scene_named(scene: Annotated[str, Query(max_length=200)] = "") -> int | None:
    """Return the scene that a form names, None if its field is empty. Raises Unusable."""
    return scene_in(scene)


SceneNamed = Annotated[int | None, Depends(_scene_named)]


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a long list is asked for: after an error ("": any), for a scene, from a cursor on."""

    error: str
    scene: int | None
    cursor: str | None

    @property
    def is_whole(self) -> bool:
        """Whether it is the beginning of the whole list."""
        return not (self.error or self.scene or self.cursor)

    def address(self, cursor: str | None = None) -> str:
        """Return what stands behind the path of this list from a cursor on, by default from its beginning."""
        return query({"error": self.error, "scene": str(self.scene or ""), "cursor": cursor})

    def following(self, next_cursor: str | None) -> str:
        """Return what stands behind the path of what follows, "" if nothing does."""
        return self.address(next_cursor) if next_cursor else ""


async def _part(
    error: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
    scene: SceneNamed = None,
    cursor: Cursor = None,
) -> Part:
    return Part(error, scene, cursor)


PartNamed = Annotated[Part, Depends(_part)]


@dataclass(frozen=True, slots=True)
class Named:
    """What a row is about: its name, where there is more about it ("": nowhere), its number if the name is another."""

    title: str
    path: str
    number: int | None = None


def scene_in(text: str) -> int | None:
    """Return the scene that a text names, None for an empty one. Raises Unusable."""
    digits = text.strip()
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST and 0 < int(digits) <= LARGEST_ID):
        raise Unusable("Name a scene by its number in Stash, such as 12.", code="invalid-request")
    return int(digits)


def named(scene_id: int | None, about: str, titles: Mapping[int, str]) -> Named:
    """Return what a row about a scene is called, or about many scenes: then ``about`` says which."""
    if not scene_id:
        return Named(about[:1].upper() + about[1:], "")
    path = f"/scenes/{scene_id}"
    if title := titles.get(scene_id):
        return Named(title, path, scene_id)
    return Named(f"Scene {scene_id}", path)
