"""When a picture is made, uploaded, selected or left alone, by what is known of the one that is there."""

from __future__ import annotations

import hashlib
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.diff import ConflictPolicy, ImageBaseline
from scenesync.domain.errors import ImageUnusable, LeaseLost
from scenesync.domain.field_rules import PosterFit
from scenesync.domain.fields import Field
from scenesync.domain.item import Item, UploadedImage
from scenesync.plex.exceptions import PlexBusy
from scenesync.worker.artwork.images import ImageSync
from scenesync.worker.write_limit import WriteLimit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.domain.journal import JournalEntry

COVER = b"the cover"
URL = "http://stash/scene/7/screenshot"


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Picture:
    content: bytes
    etag: str = ""


@dataclass
class World:
    """A Stash with one cover, a Plex with one item, what is known of both, and a maker of pictures."""

    cover: bytes = COVER
    etag: str = '"1"'
    way: str = "as it is"
    poster_fit: PosterFit = PosterFit.NONE
    policy: ConflictPolicy = ConflictPolicy.STASH
    known: dict[Field, ImageBaseline] = field(default_factory=dict)
    there: list[UploadedImage] = field(default_factory=list)
    shown: str = "/thumb/1"
    locked: frozenset[str] = frozenset()
    fetched: list[str] = field(default_factory=list)
    made: list[bytes] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    changes: int = 1

    def image(self, url: str, *, known_etag: str = "") -> Picture | None:
        assert url == URL
        self.fetched.append(known_etag)
        return None if known_etag and known_etag == self.etag else Picture(self.cover, self.etag)

    def fit(self, field: Field) -> PosterFit:
        return self.poster_fit if field is Field.POSTER else PosterFit.NONE

    def picture(self, field: Field, cover: bytes) -> bytes:
        if cover == b"broken":
            raise ImageUnusable("It cannot be decoded: image file is truncated.")
        self.made.append(cover)
        return cover if self.fit(field) is PosterFit.NONE else f"{self.way} {self.poster_fit} of {cover!r}".encode()

    def read_image(self, rating_key: str, field: Field) -> ImageBaseline | None:
        assert rating_key == "5"
        return self.known.get(field)

    def write_image(self, rating_key: str, scene_id: int, field: Field, entry: ImageBaseline) -> None:
        assert (rating_key, scene_id) == ("5", 7)
        self.known[field] = entry

    def together(self) -> AbstractContextManager[object]:
        return nullcontext()

    def append(self, entries: Sequence[JournalEntry]) -> None:
        assert {entry.rating_key for entry in entries} <= {"5"}

    def uploaded_images(self, rating_key: str, _field: Field) -> Sequence[UploadedImage]:
        assert rating_key == "5"
        return self.there

    def upload_image(self, _rating_key: str, field: Field, content: bytes) -> None:
        self.sent.append(("upload", f"{field} {content.decode()}"))
        key = f"upload://posters/{sha1(content)}"
        if all(image.key != key for image in self.there):  # known bytes are not selected (facts/plex.md 4)
            self.there.append(UploadedImage(key, selected=False))
            self._show(key)

    def select_image(self, _rating_key: str, field: Field, key: str) -> None:
        self.sent.append(("select", f"{field} {key}"))
        self._show(key)

    def _show(self, key: str) -> None:
        self.there = [replace(image, selected=image.key == key) for image in self.there]
        self.changes += 1
        self.shown = f"/thumb/{self.changes}"

    def sync(self, *fields: Field) -> list[tuple[str, str]]:
        """Bring the item up to date, confirm, and return what was sent."""
        sync = ImageSync(self, self, self, self, self, policy=self.policy, writing=WriteLimit(1))  # type: ignore[arg-type]  # the parts that ImageSync uses
        self.sent = []
        images = dict.fromkeys(fields or (Field.POSTER,), URL)
        result = sync.bring_up_to_date(self.item(), 7, images, lambda: True)
        if result.error is not None:
            raise result.error
        for change in result.changes:
            sync.confirm(self.item(), 7, change, lambda: True)
        return self.sent

    def item(self) -> Item:
        return Item("5", "1", (), {Field.POSTER: self.shown, Field.BACKGROUND: "/art/1"}, self.locked)


