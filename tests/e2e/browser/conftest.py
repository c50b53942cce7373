from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser_household import Household, furnish
from chromium import BROWSER, DRIVER, Chromium
from live_world import LiveWorld

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests of this folder, since it takes longer to start than most of them; then it ends."""
    if BROWSER is None or DRIVER is None:
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def chromium(browser: Chromium) -> Chromium:
    """A browser that knows nothing of what other modules did with it."""
    browser.forget()
    return browser


@pytest.fixture(scope="module")
def house(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    """One household, whose dashboard the browser looks at."""
    with LiveWorld(tmp_path_factory.mktemp("household")) as world:
        house = furnish(world)
        chromium.base = house.url
        yield house
