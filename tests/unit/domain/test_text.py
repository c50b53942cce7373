from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenesync.domain.text import clean_line, clean_paragraphs

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
WAVE = "\U0001f44b\U0001f3fd"
PORTUGAL, SPAIN = "\U0001f1f5\U0001f1f9", "\U0001f1ea\U0001f1f8"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
DEVANAGARI_KI = "\u0915\u093f"  # a consonant and its vowel sign, two characters that are seen as one
ANY_TEXT = st.text(st.characters())  # lone surrogates included


class TestCleaning:
    @pytest.mark.parametrize(
        ("raw", "clean"),
        [
            ("  Harbour \t at\n dawn ", "Harbour at dawn"),
            ("a\x00b\x07c", "a b c"),
            ("a\x7fb\x85c", "a b c"),
            ("line\u2028separator", "line separator"),
            ("half \ud83d a character", "half a character"),
            ("not a \uffff character \U0001ffff", "not a character"),
            ("\u202eturned\u202c \u2066round\u2069", "turned round"),
            ("cafe\u0301", "caf\u00e9"),
            ("cafe\u202c\u0301", "caf\u00e9"),
            ("marks \u200f stay", "marks \u200f stay"),
            (f"{FAMILY} {WAVE}", f"{FAMILY} {WAVE}"),
            ("", ""),
            (" \x00\u202e ", ""),
        ],
    )
    def test_a_line_has_only_what_can_be_shown(self, raw: str, clean: str) -> None:
        assert clean_line(raw, 255) == clean

    def test_paragraphs_keep_their_line_breaks(self) -> None:
        assert (
            clean_paragraphs("One.\r\n\r\nTwo.\rThree.\nFour.\tFive.\x0b", 100) == "One.\n\nTwo.\nThree.\nFour.\tFive."
        )

    def test_a_long_text_is_cut_at_the_limit_without_a_trailing_blank(self) -> None:
        assert clean_line("abc def", 4) == "abc"
        assert clean_line("abc", 3) == "abc"
        assert clean_paragraphs("abc\n\ndef", 5) == "abc"


class TestCuts:
    @pytest.mark.parametrize(
        "whole", ["e\u0323\u0301", FAMILY, WAVE, PORTUGAL, SCOTLAND, DEVANAGARI_KI, "\u2764\ufe0f"]
    )
    def test_a_visible_character_is_never_cut_in_two(self, whole: str) -> None:
        whole = unicodedata.normalize("NFC", whole)
        for limit in range(2, 2 + len(whole)):
            assert clean_line(f"ab{whole}", limit) == "ab"
        assert clean_line(f"ab{whole}", 2 + len(whole)) == f"ab{whole}"

    def test_flags_in_a_row_are_cut_between_two_of_them(self) -> None:
        assert clean_line(PORTUGAL + SPAIN, 3) == PORTUGAL
        assert clean_line(PORTUGAL + SPAIN, 2) == PORTUGAL
        assert clean_line(PORTUGAL + SPAIN, 1) == ""


@given(ANY_TEXT, st.integers(1, 40))
def test_whatever_comes_in_what_goes_out_fits_and_stays_as_it_is(text: str, limit: int) -> None:
    for clean in (clean_line, clean_paragraphs):
        once = clean(text, limit)
        assert len(once) <= limit
        assert clean(once, limit) == once == once.strip()
        assert unicodedata.is_normalized("NFC", once)
        once.encode("utf-8")
        assert not {unicodedata.category(character) for character in once if character not in "\n\t"} & {"Cc", "Cs"}
    assert "\n" not in clean_line(text, limit)