def test_a_picture_that_is_right_costs_one_question_and_nothing_is_made() -> None:
    world = World(poster_fit=PosterFit.BLUR)
    assert len(world.sync()) == 1
    world.made, world.fetched = [], []
    assert world.sync() == []
    assert (world.made, world.fetched) == ([], ['"1"'])


def test_a_new_etag_for_the_same_bytes_makes_and_sends_nothing() -> None:
    world = World(poster_fit=PosterFit.BLUR)
    world.sync()
    world.made, world.etag = [], '"2"'
    assert world.sync() == []
    assert world.made == []
    assert world.known[Field.POSTER].etag == '"2"'


def test_a_stash_that_names_no_etag_costs_no_upload_either() -> None:
    world = World(poster_fit=PosterFit.CROP, etag="")
    world.sync()
    world.made = []
    assert world.sync() == []
    assert world.made == []


def test_another_way_to_make_the_same_picture_is_no_reason_to_upload_it_again() -> None:
    world = World(poster_fit=PosterFit.BLUR)
    world.sync()
    world.way, world.etag = "with newer software", '"2"'
    assert world.sync() == []


def test_another_fit_uploads_once_and_the_former_one_is_selected_when_it_comes_back() -> None:
    world = World()
    assert world.sync() == [("upload", "thumb the cover")]
    world.poster_fit = PosterFit.CROP
    assert world.sync() == [("upload", "thumb as it is crop of b'the cover'")]
    assert world.sync() == []
    world.poster_fit = PosterFit.NONE
    assert world.sync()[-1] == ("select", f"thumb upload://posters/{sha1(COVER)}")
    assert world.sync() == []


def test_a_fit_that_changes_nothing_in_this_cover_sends_nothing() -> None:
    world = World()
    world.sync()
    world.known[Field.POSTER] = replace(world.known[Field.POSTER], fit=PosterFit.CROP)
    assert world.sync() == []
    assert world.known[Field.POSTER].fit is PosterFit.NONE


def test_an_existing_installation_uploads_nothing_for_the_setting_that_it_did_not_have() -> None:
    world = World()
    world.sync()
    before = world.known[Field.POSTER]
    # What the migration makes of a row of the version before.
    world.known[Field.POSTER] = ImageBaseline(before.sha1, before.shown, before.etag, before.sha1, PosterFit.NONE)
    assert world.sync() == []
    world.etag = '"2"'
    assert world.sync() == []


def test_a_persons_choice_is_undone_by_selecting_the_upload_that_is_there_not_by_making_it_again() -> None:
    world = World(poster_fit=PosterFit.BLUR)
    world.sync()
    world.way = "with newer software"
    world.shown = "/thumb/theirs"
    world.there = [replace(image, selected=False) for image in world.there]
    ((what, key),) = world.sync()
    assert (what, key) == ("select", f"thumb upload://posters/{world.known[Field.POSTER].sha1}")


@pytest.mark.parametrize("policy", [ConflictPolicy.PLEX, ConflictPolicy.FILL])
def test_a_persons_choice_stays_where_the_policy_says_so_and_is_not_even_asked_about(policy: ConflictPolicy) -> None:
    world = World(policy=policy, shown="" if policy is ConflictPolicy.FILL else "/thumb/1")
    world.sync()
    world.shown, world.fetched, world.cover, world.etag = "/thumb/theirs", [], b"another cover", '"2"'
    assert world.sync() == []
    assert world.fetched == []


