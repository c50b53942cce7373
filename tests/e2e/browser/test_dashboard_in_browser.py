"""The dashboard of a running daemon as people use it: by mouse or keyboard, at a desk, on a phone, by day or night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from browser_household import KEY, UNSETTLED
from chromium import LOOKS, PHONE, WIDE
from live_world import eventually
from selenium.webdriver.common.keys import Keys

from scenesync.simulators.plex import faults
from scenesync.web.pages.error_words import error_name
from scenesync.web.pages.frame import NAVIGATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser_household import Household
    from chromium import Chromium

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(chromium: Chromium, house: Household) -> Iterator[Chromium]:
    """A browser at a desk by day in which somebody is logged in; afterwards nothing may have gone wrong behind it."""
    chromium.looks_like(WIDE, "light")
    chromium.open("/")
    if chromium.path.startswith("/login"):
        chromium.type(KEY + Keys.ENTER)
        chromium.shows("Servers")
    yield chromium
    assert chromium.complaints() == []
    assert chromium.hosts() == {house.url.removeprefix("http://")}


def test_one_logs_in_by_the_key_alone_without_a_mouse_and_out_again(page: Chromium) -> None:
    page.press("Log out", "//header")
    eventually(lambda: page.path.startswith("/login"), "the page to log in")
    page.open("/scenes")
    assert page.path == "/login?next=/scenes"
    assert page.focused() == "key"
    page.type("not-the-key" + Keys.ENTER)
    page.shows("That is not the key")
    assert page.focused() == "key"
    assert any("403" in each for each in page.complaints())  # which Chromium counts as an error of the console
    page.type(KEY + Keys.ENTER)
    page.shows("Market at noon")
    assert page.path == "/scenes"


def test_a_sync_is_seen_while_it_happens(page: Chromium, house: Household) -> None:
    page.open("/")
    page.script("window.stayed = true")
    house.world.stash.save(house.dawn, title="Harbour at first light")
    page.shows("Harbour at first light synced", ".latest")
    page.open(f"/scenes/{house.dawn.id}")
    page.script("window.stayed = true")
    page.shows("This scene is in sync.")
    house.world.stash.save(house.dawn, title="Harbour at dawn", details="Boats leave at six.")
    page.shows("Boats leave at six. Boats leave at six.", ".sides")  # Stash and Plex
    assert page.script("return window.stayed") is True


def test_a_scene_that_plex_has_twice_is_pinned_to_one(page: Chromium, house: Household) -> None:
    _, chosen = house.rivals
    page.open("/scenes?state=ambiguous")
    page.press("Northern lights")
    page.shows("Which of these is it?")
    page.press(f"Pin item {chosen.rating_key}")
    assert f"Tie scene {house.twice.id} to item {chosen.rating_key}" in page.confirm()
    page.shows(f"Pinned to item {chosen.rating_key}")
    eventually(lambda: chosen.title == "Northern lights", "its title in Plex")
    page.shows("This scene is in sync.")


def test_edits_are_undone_then_planned_read_and_written_again(page: Chromium, house: Household) -> None:
    item = house.world.item_of(house.noon)
    assert item.summary == "A walk between stalls."
    page.open(f"/scenes/{house.noon.id}")
    page.press("Undo…")
    assert "Put back in Plex what it showed" in page.confirm()
    eventually(lambda: item.summary == "", "the summary that Plex had before")
    page.shows("Held since")

    page.open("/plan")
    page.press("Include scenes that are held")
    page.press("Make the plan")
    page.shows("A walk between stalls.")
    assert item.summary == ""
    page.press("Apply the plan: 1 scene")
    assert "can be undone" in page.confirm()
    eventually(lambda: item.summary == "A walk between stalls.", "what the plan says")
    page.shows("Carry a plan out: done.")


def test_a_dead_letter_is_replayed_once_its_cause_is_gone(page: Chromium, house: Household) -> None:
    plex, item = house.world.plex, house.world.item_of(house.walk)
    letters = house.world.queue().dead_letters
    plex.fail_next(9, faults.status(400), only="edit")
    house.world.stash.save(house.walk, details="Up the stairs at high tide.")
    eventually(lambda: house.world.queue().dead_letters > letters, "a dead letter")
    plex.heal()
    page.open("/dead-letters")
    page.press(error_name("PlexPermanentError"))
    page.press("Replay Lighthouse walk")
    eventually(lambda: item.summary == "Up the stairs at high tide.", "the edit in Plex")
    page.open(f"/dead-letters?scene={house.walk.id}")
    page.shows("has no dead letter")


def test_one_edit_is_undone_from_the_journal_after_it_was_shown(page: Chromium, house: Household) -> None:
    item = house.world.item_of(house.dawn)
    house.world.stash.save(house.dawn, details="A storm keeps the boats in.")
    eventually(lambda: item.summary == "A storm keeps the boats in.", "the edit to undo")
    page.open(f"/journal?scene={house.dawn.id}")
    page.press("Undo…", "//main//li")
    page.shows("Put it back")
    assert page.barriers() == []
    assert item.summary == "A storm keeps the boats in."
    page.press("Put it back…")
    assert "The undo is a run of its own" in page.confirm()
    eventually(lambda: item.summary != "A storm keeps the boats in.", "what Plex showed before")
    page.shows("Undo this undo")


def test_the_log_is_seen_as_it_is_written_and_can_be_stopped(page: Chromium, house: Household) -> None:
    page.open("/log")
    house.world.stash.save(house.noon, date="2024-06-01")
    page.shows(f"synced scene={house.noon.id} items={house.world.item_of(house.noon).rating_key}", "#lines")
    page.press("Pause")
    before = page.text("#lines")
    house.world.stash.save(house.noon, date="2024-05-17")
    page.shows("Go on (", "#pause")
    assert page.text("#lines") == before
    page.press("Go on")
    eventually(
        lambda: page.text("#lines").count("\nsynced scene=") > before.count("\nsynced scene="), "what came meanwhile"
    )


def test_a_routine_is_run_now_and_a_connection_is_tried(page: Chromium, house: Household) -> None:
    page.open("/tasks")
    page.press("Run now: Back up state and queue")
    eventually(lambda: any((house.world.data_dir / "backups").glob("*")), "a backup")
    page.shows("Back up state and queue every week done")
    page.open("/settings")
    for _ in range(2):
        page.press("Test the connection")  # of Stash, which is first, then again
    page.shows("answers")
    assert KEY not in page.text()


def test_everything_is_reached_by_keyboard_and_shows_where_it_is(page: Chromium) -> None:
    page.open("/scenes")
    page.type(Keys.TAB)
    assert page.focused() == "Skip to the content"
    page.type(Keys.ENTER)
    page.type(Keys.TAB)
    assert page.focused() == "q"  # past the navigation
    page.open("/scenes")
    passed: list[str] = []
    while page.type(Keys.TAB) or page.focused():
        passed.append(page.focused())
        outline = "const it = getComputedStyle(document.activeElement); return it.outlineStyle + it.outlineWidth"
        assert page.script(outline) == "solid3px", passed[-1]
    for name in (*(place.title for place in NAVIGATION), "Log out", "q", "Search", "Northern lights"):
        assert name in passed


LETTERS: Final = "/dead-letters?error=AmbiguousMatch"
BESIDES: Final = (LETTERS, "/journal/runs", "/nowhere", "/login", "a letter", "a scene", "a plan")
"""Pages that the navigation does not name."""


@pytest.mark.parametrize("name", [*(place.path for place in NAVIGATION), *BESIDES])
def test_every_page_fits_is_readable_for_all_and_complains_of_nothing(
    page: Chromium, house: Household, name: str
) -> None:
    page.open({"a scene": f"/scenes/{house.twice.id}", "a plan": "/plan", "a letter": LETTERS}.get(name, name))
    if name == "a letter":
        page.press(UNSETTLED)
        page.shows("Given up")
    if name == "a plan":
        page.press("Make the plan")
        page.shows("Scene by scene")
    for size, scheme, rules in ((WIDE, "light", ()), (PHONE, "dark", LOOKS)):
        page.looks_like(size, scheme)
        page.open(page.path)
        if name == "a scene":
            page.shows("How it was found")
        assert page.barriers(rules) == []
        assert page.sticks_out() == []
    if name == "/nowhere":
        assert any("404" in each for each in page.complaints())
