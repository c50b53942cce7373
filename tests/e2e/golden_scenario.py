"""Reads golden/films.toml, builds what it says in both servers, and shows an item as the file would describe it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scenesync.simulators.sample_world import png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from live_world import LiveWorld

    from scenesync.simulators.plex.model import PlexCollection, PlexItem
    from scenesync.simulators.stash.records import Scene

GOLDEN: Final = Path(__file__).parent / "golden"
_TEXTS: Final = ("title", "title_sort", "summary", "tagline", "originally_available_at", "studio", "content_rating")
_COVERS: Final = {png(number): number for number in range(1, 60)}
_LISTS: Final = ("genres", "directors", "collections", "labels")


def scenario() -> dict[str, Any]:
    """Return the scenario as it is written."""
    return tomllib.loads((GOLDEN / "films.toml").read_text(encoding="utf-8"))


class Golden:
    """The scenario in a pair of servers."""

    def __init__(self, world: LiveWorld) -> None:
        self._world = world
        self._stash = world.stash
        self.story = scenario()
        self._studios: dict[str, Any] = {}
        self._tags: dict[str, Any] = {}
        self._performers: dict[str, Any] = {}
        self._groups: dict[str, Any] = {}
        self._scenes: dict[str, Scene] = {}

    def build(self) -> None:
        """Put everything into both servers as it is before SceneSync first looks."""
        world, stash, story = self._world, self._stash, self.story
        world.data_dir.mkdir(parents=True, exist_ok=True)
        (world.data_dir / "scenesync.toml").write_text((GOLDEN / "scenesync.toml").read_text("utf-8"), "utf-8")
        for entry in story["studio"]:
            studio = stash.add_studio(entry["name"], self._studios.get(entry.get("parent", "")))
            stash.save_studio(studio, **_about(entry, "details", image="image"))
            self._studios[entry["name"]] = studio
        for entry in story["tag"]:
            parents = [self._tags[name] for name in entry.get("parents", [])]
            self._tags[entry["name"]] = stash.add_tag(entry["name"], parents=parents)
            stash.save_tag(self._tags[entry["name"]], **_about(entry, "description", image="image"))
        for entry in story["group"]:
            self._groups[entry["name"]] = stash.add_group(entry["name"])
            stash.save_group(self._groups[entry["name"]], **_about(entry, "synopsis", image="front_image"))
        for entry in story["performer"]:
            performer = stash.add_performer(entry["name"], entry.get("disambiguation", ""))
            about = {key: entry[key] for key in ("gender", "favorite") if key in entry}
            if about:
                stash.save_performer(performer, **about)
            self._performers[entry.get("key", entry["name"])] = performer
        for entry in story["scene"]:
            self._add(entry)

    def change(self) -> None:
        """Do what happens in Stash and Plex between the two syncs."""
        for entry in self.story["studio"]:
            if later := entry.get("later"):
                self._stash.save_studio(self._studios[entry["name"]], **later)
        for entry in self.story["scene"]:
            if later := entry.get("later"):
                self._stash.save(self._scenes[entry["file"]], **self._fields(later.get("stash", {})))
                if by_hand := later.get("by_hand"):
                    self._world.plex.edit_by_hand(self.item(entry["file"]), **by_hand)

    def item(self, file: str) -> PlexItem:
        """Return the item that plays this file."""
        return self._world.item_of(self._scenes[file])

    def collection(self, title: str) -> PlexCollection | None:
        """Return Plex's collection of this title."""
        return next((each for each in self._world.plex.collections() if each.title == title), None)

    def film(self, rating_key: str) -> str:
        """Return the file of an item as the scenario calls it."""
        return self._world.plex.item(rating_key).files[0].removeprefix("/mnt/media/Films/")

    def shown_collection(self, title: str) -> dict[str, Any]:
        """Return everything that a collection shows, in the words of the file."""
        found = self.collection(title)
        if found is None:
            return complete_collection({"films": "none"})
        return {
            "summary": found.summary,
            "poster": 0 if found.poster is None else _COVERS.get(found.poster.data, -1),
            "films": sorted(map(self.film, found.members)),
            "locked": sorted(found.locked),
        }

    def _add(self, entry: Mapping[str, Any]) -> None:
        fields = {"title": "", **entry.get("stash", {})}
        path = f"/Films/{entry['file']}"
        scene = self._stash.add_scene(path=f"/data/stash{path}", size_bytes=1_000_000, **self._fields(fields))
        self._scenes[entry["file"]] = scene
        item = self._world.plex.add_item(self._world.library, file=f"/mnt/media{path}", size_bytes=1_000_000)
        for by_hand in entry.get("plex", []):
            self._world.plex.edit_by_hand(item, **by_hand)

    def _fields(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return a scene's fields with the rows that their names stand for."""
        fields = {name: None if value == "none" else as_text(value) for name, value in written.items()}
        if fields.get("studio") is not None:
            fields["studio"] = self._studios[fields["studio"]]
        if "tags" in fields:
            fields["tags"] = [self._tags[name] for name in fields["tags"]]
        if "groups" in fields:
            fields["groups"] = [self._groups[name] for name in fields["groups"]]
        if "performers" in fields:
            fields["performers"] = [self._performers[name] for name in fields["performers"]]
        if "cover" in fields:
            fields["cover"] = png(fields["cover"])
        return fields


def _about(entry: Mapping[str, Any], text: str, *, image: str) -> dict[str, Any]:
    """Return the description and picture that the file gives a studio, tag or group, as Stash takes them."""
    about = {text: entry[text]} if text in entry else {}
    return about | ({image: png(entry["image"])} if "image" in entry else {})


def as_text(value: Any) -> Any:
    """Return a value of the file: a long text may be written as ``{repeat, times, end}``."""
    if isinstance(value, dict):
        return value["repeat"] * value["times"] + value.get("end", "")
    return value


def complete(expected: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file expects of an item, with all that it does not mention empty."""
    empty = {**dict.fromkeys(_TEXTS, ""), "user_rating": 0.0, "actors": [], **{name: [] for name in _LISTS}}
    said = {name: as_text(value) for name, value in expected.items()}
    return {**empty, "poster": False, "background": 0, "locked": [], **said}


def complete_collection(expected: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file expects of a collection, with all that it does not mention empty."""
    return {"summary": "", "poster": 0, "films": [], "locked": [], **expected}


def shown(item: PlexItem) -> dict[str, Any]:
    """Return everything that the item shows, in the words of the file; the order counts for actors only."""
    return {
        **{name: getattr(item, name) for name in _TEXTS},
        "user_rating": item.user_rating or 0.0,
        "actors": list(item.actors),
        **{name: sorted(getattr(item, name)) for name in _LISTS},
        "poster": item.poster is not None and item.poster.key.startswith("upload://"),
        "background": 0 if item.art is None else _COVERS.get(item.art.data, -1),
        "locked": sorted(item.locked),
    }
