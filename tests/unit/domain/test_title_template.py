from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenesync.domain.title_template import PLACEHOLDERS, title_template

FULL = {"title": "Harbour", "studio": "North Pier", "year": "2024", "code": "NP-1", "performers": "Ann, Bo"}


def made(template: str, **facts: str) -> str:
    return title_template(template).render(facts)


@pytest.mark.parametrize(
    ("template", "missing", "title"),
    [
        ("{title}", "", "Harbour"),
        ("{studio} - {title}", "", "North Pier - Harbour"),
        ("{studio} - {title}", "studio", "Harbour"),
        ("{title} - {studio}", "studio", "Harbour"),
        ("{title} ({year})", "", "Harbour (2024)"),
        ("{title} ({year})", "year", "Harbour"),
        ("{title} ({year}) {code}", "year", "Harbour NP-1"),
        ("{title} ({studio}, {year})", "", "Harbour (North Pier, 2024)"),
        ("{title} ({studio}, {year})", "year", "Harbour (North Pier)"),
        ("{title} ({studio}, {year})", "studio", "Harbour (2024)"),
        ("{title} ({studio}, {year})", "studio year", "Harbour"),
        ("[{code}] {title}", "", "[NP-1] Harbour"),
        ("[{code}] {title}", "code", "Harbour"),
        ("{code}: {title} - {performers}", "title", "NP-1 - Ann, Bo"),
        ("{code}: {title} - {performers}", "code title", "Ann, Bo"),
        ("Film: {title}", "", "Film: Harbour"),
        ("{title} #{code}!", "", "Harbour #NP-1!"),
        ("{title} #{code}!", "code", "Harbour"),
        ("{title} [HD]", "", "Harbour [HD]"),
        ("{title} (a [{code}] b)", "", "Harbour (a [NP-1] b)"),
        ("{title} (a [{code}] b)", "code", "Harbour"),
        (":-) {title} (", "", ":-) Harbour ("),
        ("({title}", "", "(Harbour"),
        ("{ title }", "", "Harbour"),
        ("{studio} / {title}", "studio title", ""),
        ("{title}{code}", "", "HarbourNP-1"),
    ],
)
def test_a_missing_part_takes_its_separator_along(template: str, missing: str, title: str) -> None:
    facts = {name: "" if name in missing.split() else text for name, text in FULL.items()}
    assert made(template, **facts) == title


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_every_placeholder_can_be_used(name: str) -> None:
    assert made(f"<{{{name}}}>", **{name: "x"}) == "<x>"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{titel}", r"no placeholder \{titel\}"),
        ("{title.upper}", "no placeholder"),
        ("{0}", "no placeholder"),
        ("{}", "no placeholder"),
        ("{title} ({yaer})", "no placeholder"),
        ("Film", "no placeholder such as"),
        ("", "no placeholder such as"),
        ("{title", "has no partner"),
        ("title}", "has no partner"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        title_template(template)


def test_what_a_fact_says_is_no_template() -> None:
    assert made("{title} - {code}", title="{code}", code="(x") == "{code} - (x"


PIECES = st.lists(
    st.sampled_from([*(f"{{{name}}}" for name in PLACEHOLDERS), "(", ")", "[", "]", " - ", " ", ", ", "x"]), min_size=1
)


@given(PIECES, st.dictionaries(st.sampled_from(PLACEHOLDERS), st.sampled_from(["", "One", "Two, Three"])))
def test_what_is_there_is_shown_and_what_is_not_leaves_no_trace(pieces: list[str], facts: dict[str, str]) -> None:
    named = [piece[1:-1] for piece in pieces if piece.startswith("{")]
    if not named:
        return
    title = made("".join(pieces), **facts)
    shown = [facts[name] for name in named if facts.get(name)]
    assert all(title.count(text) >= shown.count(text) for text in shown)
    assert "{" not in title
    assert bool(title) is bool(shown)
