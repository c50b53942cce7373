"""A landscape cover as a portrait poster: what is seen of it, and that nothing else ever changes."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

import pytest
from PIL import Image
from sample_pictures import BLUE, GREEN, LANDSCAPE, RED, encoded, near, opened, painted

from scenesync.domain.errors import ImageTooLarge, ImageUnusable
from scenesync.domain.field_rules import PosterFit
from scenesync.domain.fields import Field
from scenesync.pictures import posters
from scenesync.pictures.posters import PictureMaker

if TYPE_CHECKING:
    from collections.abc import Callable

FITS: Final = (PosterFit.CROP, PosterFit.BLUR, PosterFit.LETTERBOX)
BLACK: Final = (0, 0, 0)


def poster(cover: bytes, fit: PosterFit) -> Image.Image:
    return opened(PictureMaker(fit).picture(Field.POSTER, cover))


class TestALandscapeCover:
    def test_is_cut_to_its_middle(self) -> None:
        shown = poster(encoded(painted()), PosterFit.CROP)
        assert shown.size == (120, 180)
        assert near(shown, (5, 100), RED)
        assert near(shown, (115, 100), BLUE)
        assert near(shown, (60, 5), GREEN)

    def test_is_shown_whole_between_black_bars(self) -> None:
        shown = poster(encoded(painted()), PosterFit.LETTERBOX)
        assert shown.size == (320, 480)
        assert near(shown, (160, 10), BLACK)
        assert near(shown, (160, 470), BLACK)
        assert near(shown, (3, 240), RED)
        assert near(shown, (316, 240), BLUE)
        assert near(shown, (160, 158), GREEN)

    def test_is_shown_whole_before_a_dimmed_enlargement_of_itself(self) -> None:
        shown = poster(encoded(painted()), PosterFit.BLUR)
        assert shown.size == (320, 480)
        assert near(shown, (3, 240), RED)
        assert near(shown, (316, 240), BLUE)
        dimmed = tuple(round(shade * 0.6) for shade in RED)
        assert near(shown, (5, 470), (dimmed[0], dimmed[1], dimmed[2]))
        assert not near(shown, (5, 470), RED)

    @pytest.mark.parametrize("fit", FITS)
    def test_of_a_large_one_the_poster_is_no_larger_than_plex_shows(self, fit: PosterFit) -> None:
        assert poster(encoded(painted((3840, 2160)), "JPEG"), fit).size == (1000, 1500)

    @pytest.mark.parametrize("fit", FITS)
    @pytest.mark.parametrize("size", [(2, 1), (3, 2), (5000, 1), (1921, 1079)])
    def test_of_any_shape_becomes_a_poster(self, fit: PosterFit, size: tuple[int, int]) -> None:
        shown = poster(encoded(painted(size)), fit)
        assert shown.format == "JPEG"
        if min(size) > 100:
            assert shown.width / shown.height == pytest.approx(2 / 3, abs=0.01)


class TestNothingElse:
    @pytest.mark.parametrize("fit", PosterFit)
    @pytest.mark.parametrize("size", [(200, 300), (180, 320), (300, 300)])
    def test_is_changed_in_a_cover_that_is_not_landscape(self, fit: PosterFit, size: tuple[int, int]) -> None:
        cover = encoded(painted(size))
        assert PictureMaker(fit).picture(Field.POSTER, cover) is cover

    @pytest.mark.parametrize("fit", PosterFit)
    def test_is_changed_in_a_background(self, fit: PosterFit) -> None:
        maker, cover = PictureMaker(fit), encoded(painted())
        assert maker.picture(Field.BACKGROUND, cover) is cover
        assert maker.fit(Field.BACKGROUND) is PosterFit.NONE

    def test_is_changed_at_all_without_a_fit_not_even_in_what_cannot_be_decoded(self) -> None:
        assert PictureMaker().picture(Field.POSTER, b"anything") == b"anything"

    def test_of_what_a_camera_wrote_beside_the_picture_is_kept(self) -> None:
        exif = Image.Exif()
        exif[0x010E] = "A harbour"
        cover = encoded(painted(), "JPEG", exif=exif, comment=b"secret place")
        made = PictureMaker(PosterFit.CROP).picture(Field.POSTER, cover)
        assert b"harbour" not in made
        assert b"secret" not in made


@pytest.mark.parametrize("fit", FITS)
class TestTheSameCover:
    def test_becomes_the_same_bytes_in_every_process(self, fit: PosterFit) -> None:
        cover = encoded(painted((640, 360)), "JPEG")
        made = PictureMaker(fit).picture(Field.POSTER, cover)
        program = (
            "import hashlib, sys; from scenesync.pictures.posters import PictureMaker, PosterFit, Field\n"
            "made = PictureMaker(PosterFit(sys.argv[1])).picture(Field.POSTER, sys.stdin.buffer.read())\n"
            "print(hashlib.sha1(made).hexdigest())"
        )
        answer = subprocess.run(
            [sys.executable, "-c", program, fit.value], input=cover, stdout=subprocess.PIPE, check=True
        )
        assert answer.stdout.decode().strip() == hashlib.sha1(made, usedforsecurity=False).hexdigest()

    def test_becomes_the_same_bytes_in_threads_side_by_side(self, fit: PosterFit) -> None:
        maker, cover, made = PictureMaker(fit), encoded(painted((640, 360)), "WEBP"), []
        threads = [threading.Thread(target=lambda: made.append(maker.picture(Field.POSTER, cover))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 4
        assert len(set(made)) == 1


def _cmyk() -> bytes:
    return encoded(painted().convert("CMYK"), "JPEG")


def _palette() -> bytes:
    return encoded(painted().quantize(16), "PNG")


def _gif() -> bytes:
    return encoded(painted().quantize(16), "GIF")


def _animated(kind: str) -> Callable[[], bytes]:
    def make() -> bytes:
        other = Image.new("RGB", LANDSCAPE, (250, 250, 0))
        return encoded(painted(), kind, save_all=True, append_images=[other] * 3)

    return make


def _on_its_side() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # what is stored was turned by 90 degrees
    return encoded(painted().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


def _see_through() -> bytes:
    image = painted().convert("RGBA")
    image.putalpha(255)
    return encoded(image, "PNG")


@pytest.mark.parametrize(
    "make",
    [_cmyk, _palette, _gif, _animated("GIF"), _animated("WEBP"), _animated("PNG"), _on_its_side, _see_through],
    ids=["cmyk", "palette", "gif", "animated-gif", "animated-webp", "animated-png", "turned", "alpha"],
)
def test_every_kind_of_picture_becomes_the_same_poster(make: Callable[[], bytes]) -> None:
    shown = poster(make(), PosterFit.LETTERBOX)
    assert (shown.size, shown.mode) == ((320, 480), "RGB")
    assert near(shown, (10, 240), RED, by=70)
    assert near(shown, (310, 240), BLUE, by=70)
    assert near(shown, (160, 158), GREEN, by=70)


def test_what_is_transparent_becomes_black() -> None:
    image = painted().convert("RGBA")
    image.putalpha(0)
    for cover in (encoded(image), encoded(image, "WEBP")):
        assert near(poster(cover, PosterFit.CROP), (60, 90), BLACK)
    keyed = encoded(Image.new("RGB", LANDSCAPE, RED), "PNG", transparency=RED)
    assert near(poster(keyed, PosterFit.CROP), (60, 90), BLACK)


def test_grey_in_sixteen_bits_keeps_its_shades() -> None:
    deep = Image.new("I;16", LANDSCAPE, 128 * 256)
    assert near(poster(encoded(deep), PosterFit.CROP), (60, 90), (128, 128, 128), by=3)


def test_a_colour_profile_stays_with_its_picture() -> None:
    profile = b"not really a profile, but kept like one"
    for fit in FITS:
        assert poster(encoded(painted(), "JPEG", icc_profile=profile), fit).info["icc_profile"] == profile
    assert "icc_profile" not in poster(encoded(painted(), icc_profile=profile * 2000), PosterFit.CROP).info
    grey = encoded(painted().convert("L"), icc_profile=profile)
    assert "icc_profile" not in poster(grey, PosterFit.CROP).info, "a profile for grey says nothing about RGB"


class TestABrokenCover:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
    def test_that_ends_too_early_is_refused(self, kind: str, part: float) -> None:
        whole = encoded(painted((640, 360)).effect_spread(60), kind)
        with pytest.raises(ImageUnusable, match="cannot be decoded"):
            PictureMaker(PosterFit.CROP).picture(Field.POSTER, whole[: int(len(whole) * part)])

    @pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM", "PDF"])
    def test_of_a_kind_that_no_cover_has_is_not_given_to_a_decoder(self, kind: str) -> None:
        with pytest.raises(ImageUnusable):
            PictureMaker(PosterFit.CROP).picture(Field.POSTER, encoded(painted(), kind))

    @pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff" + bytes(100), b"<html>log in</html>", b"GIF89a"])
    def test_that_is_no_picture_is_refused(self, content: bytes) -> None:
        with pytest.raises(ImageUnusable):
            PictureMaker(PosterFit.BLUR).picture(Field.POSTER, content)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
    def test_with_damage_in_it_is_refused_or_shown_but_never_a_crash(self, kind: str) -> None:
        whole = encoded(painted(), kind)
        maker, survived = PictureMaker(PosterFit.CROP), 0
        for place in range(0, len(whole), max(1, len(whole) // 150)):
            damaged = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
            with contextlib.suppress(ImageUnusable, ImageTooLarge):
                maker.picture(Field.POSTER, damaged)
                survived += 1
        assert survived


class TestACoverOfTooManyPixels:
    def test_is_refused_before_it_is_decoded(self) -> None:
        bomb = encoded(Image.new("1", (8000, 7000)))
        assert len(bomb) < 20_000
        with pytest.raises(ImageTooLarge, match="8000 x 7000 pixels; up to 36 million"):
            PictureMaker(PosterFit.CROP).picture(Field.POSTER, bomb)

    def test_is_refused_even_where_the_library_itself_would_refuse_it(self) -> None:
        for side in (10_000, 14_000):  # it warns of the first and gives up on the second
            with pytest.raises(ImageTooLarge):
                PictureMaker(PosterFit.CROP).picture(Field.POSTER, encoded(Image.new("1", (side, side - 1))))


class TestACoverTooLargeForPlex:
    @pytest.mark.parametrize("field", [Field.POSTER, Field.BACKGROUND])
    def test_is_scaled_down(self, field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(posters, "MAX_BYTES", 60_000)
        monkeypatch.setattr(posters, "LARGEST_SCREEN", (384, 216))
        cover = encoded(Image.effect_noise((480, 480), 90).convert("RGB"))
        assert len(cover) > posters.MAX_BYTES
        made = PictureMaker().picture(field, cover)
        assert len(made) <= posters.MAX_BYTES
        assert opened(made).size == (216, 216)
        assert PictureMaker().picture(field, cover) == made

    def test_is_refused_with_both_sizes_if_that_does_not_help(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(posters, "MAX_BYTES", 1_000)
        with pytest.raises(ImageTooLarge, match=r"It has [\d,]+ bytes, Plex takes 1,000"):
            PictureMaker().picture(Field.BACKGROUND, encoded(painted().effect_spread(60)))
