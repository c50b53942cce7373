"""Tags are global: one id per kind and name, shared by every item, and an actor's photo belongs to the tag."""

import re
from dataclasses import dataclass
from typing import Final

TAG_ELEMENTS: Final = {
    "genre": "Genre",
    "country": "Country",
    "collection": "Collection",
    "director": "Director",
    "writer": "Writer",
    "actor": "Role",
    "producer": "Producer",
    "similar": "Similar",
    "label": "Label",
}
"""Parameter stem -> element name, in the order in which an item shows them. A role is called ``actor`` in edits."""

# "leaving-soon" -> "Leaving-Soon", "reely.some_name" -> "Reely.some_name", ".hidden" -> ".Hidden"
_LABEL_WORD_START: Final = re.compile(r"(^\.?|[\s-])(\w)")


@dataclass(slots=True, eq=False)
class Tag:
    """One tag. ``thumb`` is shared by every item that has it."""

    id: int
    kind: str
    name: str
    thumb: str = ""


@dataclass(frozen=True, slots=True)
class TagUse:
    """A tag on an item, with the character played where the tag is an actor."""

    tag: Tag
    role: str = ""

    @property
    def text(self) -> str:
        """``Name``, or ``Name as Character``."""
        return f"{self.tag.name} as {self.role}" if self.role else self.tag.name


def title_case_label(name: str) -> str:
    """Return a label as Plex stores it."""
    return _LABEL_WORD_START.sub(lambda found: found[1] + found[2].upper(), name)


class TagRegistry:
    """Finds or creates tags."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], Tag] = {}
        self._by_folded_name: dict[tuple[str, str], Tag] = {}
        self.photo_changes = 0
        """Goes up whenever a photo changes, that is when items change without an edit."""

    def get(self, kind: str, name: str, *, existing_case_wins: bool = False) -> Tag:
        """Return the tag, made on first use."""
        tag = self._by_name.get((kind, name))
        if tag is None and existing_case_wins:
            tag = self._by_folded_name.get((kind, name.casefold()))
        if tag is None:
            tag = Tag(len(self._by_name) + 1, kind, name)
            self._by_name[kind, name] = tag
            self._by_folded_name.setdefault((kind, name.casefold()), tag)
        return tag

    def set_photo(self, tag: Tag, thumb: str) -> bool:
        """Set the photo of an actor everywhere; tell whether it is another one."""
        if tag.thumb == thumb:
            return False
        tag.thumb = thumb
        self.photo_changes += 1
        return True
