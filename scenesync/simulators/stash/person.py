"""The words in which tests and the demo describe what a person enters, as inputs of Stash's mutations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from scenesync.simulators.stash.inputs import data_url

if TYPE_CHECKING:
    from collections.abc import Mapping


class _HasId(Protocol):
    @property
    def id(self) -> int:
        """The row's id."""


EntityRef = int | _HasId


def id_of(entity: EntityRef) -> int:
    """Return the id of a row, or the id itself."""
    return entity if isinstance(entity, int) else entity.id


def scene_input(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fields`` as SceneUpdateInput has them: rows become ids, bytes become ``data:`` URLs."""
    result: dict[str, Any] = {}
    for name, value in fields.items():
        match name:
            case "studio":
                result["studio_id"] = None if value is None else str(id_of(value))
            case "performers" | "tags":
                result[f"{name.removesuffix('s')}_ids"] = [str(id_of(each)) for each in value]
            case "groups":
                result["groups"] = [
                    each if isinstance(each, dict) else {"group_id": str(id_of(each))} for each in value
                ]
            case "cover":
                result["cover_image"] = data_url(value)
            case _:
                result[name] = value
    return result


def entity_input(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fields`` as the inputs of performers, studios, tags and groups have them."""
    result: dict[str, Any] = {}
    for name, value in fields.items():
        match name:
            case "parent" | "studio":
                result[f"{name}_id"] = None if value is None else str(id_of(value))
            case "parents":
                result["parent_ids"] = [str(id_of(each)) for each in value]
            case "image" | "front_image":
                result[name] = data_url(value) if isinstance(value, bytes) else value
            case _:
                result[name] = value
    return result
