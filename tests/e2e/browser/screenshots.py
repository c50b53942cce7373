"""Pictures of every page, by day and night, at a desk and on a phone: ``make screenshots``.

They show a simulated household of some hundred scenes with a bit of everything: an outage, dead letters, a scene that
was undone, a plan. Look at all of them after a page has changed; a few, made small, are kept in docs/images.
"""

from __future__ import annotations

import argparse
import base64
import io
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from browser_household import KEY, furnish, is_quiet
from chromium import PHONE, WIDE, Chromium, Scheme
from live_world import LiveWorld, eventually
from PIL import Image

from scenesync.web.pages.frame import NAVIGATION

if TYPE_CHECKING:
    from browser_household import Household

ROOT: Final = Path(__file__).parents[3]
SIZES: Final = {"wide": WIDE, "narrow": PHONE}
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
KEPT: Final = {
    "overview-wide-light": "overview.png",
    "overview-wide-dark": "overview-dark.png",
    "scene-wide-light": "scene.png",
    "plan-made-wide-light": "plan.png",
    "overview-narrow-dark": "phone.png",
}
"""Which pictures docs/images has, by what they are called there."""
SCENES: Final = 120
PATIENCE_S: Final = 180.0
LAST_LETTER: Final = "\u017f"
"""Not every machine has the fonts for more."""
TALLEST_PX: Final = 2600
KEPT_TALLEST_PX: Final = 1100
KEPT_COLOURS: Final = 128


def main() -> None:
    """Make all pictures; with ``--keep`` also the small ones of docs/images."""
    parser = argparse.ArgumentParser(description="Make pictures of every page of the dashboard.")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "screenshots", help="the folder for all of them")
    parser.add_argument("--keep", action="store_true", help="also renew those in docs/images")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "world").mkdir()
        with LiveWorld(place / "world") as world, Chromium(place / "chromium") as browser:
            take_all(live(world), browser, options.into)
    if options.keep:
        keep(options.into, ROOT / "docs" / "images")


def live(world: LiveWorld) -> Household:
    """Return a household in which a few days' worth of things has happened."""
    world.fill(SCENES)
    for scene in world.stash.scenes():
        if max(scene.title, default="") > LAST_LETTER:
            world.stash.save(scene, title=" ".join(re.sub(f"[^ -{LAST_LETTER}]", "", scene.title).strip(" :#").split()))
    house = furnish(world, PATIENCE_S)
    for number, scene in enumerate(world.stash.scenes()[:8], start=1):
        world.stash.save(scene, **({"date": f"2024-05-{number:02}"} if number % 3 else {"details": "A calm evening."}))
    eventually(lambda: is_quiet(world), "everything delivered", PATIENCE_S)
    world.plex.down()
    world.stash.save(house.dawn, details="Boats leave before the town wakes, and come back at noon.")
    eventually(lambda: "down" in world.scenesync("status").stdout, "an outage")
    world.plex.up()
    eventually(lambda: is_quiet(world), "everything delivered afterwards", PATIENCE_S)
    assert world.scenesync("undo", str(house.noon.id)).exit_code == 0
    return house


def take_all(house: Household, browser: Chromium, folder: Path) -> None:
    """Take every page in every form."""
    browser.base = house.url
    take_forms(browser, "login", "/login", folder)
    browser.open("/login")
    browser.type(KEY + "\n")
    browser.shows("Servers")
    browser.open("/coverage")
    browser.press("Compare both libraries")
    browser.shows("Class by class")
    browser.open("/plan")
    browser.press("Include scenes that are held")
    browser.press("Make the plan")
    browser.shows("Scene by scene")
    pages = {(place.path.strip("/") or "overview"): place.path for place in NAVIGATION}
    pages["plan-made"] = browser.path.partition("?")[0]
    pages |= {"scene": f"/scenes/{house.dawn.id}", "scene-undone": f"/scenes/{house.noon.id}"}
    pages |= {"scene-ambiguous": f"/scenes/{house.twice.id}", "letters": "/dead-letters?error=AmbiguousMatch"}
    pages |= {"runs": "/journal/runs", "nowhere": "/nowhere"}
    for name, path in pages.items():
        take_forms(browser, name, path, folder)


def take_forms(browser: Chromium, name: str, path: str, folder: Path) -> None:
    """Take one page in every form."""
    for size_name, size in SIZES.items():
        for scheme in SCHEMES:
            browser.looks_like(size, scheme)
            browser.open(path)
            if name.startswith("scene-") or name == "scene":
                browser.shows("How it was found")
            time.sleep(0.3)  # what the page loads afterwards
            (folder / f"{name}-{size_name}-{scheme}.png").write_bytes(picture(browser, size[0]))


def picture(browser: Chromium, width: int) -> bytes:
    """Return the whole page as PNG, also what is below the screen."""
    height = min(TALLEST_PX, int(browser.script("return document.documentElement.scrollHeight")))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    asked = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    answer = browser.driver.execute_cdp_cmd("Page.captureScreenshot", asked)
    return base64.b64decode(answer["data"])


def keep(folder: Path, target: Path) -> None:
    """Make the pictures that are kept small: cut, with few colours, which is enough for text."""
    target.mkdir(parents=True, exist_ok=True)
    for name, kept in KEPT.items():
        image = Image.open(io.BytesIO((folder / f"{name}.png").read_bytes())).convert("RGB")
        image = image.crop((0, 0, image.width, min(image.height, KEPT_TALLEST_PX)))
        image.quantize(KEPT_COLOURS).save(target / kept, optimize=True)


if __name__ == "__main__":
    main()
