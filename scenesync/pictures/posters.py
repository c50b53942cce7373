"""Make a scene's cover into the picture that is uploaded.

The same bytes under the same settings give the same bytes: Plex knows uploads by their SHA-1, so nothing is uploaded
twice. What need not be changed stays as it is, byte for byte, and is not even decoded.
"""

from __future__ import annotations

import threading
from io import BytesIO
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageFilter

from scenesync.domain.errors import ImageTooLarge
from scenesync.domain.field_rules import PosterFit
from scenesync.domain.fields import Field
from scenesync.pictures.decoding import decode, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_BYTES: Final = 10_000_000
"""Plex answers 500 to larger ones (facts/plex.md 4)."""
POSTER_WIDTH, POSTER_HEIGHT = 1_000, 1_500
"""The largest poster that is made, in the shape of Plex's tiles (facts/plex.md 4); smaller covers are not blown up."""
LARGEST_SCREEN: Final = (3_840, 2_160)

_QUALITIES: Final = (90, 75)
_BLURRED_AT: Final = 8
"""The ground is blurred at an eighth of its size: it looks the same and takes a fraction of the time."""
_BLUR_RADIUS: Final = 6
_DIMMED_TO: Final = 0.6


class PictureMaker:
    """Makes covers fit, one at a time, so that the memory of one decoded picture is all that is ever needed."""

    def __init__(self, poster_fit: PosterFit = PosterFit.NONE) -> None:
        self._poster_fit = poster_fit
        self._one_at_a_time = threading.Lock()

    def fit(self, field: Field) -> PosterFit:
        """Return how a cover is made fit for ``field``; backgrounds stay as they are."""
        return self._poster_fit if field is Field.POSTER else PosterFit.NONE

    def picture(self, field: Field, cover: bytes) -> bytes:
        """Return what is to be uploaded as ``field``. Raises ImageUnusable, ImageTooLarge."""
        fit = self.fit(field)
        if fit is PosterFit.NONE and len(cover) <= MAX_BYTES:
            return cover
        with self._one_at_a_time:
            if fit is not PosterFit.NONE and _is_landscape(cover):
                return _poster(cover, fit)
            return cover if len(cover) <= MAX_BYTES else _scaled_down(cover)


def _is_landscape(cover: bytes) -> bool:
    width, height = size_of(cover)
    return width > height


def _poster(cover: bytes, fit: PosterFit) -> bytes:
    image = decode(cover, at_least=(POSTER_HEIGHT, POSTER_HEIGHT))
    return _as_jpeg(_FITS[fit](image), _QUALITIES[0], image.info.get("icc_profile"))


def _cropped(image: Image.Image) -> Image.Image:
    """Return the middle of a landscape picture, in full height."""
    left, _, right, _ = middle = _middle(image)
    return image.resize(_canvas(right - left), Image.Resampling.LANCZOS, box=middle)


def _blurred(image: Image.Image) -> Image.Image:
    """Return the whole picture before a dimmed, blurred enlargement of its middle."""
    width, height = _canvas(image.width)
    small = (max(1, width // _BLURRED_AT), max(1, height // _BLURRED_AT))
    ground = image.resize(small, Image.Resampling.BOX, box=_middle(image))
    soft = ground.filter(ImageFilter.GaussianBlur(_BLUR_RADIUS)).point(lambda shade: shade * _DIMMED_TO)
    return _whole_on(soft.resize((width, height), Image.Resampling.BICUBIC), image)


def _letterboxed(image: Image.Image) -> Image.Image:
    """Return the whole picture between black bars."""
    return _whole_on(Image.new("RGB", _canvas(image.width)), image)


_FITS: Final[Mapping[PosterFit, Callable[[Image.Image], Image.Image]]] = {
    PosterFit.CROP: _cropped,
    PosterFit.BLUR: _blurred,
    PosterFit.LETTERBOX: _letterboxed,
}


def _middle(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the largest part in the shape of a poster, in the middle (left, upper, right, lower)."""
    width = max(1, round(image.height * POSTER_WIDTH / POSTER_HEIGHT))
    left = (image.width - width) // 2
    return left, 0, left + width, image.height


def _canvas(width: int) -> tuple[int, int]:
    """Return the size of a poster for a picture so wide."""
    width = min(width, POSTER_WIDTH)
    return width, max(1, round(width * POSTER_HEIGHT / POSTER_WIDTH))


def _whole_on(ground: Image.Image, image: Image.Image) -> Image.Image:
    height = max(1, round(image.height * ground.width / image.width))
    ground.paste(image.resize((ground.width, height), Image.Resampling.LANCZOS), (0, (ground.height - height) // 2))
    return ground


def _scaled_down(cover: bytes) -> bytes:
    """Return a picture that Plex takes, in the size of the largest screens. Raises ImageTooLarge."""
    image = decode(cover, at_least=LARGEST_SCREEN)
    image.thumbnail(LARGEST_SCREEN, Image.Resampling.LANCZOS)
    for quality in _QUALITIES:
        smaller = _as_jpeg(image, quality, image.info.get("icc_profile"))
        if len(smaller) <= MAX_BYTES:
            return smaller
    raise ImageTooLarge(
        f"It has {len(cover):,} bytes, Plex takes {MAX_BYTES:,}, and scaled down it is still too large."
    )


def _as_jpeg(image: Image.Image, quality: int, profile: bytes | None) -> bytes:
    # Nothing but pixels and colour profile: no time, no name of a program, nothing that differs between two runs.
    file = BytesIO()
    image.save(file, "JPEG", quality=quality, icc_profile=profile)
    return file.getvalue()
