"""Read a picture that comes from outside: whatever its bytes are, the answer is pixels or an error that says why."""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps

from scenesync.domain.errors import ImageTooLarge, ImageUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
"""What Stash stores as covers (facts/stash.md 3.6); no other decoder of the library is ever run."""
MAX_PIXELS: Final = 36_000_000
"""A frame of 8K video has 33 million. Decoded they take 144 MB, and as much again while transparency is taken out."""
MAX_PROFILE_BYTES: Final = 64 * 1024

_TOO_MANY_PIXELS: Final = f"It has {{}} pixels; up to {MAX_PIXELS // 1_000_000} million are decoded."
_ORIENTATION: Final = 0x0112
_FIRST_ON_ITS_SIDE: Final = 5
"""EXIF orientations 5 to 8 swap width and height."""
_DEEP_GREYS: Final = ("I", "F")
_SEE_THROUGH: Final = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})


def decode(content: bytes, *, at_least: tuple[int, int]) -> Image.Image:
    """Return the picture upright, in RGB, of an animation the first frame; what is transparent becomes black.

    A JPEG much larger than ``at_least`` (width, height) is decoded at a fraction of its size. An RGB colour profile is
    kept in ``info``. Raises ImageTooLarge for too many pixels, ImageUnusable for what is no whole picture.
    """
    with _opened(content) as image:
        image.draft("RGB", at_least)
        ImageOps.exif_transpose(image, in_place=True)
        profile = _rgb_profile(image)
        rgb = _in_rgb(image)
        rgb.info = {"icc_profile": profile} if profile else {}
        return rgb


def size_of(content: bytes) -> tuple[int, int]:
    """Return width and height as the picture is seen upright, from its header alone.

    Raises ImageTooLarge, ImageUnusable.
    """
    with _opened(content) as image:
        on_its_side = image.getexif().get(_ORIENTATION, 1) >= _FIRST_ON_ITS_SIDE
        return (image.height, image.width) if on_its_side else (image.width, image.height)


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """Open a picture, and tell what goes wrong with it in the block as ImageTooLarge or ImageUnusable."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            _refuse_too_many_pixels(image)
            yield image
    except ImageTooLarge:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # The library's own limits are far above this module's.
        raise ImageTooLarge(_TOO_MANY_PIXELS.format("far more")) from error
    except Exception as error:  # a decoder that is fed foreign bytes may raise anything
        words = " ".join(str(error).split())[:100].rstrip(".") or type(error).__name__
        raise ImageUnusable(f"It cannot be decoded: {words}.") from error


def _refuse_too_many_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageTooLarge(_TOO_MANY_PIXELS.format(f"{image.width} x {image.height}"))


def _in_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SEE_THROUGH or "transparency" in image.info:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        ground = Image.new("RGB", layer.size)
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    if image.mode.startswith(_DEEP_GREYS):
        # Grey in 16 bits: a plain conversion would cut off all but the darkest 256 of its 65,536 shades.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")


def _rgb_profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    fits = image.mode == "RGB" and isinstance(profile, bytes) and len(profile) <= MAX_PROFILE_BYTES
    return profile if fits else None