def test_a_broken_poster_keeps_no_background_from_arriving_and_says_what_it_is() -> None:
    world = World(cover=b"broken")
    with pytest.raises(ImageUnusable) as caught:
        world.sync(Field.POSTER)
    assert str(caught.value).startswith("The cover of scene 7 cannot be used. It cannot be decoded")
    assert caught.value.__notes__ == [
        "This is about the poster of Plex item 5 alone: the scene's text is written without it."
    ]
    assert world.known == {}


@dataclass
class AtTheSameTime(World):
    """A world in which no write ends before three of them have begun: two pictures and an edit."""

    begun: threading.Barrier = field(default_factory=lambda: threading.Barrier(3, timeout=20.0))

    def upload_image(self, rating_key: str, field: Field, content: bytes) -> None:
        self.begun.wait()
        super().upload_image(rating_key, field, content)


def picture_sync(world: World, *, lock: bool = True) -> ImageSync:
    return ImageSync(world, world, world, world, world, lock=lock, writing=WriteLimit(3, first=3))  # type: ignore[arg-type]  # as above


BOTH = {Field.POSTER: URL, Field.BACKGROUND: URL}


def test_pictures_and_the_edit_are_sent_at_the_same_time_and_one_cover_is_fetched_once() -> None:
    world = AtTheSameTime()
    result = picture_sync(world).bring_up_to_date(world.item(), 7, BOTH, lambda: True, meanwhile=world.begun.wait)
    assert [change.field for change in result.changes] == [Field.POSTER, Field.BACKGROUND]
    assert world.fetched == [""]
    assert len(world.sent) == 2


@pytest.mark.parametrize(
    ("locked", "lock", "first"),
    [({"thumb", "art"}, True, False), ({"thumb"}, True, True), (set(), True, True), (set(), False, False)],
)
def test_pictures_go_before_an_edit_only_where_it_has_to_lock_one(
    locked: set[str],
    *,
    lock: bool,
    first: bool,
) -> None:
    world = World(locked=frozenset(locked))
    assert picture_sync(world, lock=lock).has_to_go_first(world.item(), BOTH) is first
    assert not picture_sync(world, lock=lock).has_to_go_first(world.item(), {})


def test_a_job_that_was_taken_over_sends_no_other_picture_and_is_told_when_all_have_ended() -> None:
    world, done = World(), list[str]()
    with pytest.raises(LeaseLost):
        picture_sync(world).bring_up_to_date(
            world.item(), 7, BOTH, lambda: False, meanwhile=lambda: done.append("edit")
        )
    assert (world.sent, done) == ([], ["edit"])


def test_what_an_edit_raises_is_raised_when_the_pictures_beside_it_are_sent_and_noted() -> None:
    world = World()

    def fail() -> None:
        raise PlexBusy("Plex is busy.")

    with pytest.raises(PlexBusy):
        picture_sync(world).bring_up_to_date(world.item(), 7, BOTH, lambda: True, meanwhile=fail)
    assert len(world.sent) == 2
    assert set(world.known) == {Field.POSTER, Field.BACKGROUND}


def test_what_was_fetched_ahead_is_not_asked_for_again() -> None:
    world = World(poster_fit=PosterFit.CROP)
    sync = picture_sync(world)
    covers = sync.covers()
    sync.fetch_ahead(covers, ["5"], BOTH)
    assert (world.fetched, len(world.made)) == ([""], 2)
    sync.bring_up_to_date(world.item(), 7, BOTH, lambda: True, covers=covers)
    assert (world.fetched, len(world.made)) == ([""], 2)


def test_a_cover_that_cannot_be_fetched_ahead_is_met_again_where_it_is_needed() -> None:
    world = World(cover=b"broken")
    sync = picture_sync(world)
    covers = sync.covers()
    sync.fetch_ahead(covers, ["5"], {Field.POSTER: URL})
    result = sync.bring_up_to_date(world.item(), 7, {Field.POSTER: URL}, lambda: True, covers=covers)
    assert isinstance(result.error, ImageUnusable)
    assert len(result.error.__notes__) == 1
