"""Make text fit for Plex: one Unicode form, no characters that break XML or the page, bounded length."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

TITLE_LIMIT: Final = 255
SUMMARY_LIMIT: Final = 10_000
NAME_LIMIT: Final = 255

# Embeddings, overrides and isolates turn the rest of a page around; marks (LRM, RLM) are harmless and stay.
_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SKIN_TONES: Final = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_NONCHARACTER_BITS: Final = 0xFFFE
_JOINER: Final = "\u200d"
_FIRST_FLAG_LETTER, _LAST_FLAG_LETTER = "\U0001f1e6", "\U0001f1ff"
_FIRST_TAG, _LAST_TAG = "\U000e0020", "\U000e007f"


def clean_line(text: str, limit: int) -> str:
    """Return ``text`` as one line of at most ``limit`` characters."""
    return _cut(" ".join(_printable(text).split()), limit)


@lru_cache(maxsize=4096)  # the same ones come again and again
def clean_name(name: str) -> str:
    """Return the name of a tag, performer or studio as one line of at most NAME_LIMIT characters."""
    return clean_line(name, NAME_LIMIT)


def clean_paragraphs(text: str, limit: int) -> str:
    """Return ``text`` with its line breaks kept (losing them would glue paragraphs together)."""
    return _cut(_printable(text.replace("\r\n", "\n").replace("\r", "\n")).strip(), limit)


def _printable(text: str) -> str:
    if all(map(str.isprintable, text.split("\n"))):  # nearly all texts, at a hundredth of the cost
        return unicodedata.normalize("NFC", text)
    # Composed last: a control may have stood between a letter and its accent.
    return unicodedata.normalize("NFC", "".join(map(_replacement, text)))


def _replacement(character: str) -> str:
    if character in _BIDI_CONTROLS:
        return ""
    return " " if _is_unwanted(character) else character


def _is_unwanted(character: str) -> bool:
    if character in "\n\t":
        return False
    return (
        unicodedata.category(character) in {"Cc", "Cs"} or (ord(character) & _NONCHARACTER_BITS) == _NONCHARACTER_BITS
    )


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = limit
    while end > 0 and _continues(text, end):
        end -= 1
    return text[:end].rstrip()


def _continues(text: str, place: int) -> bool:
    """Say whether the character at ``place`` belongs to the same visible character as the one before it."""
    character = text[place]
    return (
        unicodedata.category(character).startswith("M")  # accents, vowel signs, variation selectors
        or _JOINER in {character, text[place - 1]}
        or character in _SKIN_TONES
        or _FIRST_TAG <= character <= _LAST_TAG
        or (_is_flag_letter(character) and _flag_letters_before(text, place) % 2 == 1)
    )


def _is_flag_letter(character: str) -> bool:
    return _FIRST_FLAG_LETTER <= character <= _LAST_FLAG_LETTER


def _flag_letters_before(text: str, place: int) -> int:
    """Count the flag letters right before ``place``: two make a flag."""
    start = place
    while start > 0 and _is_flag_letter(text[start - 1]):
        start -= 1
    return place - start
