"""What SceneSync last wrote to each field of each item, and which pictures it put there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select, update

from scenesync.domain.batches import batched
from scenesync.domain.diff import Baseline, ImageBaseline, ItemBaselines
from scenesync.domain.field_rules import PosterFit
from scenesync.domain.fields import Field
from scenesync.store.compiled import execute_many, insert_many
from scenesync.store.dialect import insert_or_update
from scenesync.store.proofs import FORGET_PROOF
from scenesync.store.tables import baseline, image_baseline
from scenesync.store.values import renamed_in, to_text, to_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from scenesync.domain.fields import FieldValue
    from scenesync.store.database import Database

ITEMS_AT_ONCE: Final = 500

# All fields of one item.
BASELINES_OF_ITEM: Final = select(
    baseline.c.field, baseline.c.written, baseline.c.shown, baseline.c.replaced, baseline.c.locked
).where(baseline.c.server_id == bindparam("server"), baseline.c.rating_key == bindparam("item"))

# All fields of some items.
BASELINES_OF_ITEMS: Final = select(
    baseline.c.rating_key,
    *(baseline.c[name] for name in ("field", "written", "shown", "replaced", "locked")),
).where(baseline.c.server_id == bindparam("server"), baseline.c.rating_key.in_(bindparam("items", expanding=True)))

# How the pictures of some items were last shown.
IMAGES_OF_ITEMS: Final = select(image_baseline.c.rating_key, image_baseline.c.field, image_baseline.c.shown).where(
    image_baseline.c.server_id == bindparam("server"),
    image_baseline.c.rating_key.in_(bindparam("items", expanding=True)),
)

# One picture of one item.
IMAGE_OF_ITEM: Final = select(
    *(image_baseline.c[name] for name in ("sha1", "shown", "etag", "source_sha1", "fit"))
).where(
    image_baseline.c.server_id == bindparam("server"),
    image_baseline.c.rating_key == bindparam("item"),
    image_baseline.c.field == bindparam("stem"),
)

# The scenes for which anything was written to one item.
SCENES_OF_ITEM: Final = (
    select(baseline.c.scene_id)
    .where(baseline.c.server_id == bindparam("server"), baseline.c.rating_key == bindparam("item"))
    .union(
        select(image_baseline.c.scene_id).where(
            image_baseline.c.server_id == bindparam("server"), image_baseline.c.rating_key == bindparam("item")
        )
    )
)

# The items to which anything was last written for one scene.
ITEMS_OF_SCENE: Final = (
    select(baseline.c.rating_key)
    .where(baseline.c.scene_id == bindparam("scene"), baseline.c.server_id == bindparam("server"))
    .union(
        select(image_baseline.c.rating_key).where(
            image_baseline.c.scene_id == bindparam("scene"), image_baseline.c.server_id == bindparam("server")
        )
    )
)

# What was written to one field of an item, to write it anew under another name.
ONE_BASELINE: Final = select(baseline.c.written, baseline.c.shown, baseline.c.replaced).where(
    baseline.c.server_id == bindparam("server"),
    baseline.c.rating_key == bindparam("item"),
    baseline.c.field == bindparam("stem"),
)
REWRITE_BASELINE: Final = (
    update(baseline)
    .where(
        baseline.c.server_id == bindparam("server"),
        baseline.c.rating_key == bindparam("item"),
        baseline.c.field == bindparam("stem"),
    )
    .values(written=bindparam("new_written"), shown=bindparam("new_shown"), replaced=bindparam("new_replaced"))
)

# Everything about one item, when it is gone from Plex.
FORGET_BASELINES: Final = delete(baseline).where(
    baseline.c.server_id == bindparam("server"), baseline.c.rating_key == bindparam("item")
)
FORGET_IMAGES: Final = delete(image_baseline).where(
    image_baseline.c.server_id == bindparam("server"), image_baseline.c.rating_key == bindparam("item")
)


class BaselineStore:
    """The baselines of one Plex server. Every method may raise StoreError.

    They are on the disk before a write returns: they cannot be found out again, and without them a person's edit could
    not be told from ours. Whatever is written ends the proof of its item (``store.proofs``) in the same step.
    """

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id

    def read(self, rating_key: str) -> Mapping[Field, Baseline]:
        """Return what was written to the item, field by field."""
        rows = self._database.look_up(BASELINES_OF_ITEM, self._item(rating_key))
        return {Field(field): _to_baseline(*values) for field, *values in rows}

    def read_many(self, rating_keys: Iterable[str]) -> Mapping[str, Mapping[Field, Baseline]]:
        """Return the same for many items; those to which nothing was written are not in the answer."""
        found: dict[str, dict[Field, Baseline]] = {}
        with self._database.reading() as connection:
            for batch in batched(rating_keys, ITEMS_AT_ONCE):
                rows = connection.execute(BASELINES_OF_ITEMS, {"server": self._server_id, "items": batch}).all()
                for rating_key, field, *values in rows:
                    found.setdefault(rating_key, {})[Field(field)] = _to_baseline(*values)
        return found

    def pictures_shown(self, rating_keys: Iterable[str]) -> Mapping[str, Mapping[Field, str]]:
        """Return for many items under which paths their pictures were last shown ("": not known yet)."""
        found: dict[str, dict[Field, str]] = {}
        with self._database.reading() as connection:
            for batch in batched(rating_keys, ITEMS_AT_ONCE):
                rows = connection.execute(IMAGES_OF_ITEMS, {"server": self._server_id, "items": batch})
                for rating_key, field, shown in rows:
                    found.setdefault(rating_key, {})[Field(field)] = shown
        return found

    def scenes_of(self, rating_key: str) -> frozenset[int]:
        """Return the scenes for which something was last written to the item."""
        rows = self._database.look_up(SCENES_OF_ITEM, self._item(rating_key))
        return frozenset(scene_id for (scene_id,) in rows)

    def items_of(self, scene_id: int) -> frozenset[str]:
        """Return the items to which something was last written for the scene."""
        rows = self._database.look_up(ITEMS_OF_SCENE, {"server": self._server_id, "scene": scene_id})
        return frozenset(rating_key for (rating_key,) in rows)

    def write(self, rating_key: str, scene_id: int, entries: Mapping[Field, Baseline]) -> None:
        """Remember what was written to fields of an item for a scene."""
        self.write_all([ItemBaselines(rating_key, scene_id, entries)])

    def write_all(self, written: Iterable[ItemBaselines]) -> None:
        """Remember what was written to fields of many items, in one step."""
        written = list(written)
        keys = [each.rating_key for each in written]
        rows = [
            {
                "server_id": self._server_id,
                "rating_key": each.rating_key,
                "field": field.value,
                "scene_id": each.scene_id,
                "written": to_text(entry.written),
                "shown": _text_or_none(entry.shown),
                "replaced": _text_or_none(entry.replaced),
                "locked": int(entry.locked),
            }
            for each in written
            for field, entry in each.entries.items()
        ]
        if rows:
            with self._database.transaction() as connection:
                insert_many(connection, insert_or_update(connection, baseline), rows)
                execute_many(connection, FORGET_PROOF, [self._item(key) for key in dict.fromkeys(keys)])

    def rename_in_list(self, rating_keys: Iterable[str], field: Field, old: str, new: str) -> None:
        """Let what was written to a list as ``old`` have been written as ``new``: it was renamed, not replaced."""
        with self._database.transaction() as connection:
            for rating_key in rating_keys:
                item = {**self._item(rating_key), "stem": field.value}
                for written, shown, replaced in self._database.look_up(ONE_BASELINE, item):
                    texts = {
                        "new_written": renamed_in(written, old, new),
                        "new_shown": renamed_in(shown, old, new),
                        "new_replaced": renamed_in(replaced, old, new),
                    }
                    connection.execute(REWRITE_BASELINE, {**item, **texts})
                connection.execute(FORGET_PROOF, self._item(rating_key))

    def together(self) -> AbstractContextManager[object]:
        """Make all that this thread writes in the block, to any store of the database, one transaction."""
        return self._database.transaction()

    def foresee(self, rating_keys: Iterable[str]) -> None:
        """Look up all at once what a block of ``looking_up`` asks of these items from now on."""
        items = [self._item(key) for key in rating_keys]
        self._database.foresee(BASELINES_OF_ITEM, items)
        self._database.foresee(SCENES_OF_ITEM, items)

    def looking_up(self) -> AbstractContextManager[object]:
        """Let what this thread reads in the block, from any store of the database, cost less."""
        return self._database.looking_up()

    def read_image(self, rating_key: str, field: Field) -> ImageBaseline | None:
        """Return the picture that was last put there, None if there was none."""
        rows = self._database.look_up(IMAGE_OF_ITEM, {**self._item(rating_key), "stem": field.value})
        if not rows:
            return None
        sha1, shown, etag, source_sha1, fit = rows[0]
        return ImageBaseline(sha1, shown, etag, source_sha1, PosterFit(fit))

    def write_image(self, rating_key: str, scene_id: int, field: Field, entry: ImageBaseline) -> None:
        """Remember the picture that was put there."""
        row = {
            "server_id": self._server_id,
            "rating_key": rating_key,
            "field": field.value,
            "scene_id": scene_id,
            "sha1": entry.sha1,
            "shown": entry.shown,
            "etag": entry.etag,
            "source_sha1": entry.source_sha1,
            "fit": entry.fit.value,
        }
        with self._database.transaction() as connection:
            connection.execute(insert_or_update(connection, image_baseline), row)
            connection.execute(FORGET_PROOF, self._item(rating_key))

    def forget(self, rating_key: str) -> None:
        """Drop what is known about an item that is gone."""
        with self._database.transaction() as connection:
            connection.execute(FORGET_BASELINES, self._item(rating_key))
            connection.execute(FORGET_IMAGES, self._item(rating_key))
            connection.execute(FORGET_PROOF, self._item(rating_key))

    def _item(self, rating_key: str) -> dict[str, str]:
        return {"server": self._server_id, "item": rating_key}


def _to_baseline(written: str, shown: str | None, replaced: str | None, locked: int) -> Baseline:
    value = to_value(written)
    # Nearly always the server shows just what was written: then it is the same value, read once.
    return Baseline(
        value, value if shown == written else _value_or_none(shown), _value_or_none(replaced), locked=bool(locked)
    )


def _value_or_none(text: str | None) -> FieldValue | None:
    return None if text is None else to_value(text)


def _text_or_none(value: FieldValue | None) -> str | None:
    return None if value is None else to_text(value)
