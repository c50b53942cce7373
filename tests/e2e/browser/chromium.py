"""A headless Chromium that looks at pages as a person does, and at what went on behind them.

Nothing is downloaded: Debian's ``chromium`` and ``chromium-driver`` are driven, and names other than this machine's do
not resolve. Texts are read in one step, since a page may render a part anew at any moment.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from urllib.parse import urlsplit

from live_world import eventually
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoAlertPresentException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

if TYPE_CHECKING:
    from collections.abc import Callable

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WIDE, PHONE = (1280, 900), (390, 844)
"""A desk and a phone, in CSS pixels."""
LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")
Scheme = Literal["light", "dark"]

_FLAGS: Final = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_AXE: Final = Path(__file__).parent / "axe" / "axe.min.js"
_RUN_AXE: Final = """
const done = arguments[arguments.length - 1];
const only = arguments[0].length ? { runOnly: arguments[0] } : {};
axe.run(document, { resultTypes: ["violations"], preload: false, ...only }).then(
  (found) => done(found.violations.map(({ id, impact, help, nodes }) =>
    ({ id, impact, help, where: nodes.map((node) => node.html.slice(0, 300) + " " + node.failureSummary) }))),
  (error) => done([{ id: "axe", impact: "critical", help: String(error), where: [] }]));
"""
_TOO_WIDE: Final = """
const limit = arguments[0];
if (document.documentElement.scrollWidth <= limit) return [];
return [...document.body.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > limit + 1)
  .map((each) => each.outerHTML.slice(0, 160));
"""
_FOCUSED: Final = """
const it = document.activeElement;
return it === document.body ? "" : it.innerText.trim() || it.getAttribute("name") || it.id;
"""
_NAMED: Final = "//*[self::button or self::a or self::summary or self::label][contains(normalize-space(.), {name})]"


class Chromium:
    """One browser with one window. ``base`` is where paths begin; its profile lies in ``folder``."""

    def __init__(self, folder: Path) -> None:
        assert BROWSER is not None
        assert DRIVER is not None
        options = webdriver.ChromeOptions()
        options.binary_location = BROWSER
        for flag in (*_FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # it refuses to run as root otherwise
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.unhandled_prompt_behavior = "ignore"
        self.driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
        self.base = ""
        self._size = WIDE
        self._hosts: set[str] = set()
        self.looks_like(WIDE, "light")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.driver.quit()

    def forget(self) -> None:
        """Be like a new browser: nobody is logged in anywhere, and nothing was complained of or asked for."""
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.complaints()
        self.hosts()
        self._hosts.clear()
        self.looks_like(WIDE, "light")

    # -- how it looks

    def looks_like(self, size: tuple[int, int], scheme: Scheme) -> None:
        """Be as large as a desk's or a phone's screen, and prefer light or dark; nothing moves."""
        width, height = self._size = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        listed = [{"name": name, "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})

    # -- what a person does

    def open(self, path: str) -> None:
        """Go to a page and return when it has loaded."""
        self.driver.get(self.base + path)

    def press(self, name: str, within: str = "") -> None:
        """Press the button, link or label that is called so, the first one of the page or of the XPath ``within``."""
        self._when_it_can(
            lambda: self.driver.find_element(By.XPATH, within + _NAMED.format(name=_quoted(name))).click()
        )

    def confirm(self) -> str:
        """Say yes to the question that the page asks, and return it."""
        asked = ""

        def answer() -> bool:
            nonlocal asked
            try:
                alert = self.driver.switch_to.alert
                asked = alert.text
                alert.accept()
            except NoAlertPresentException:
                return False
            return True

        eventually(answer, "a question to confirm")
        return asked

    def type(self, keys: str) -> None:
        """Type into whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(keys)

    # -- what a person sees

    @property
    def path(self) -> str:
        """Where it is, without the server."""
        return self.driver.current_url.removeprefix(self.base)

    def text(self, selector: str = "main") -> str:
        """Return what can be read in the first element that matches, in one line; "" if there is none."""
        return str(self.script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)).strip()

    def shows(self, text: str, selector: str = "main", within_s: float = 20.0) -> None:
        """Wait until ``text`` can be read there."""
        try:
            eventually(lambda: text in " ".join(self.text(selector).split()), text, within_s)
        except AssertionError:
            raise AssertionError(f"not {text!r} on {self.path}, but:\n{self.text('body')}") from None

    def script(self, source: str, *arguments: object) -> Any:
        """Run a function's body in the page and return what it returns."""
        return self.driver.execute_script(source, *arguments)

    def focused(self) -> str:
        """Return what has the focus: its words, its name or its id; "" if nothing has."""
        return str(self.script(_FOCUSED))

    # -- what went on behind the page

    def complaints(self) -> list[str]:
        """Return the errors of the console since the last time: scripts, the policy, files that are not there."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def hosts(self) -> set[str]:
        """Return the hosts that were asked for anything since the browser was started."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] in {"Network.requestWillBeSent", "Network.webSocketCreated"}:
                parameters = message["params"]
                asked = urlsplit(parameters.get("request", parameters)["url"])
                if asked.scheme in {"http", "https", "ws", "wss"}:  # what it has itself is no request to anybody
                    self._hosts.add(asked.netloc)
        return self._hosts

    def barriers(self, only: tuple[str, ...] = ()) -> list[str]:
        """Return what axe finds serious or critical on the page, for people who cannot see or point well.

        ``only`` names its rules; LOOKS are those that depend on size and colours.
        """
        if not self.script("return 'axe' in window"):
            self.script(_AXE.read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(_RUN_AXE, only)
        return [
            f"{each['id']} ({each['impact']}): {each['help']}\n  " + "\n  ".join(each["where"])
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]

    def sticks_out(self) -> list[str]:
        """Return what is wider than the screen, if the page can be pushed sideways."""
        found: list[str] = self.script(_TOO_WIDE, self._size[0])
        return found

    def _when_it_can(self, act: Callable[[], object]) -> None:
        refused: Exception | None = None

        def try_it() -> bool:
            nonlocal refused
            try:
                act()
            except _NOT_YET as error:
                refused = error
                return False
            return True

        try:
            eventually(try_it, "it can be pressed", 10)
        except AssertionError:
            raise AssertionError(f"{refused}\n{self.path}:\n{self.text('body')}") from refused


_NOT_YET: Final = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)


def _quoted(text: str) -> str:
    """Return a text as XPath writes it, which knows no escapes."""
    return f'"{text}"' if '"' not in text else f"'{text}'"
