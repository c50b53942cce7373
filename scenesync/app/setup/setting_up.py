"""One set-up under way: the answers so far, what was found by them, and one write at its end.

Nothing of it reaches ``scenesync.toml`` before the plan was made and a person said yes: until then a daemon has nothing
to work with, so nothing can be written to Plex, and whoever goes away in the middle leaves everything as it was. The
terminal and the first-run page are two faces of this.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.editing import SettingsFileRefused, write_settings
from scenesync.app.configuration.sources import COMMAND_LINE
from scenesync.app.context import AppContext, secrets_of
from scenesync.app.data_directory import make_data_dir
from scenesync.app.doctor.path_check import as_text
from scenesync.app.settings import SettingsError, load_settings, require_plex
from scenesync.app.setup import first_plan, reaching
from scenesync.app.setup.state import ASKED, State, Step, back_to, fixed
from scenesync.app.version import VERSION
from scenesync.domain.errors import LibraryNotFound, NeedsPerson, PermanentError, StashUnauthorized, TransientError
from scenesync.plex.exceptions import PlexPermanentError, PlexTransientError, PlexUnauthorized
from scenesync.plex.sign_in import PlexTv
from scenesync.queue.errors import QueueError
from scenesync.stash.http_errors import NEW_KEY, WRONG_KEY
from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from scenesync.app.settings import LoadedSettings, Settings
    from scenesync.plex.sign_in import OfferedServer

_REQUEST: Final = re.compile(r"^[A-Z]+ /\S*: ")
"""What was asked of Plex, with which its errors begin: of use in a log."""

Answer = str | tuple[str, ...]

WHAT_CAN_GO_WRONG: Final = (
    TransientError,
    PermanentError,
    NeedsPerson,
    SettingsError,
    SettingsFileRefused,
    StoreError,
    QueueError,
    OSError,
)
"""What a step may raise, all of it to be told to the person by ``words_of``."""


class SetUp:
    """The answers and where they lead. One thread at a time; steps raise WHAT_CAN_GO_WRONG and then change nothing.

    ``protect`` is told every secret as soon as it is known, so that no log line can hold it.
    """

    def __init__(self, app: AppContext, loaded: LoadedSettings, protect: Callable[[Iterable[str]], None]) -> None:
        self.state = State()
        self.loaded = loaded
        self.fixed = fixed(loaded.origins)
        """Keys that the file cannot change, with their origins: they are taken as they are."""
        self._app = app
        self._protect = protect
        self._answers: dict[str, Answer] = {}
        self._secrets: list[str] = []
        self.tried: dict[str, str] = {}
        """The addresses that were tried last, whether anybody answered there or not; none that cannot be an address."""

    @property
    def file(self) -> Path:
        """Where the settings will be written."""
        return self.loaded.files[0]

    def is_known(self, *keys: str) -> bool:
        """Say whether each of these keys has a value already, from whatever source."""
        return all(getattr(self.loaded.settings, key) is not None for key in keys)

    def settings(self, **answers: Answer) -> Settings:
        """Return the settings as they would be with the answers so far and these. Raises SettingsError."""
        # An empty tuple would mean that the option was not used.
        wanted = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in {**self._answers, **answers}.items()
            if key not in self.fixed
        }
        settings = load_settings(overrides={**self._app.overrides, **wanted}).settings
        self._know(secrets_of(settings))
        return settings

    def try_stash(self, url: str | None = None, api_key: str | None = None) -> None:
        """Find Stash there; None leaves what is known."""
        answers = _given(stash_url=url, stash_api_key=api_key)
        settings = self.settings(**answers)
        self._note_tried("stash_url", url)
        found = reaching.try_stash(settings)
        self._keep(answers, replace(back_to(self.state, Step.STASH), stash=found))

    def plex_tv(self) -> PlexTv:
        """Return where a person signs in."""
        settings = self.settings()
        make_data_dir(settings.data_dir)
        identifier = reaching.client_identifier(settings)
        return PlexTv.at(settings.plex_tv_url, client_identifier=identifier, version=VERSION)

    def sign_in(self, plex_tv: PlexTv, account_token: str) -> None:
        """Learn which servers the account has, to choose from. Only their owner may edit, so others are left out."""
        self._know([account_token])
        servers = plex_tv.servers(account_token)
        self._know(server.access_token for server in servers)
        owned = tuple(server for server in servers if server.is_owned)
        if not owned:
            raise PlexPermanentError(
                "This account owns no Plex server. SceneSync edits metadata, which only the server's owner may: sign "
                "in as that, or give the server's address and token."
            )
        self.state = replace(back_to(self.state, Step.PLEX), servers=owned)

    def choose_server(self, machine_identifier: str) -> None:
        """Find the way to one of the account's servers and take it."""
        server = self._server(machine_identifier)
        answers: dict[str, Answer] = {
            "plex_url": reaching.reach(server, self.settings()),
            "plex_token": server.access_token,
        }
        found = reaching.try_plex(self.settings(**answers), name=server.name)
        self._keep(answers, replace(back_to(self.state, Step.SERVER), plex=found))

    def try_plex(self, url: str | None = None, token: str | None = None) -> None:
        """Find Plex there; None leaves what is known."""
        answers = _given(plex_url=url, plex_token=token)
        settings = self.settings(**answers)
        self._note_tried("plex_url", url)
        require_plex(settings)
        make_data_dir(settings.data_dir)
        found = reaching.try_plex(settings)
        self._keep(answers, replace(back_to(self.state, Step.PLEX), plex=found))

    def choose_libraries(self, names: Sequence[str]) -> None:
        """Take these libraries of Plex, all for none. Raises LibraryNotFound."""
        assert self.state.plex is not None  # noqa: S101 - the step before
        known = {title.casefold(): title for title in self.state.plex.libraries}
        wanted = self.settings(plex_libraries=tuple(names)).plex_libraries
        for name in wanted:
            if name.casefold() not in known:
                raise LibraryNotFound(name, existing=self.state.plex.libraries)
        chosen = tuple(known[name.casefold()] for name in wanted)
        self._keep({"plex_libraries": chosen}, replace(back_to(self.state, Step.LIBRARIES), libraries=chosen))

    def look(self) -> None:
        """Read Plex's libraries and see whether the paths of both sides meet."""
        paths = first_plan.look_at_paths(self.settings())
        if "path_map" in self.fixed:
            paths = replace(paths, proposed=())
        self.state = replace(self.state, paths=paths)

    def decide_paths(self, *, take: bool) -> None:
        """Take the proposed path map, or leave it as it is."""
        assert self.state.paths is not None  # noqa: S101 - the step before
        answers: dict[str, Answer] = {"path_map": self.state.paths.proposed} if take else {}
        if not take:
            self._answers.pop("path_map", None)
        self._keep(answers, replace(self.state, are_paths_decided=True, plan=None))

    def make_plan(self, progress: Callable[[str, int, int], None]) -> None:
        """Compare and plan everything; ``progress`` hears how it gets on and may raise to end it."""
        plan = first_plan.make_first_plan(self.settings(), progress)
        self.state = replace(self.state, plan=plan)

    def write(self) -> Path:
        """Write what was answered, now that the plan was seen, and return the file. Raises RuntimeError before."""
        if self.state.plan is None:
            raise RuntimeError("nothing is written before there is a plan")
        values: dict[str, str | Sequence[str]] = {
            key: self._answers[key] for key in ASKED if key in self._answers and key not in self.fixed
        }
        if not values.get("plex_libraries") and not self.loaded.settings.plex_libraries:
            values.pop("plex_libraries", None)
        make_data_dir(self.file.parent)
        file = write_settings(self.file, values) if values else self.file
        self.state = replace(self.state, is_written=True)
        return file

    def back(self, step: Step) -> None:
        """Answer a step again."""
        self.state = back_to(self.state, step)

    def path_map(self) -> tuple[str, ...]:
        """Return the path map that the answers lead to, as it is written in settings."""
        answered = self._answers.get("path_map")
        return tuple(answered or map(as_text, self.loaded.settings.path_map))

    def _note_tried(self, key: str, url: str | None) -> None:
        if url:
            self.tried[key] = url

    def _server(self, machine_identifier: str) -> OfferedServer:
        for server in self.state.servers:
            if server.machine_identifier == machine_identifier:
                return server
        raise PlexPermanentError("The account has no such server.")

    def _keep(self, answers: dict[str, Answer], state: State) -> None:
        self._answers.update(answers)
        self.state = state

    def _know(self, secrets: Iterable[str]) -> None:
        new = [secret for secret in secrets if secret not in self._secrets]
        if new:
            self._secrets += new
            self._protect(tuple(self._secrets))


def words_of(error: BaseException) -> str:
    """Return an error in words for a person who answers questions, not one who edits a file."""
    if isinstance(error, PlexUnauthorized) and "plex.tv" not in str(error):
        return "Plex does not accept this token. Sign in again, or copy the token of the server's owner."
    if isinstance(error, StashUnauthorized):
        return _words_of_stash(str(error))
    if isinstance(error, PlexTransientError | PlexPermanentError):
        return _REQUEST.sub("", str(error))
    if isinstance(error, SettingsError):
        # What was answered is laid over the settings like options of a command, which it is not.
        return " ".join(error.problems).replace(f" ({COMMAND_LINE})", "")
    return str(error) or type(error).__name__


def _words_of_stash(text: str) -> str:
    """Return a refusal without the names of settings, for whoever has a question or an option for the key."""
    by_hand = "Create one in Stash under Settings > Security > Authentication, and give that."
    return text.replace(NEW_KEY, by_hand).replace(WRONG_KEY, "It does not accept this API key.")


def _given(**answers: str | None) -> dict[str, Answer]:
    return {key: value for key, value in answers.items() if value}
