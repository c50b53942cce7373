"""Pictures of every kind that a cover can be: left half red, right half blue, a green stripe along the top."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

RED, BLUE, GREEN = (220, 30, 30), (30, 30, 220), (30, 200, 30)
LANDSCAPE = (320, 180)


def painted(size: tuple[int, int] = LANDSCAPE) -> Image.Image:
    width, height = size
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    image.paste(GREEN, (0, 0, width, height // 10))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    with Image.open(BytesIO(content)) as image:
        image.load()
        return image


def near(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int], by: int = 40) -> bool:
    pixel = image.convert("RGB").getpixel(at)
    assert isinstance(pixel, tuple)
    return all(abs(shown - wanted) <= by for shown, wanted in zip(pixel, colour, strict=True))
