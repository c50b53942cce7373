"""What the daemon does without the settings that Plex needs: serve the first-run page until they are there.

No work is begun meanwhile, and the page is the only thing that listens. It is behind the dashboard's own door: the host
check, the API key or a session, CSRF tokens. Whoever starts SceneSync on this machine gets in by a printed code that is
good for one session, since nobody has told them a key yet; one that nobody uses is over after some minutes, and a new
one is printed.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from scenesync.app.context import secrets_of
from scenesync.app.dashboard.serving import address_of
from scenesync.app.data_directory import API_KEY_FILE
from scenesync.app.logs import set_up_logging
from scenesync.app.settings import SettingsError, require_plex
from scenesync.app.setup.first_run_desk import FirstRunDesk
from scenesync.app.setup.setting_up import SetUp
from scenesync.app.version import VERSION
from scenesync.web.first_run.application import build_first_run
from scenesync.web.guard.hosts import is_loopback
from scenesync.web.guard.one_time_code import OneTimeCode
from scenesync.web.server import OpenDoor, WebServer

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from scenesync.app.context import AppContext
    from scenesync.app.settings import LoadedSettings, Settings
    from scenesync.web.server import Address

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
LAST_PAGE_WITHIN_S: Final = 5.0
"""The browser asks for the page that says that all is done before the dashboard takes over."""


def serve_until_set_up(
    app: AppContext,
    loaded: LoadedSettings,
    reload: Callable[[], LoadedSettings | None],
    stop: threading.Event,
) -> LoadedSettings | None:
    """Serve the page until ``reload`` returns settings that Plex can be reached with, and return those; None at a stop.

    ``reload`` returns None while nothing has changed. Raises SettingsError, with the hint at the terminal form, where
    no page can be had.
    """
    address = _address(loaded)
    code = OneTimeCode() if lets_in_by_code(loaded.settings) else None

    def protect(secrets: Iterable[str]) -> None:
        every = [*secrets_of(loaded.settings), address.api_key, *secrets]
        set_up_logging(loaded.settings.log_format, loaded.settings.log_level, every)

    desk = FirstRunDesk(SetUp(app, loaded, protect))
    try:
        server = WebServer(build_first_run(desk, address, version=VERSION, code=code), address, on_stop=lambda: None)
        server.start()
    except (OpenDoor, OSError) as error:
        raise SettingsError([*_missing(loaded), f"The page for setting up cannot be served: {error}"]) from error
    log.warning(
        "not set up yet, so nothing is synced. Set it up at %s/setup %s, or with `scenesync setup`",
        server.url,
        _how_to_get_in(loaded, code.renewed() if code is not None else ""),
    )
    try:
        while not stop.wait(LOOK_EVERY_S):
            if code is not None and (text := code.renewed()):
                log.warning("the one-time code before is over, the new one is %s", text)
            found = reload()
            if found is not None and not _missing(found):
                if desk.is_done:
                    _let_it_be_told(desk, stop)
                log.info("set up, beginning")
                return found
        return None
    finally:
        server.stop()  # so that nobody begins anything any more
        desk.close()


def _let_it_be_told(desk: FirstRunDesk, stop: threading.Event) -> None:
    """Wait until the browser was told that all is done, but not for ever, and until that answer has gone out."""
    over_at = time.monotonic() + LAST_PAGE_WITHIN_S
    while not desk.was_told.is_set() and time.monotonic() < over_at:
        if stop.wait(LOOK_EVERY_S / 5):
            return
    stop.wait(LOOK_EVERY_S)


def lets_in_by_code(settings: Settings) -> bool:
    """Say whether a printed code opens the page: not where somebody chose a key, nor where others could try codes."""
    return settings.http_api_key is None and is_loopback(settings.http_host)


def _address(loaded: LoadedSettings) -> Address:
    try:
        return address_of(loaded)
    except OSError as error:
        raise SettingsError([*_missing(loaded), f"No key for the page can be kept: {error}"]) from error


def _missing(loaded: LoadedSettings) -> tuple[str, ...]:
    try:
        require_plex(loaded.settings)
    except SettingsError as error:
        return error.problems
    return ()


def _how_to_get_in(loaded: LoadedSettings, code: str) -> str:
    if code:
        return f"with the one-time code {code}"
    if loaded.settings.http_api_key is not None:
        return "with your http_api_key"
    return f"with the key in {loaded.settings.data_dir / API_KEY_FILE}"
