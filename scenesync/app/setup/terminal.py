"""A set-up as questions and answers on a terminal, or without any question where nobody can be asked."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, NoReturn

import click
from rich.console import Console

from scenesync.app.commands.coverage import print_report
from scenesync.app.configuration.editing import why_not_writable
from scenesync.app.settings import SettingsError
from scenesync.app.setup.setting_up import WHAT_CAN_GO_WRONG, words_of
from scenesync.app.setup.state import Step, next_step
from scenesync.app.wording.counting import counted
from scenesync.app.wording.plan import scene_lines, summary
from scenesync.app.wording.progress import BarView, LineView
from scenesync.domain.errors import NeedsPerson, StashUnauthorized
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.planning import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scenesync.app.setup.setting_up import SetUp
    from scenesync.reconciliation.planning import PlannedScene

SCENES_SHOWN: Final = 3
SIGN_IN, BY_TOKEN = "sign-in", "token"
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options of the command say; "" and empty for what they leave open."""

    stash_url: str = ""
    stash_api_key: str = field(default="", repr=False)
    plex_url: str = ""
    plex_token: str = field(default="", repr=False)
    signs_in: bool = False
    server: str = ""
    libraries: tuple[str, ...] = ()
    all_libraries: bool = False
    keeps_path_map: bool = False
    yes: bool = False


class Conversation:
    """Leads a set-up to its plan. ``asks``: somebody is there to answer. ``beside_json``: all is said on stderr.

    ``is_at_work``: a daemon has settings already that it works with.
    """

    def __init__(
        self, setup: SetUp, wishes: Wishes, *, asks: bool, beside_json: bool, is_at_work: bool = False
    ) -> None:
        self.setup = setup
        self.wishes = wishes
        self.asks = asks
        self._to_stderr = beside_json
        self._is_at_work = is_at_work
        self.console = Console(highlight=False, soft_wrap=True, stderr=beside_json)
        self._steps: dict[Step, Callable[[], None]] = {
            Step.STASH: self._stash,
            Step.PLEX: self._plex,
            Step.SERVER: self._server,
            Step.LIBRARIES: self._libraries,
            Step.LOOK: self._look,
            Step.PATHS: self._paths,
            Step.PLAN: self._plan,
        }
        self._tried: set[str] = set()
        self._told_title = ""

    def until_the_plan_is_seen(self) -> None:
        """Go through the steps; what fails is said, and asked again if somebody is there. Raises else."""
        if self._is_at_work:
            self._say("A daemon works already; it goes on as it is set up now until you have seen the new plan.")
        else:
            self._say("Nothing is written to Plex, and no setting is changed, before you have seen the plan.")
        self._tell_write_protection()
        while (step := next_step(self.setup.state)) in self._steps:
            try:
                self._steps[step]()
            except WHAT_CAN_GO_WRONG as error:
                if not self.asks:
                    if isinstance(error, SettingsError | NeedsPerson):
                        raise  # both have an exit status of their own
                    raise click.ClickException(words_of(error)) from error
                self._refuse(words_of(error))
                if step in {Step.LOOK, Step.PLAN} and not self._confirm("Try again?", default=True):
                    raise click.Abort from error
        self._show_plan()

    def _tell_write_protection(self) -> None:
        """Say before any question that the answers could not be kept. Raises ClickException where they should be."""
        why_not = why_not_writable(self.setup.file)
        wishes = self.wishes
        if not why_not:
            return
        if wishes.yes and (wishes.stash_url or wishes.plex_url or wishes.signs_in):
            raise click.ClickException(why_not)
        self._say(f"{why_not} What you answer could not be written at the end.")
        if self.asks and not wishes.yes and not self._confirm("Go on, to see the plan?", default=False):
            raise click.Abort

    def agrees(self) -> bool:
        """Ask whether what was shown shall happen."""
        if self.wishes.yes or not self.asks:
            return self.wishes.yes
        question = f"Write the settings to {self.setup.file} and let SceneSync do this?"
        return self._confirm(question, default=False)

    def starts_now(self) -> bool:
        """Ask whether to begin at once."""
        return self.asks and not self.wishes.yes and self._confirm("Start it now, in this terminal?", default=False)

    # -- the steps ----------------------------------------------------------------------------------------------------

    def _stash(self) -> None:
        self._title("Stash")
        setup = self.setup
        url = self._once("stash_url", self.wishes.stash_url)
        if not url and self._may_ask("stash_url"):
            known = setup.tried.get("stash_url", setup.loaded.settings.stash_url)
            url = self._ask_address("Address of Stash", known)
        key = self._once("stash_api_key", self.wishes.stash_api_key)
        try:
            setup.try_stash(url or None, key or None)
        except StashUnauthorized:
            if not self._may_ask("stash_api_key"):
                raise
            self._say("Stash asks for a key. Create one there: Settings, Security, Authentication.")
            self._stash_key(url)
        stash = setup.state.stash
        if stash is not None:
            self._found(f"Stash {stash.version} at {stash.url}, {counted(stash.scenes, 'scene')}")

    def _stash_key(self, url: str) -> None:
        """Ask for the key until one is taken, or until somebody gives none, to be asked for the address again."""
        while key := self._secret("API key", default=""):
            try:
                self.setup.try_stash(url or None, key)
            except StashUnauthorized:
                self._refuse("Stash does not accept this key. Enter it again, or nothing to change the address.")
            else:
                return

    def _plex(self) -> None:
        self._title("Plex")
        wishes, setup = self.wishes, self.setup
        url = self._once("plex_url", wishes.plex_url)
        token = self._once("plex_token", wishes.plex_token)
        is_known = setup.is_known("plex_url", "plex_token") and not self._was_tried("known")
        if url or token or (is_known and not wishes.signs_in and self._keeps_plex()):
            setup.try_plex(url or None, token or None)
        elif wishes.signs_in and not self._was_tried("sign-in"):
            self._sign_in()
        elif not self.asks:
            self._cannot_ask("where Plex is: --sign-in, or --plex-url and --plex-token-file")
        elif self._choose_way() == SIGN_IN:
            self._sign_in()
        else:
            known = setup.tried.get("plex_url") or setup.loaded.settings.plex_url
            url = self._ask_address("Address of Plex", known or "http://localhost:32400")
            setup.try_plex(url, self._secret("Token of the server's owner"))
        self._found_plex()

    def _keeps_plex(self) -> bool:
        where = self.setup.loaded.settings.plex_url
        is_fixed = {"plex_url", "plex_token"} <= self.setup.fixed.keys()
        return is_fixed or not self.asks or self._confirm(f"Plex is known, at {where}. Keep that?", default=True)

    def _choose_way(self) -> str:
        self._say("Sign in at plex.tv in a browser, or give the server's address and token.")
        return str(click.prompt("How", default=SIGN_IN, type=click.Choice([SIGN_IN, BY_TOKEN]), err=self._to_stderr))

    def _sign_in(self) -> None:
        plex_tv = self.setup.plex_tv()
        pin = plex_tv.begin()
        self._say("Open this address in a browser, sign in and allow SceneSync; this goes on by itself then:")
        self.console.print(f"\n    {_escaped(plex_tv.link(pin))}\n")
        token = plex_tv.wait(pin, threading.Event().wait)
        assert token is not None  # noqa: S101 - nobody sets that event
        self.setup.sign_in(plex_tv, token)
        self._found("signed in")

    def _server(self) -> None:
        servers = self.setup.state.servers
        names = [server.name for server in servers]
        wanted = self._once("server", self.wishes.server)
        if not wanted and len(servers) > 1:
            if not self.asks:
                self._cannot_ask(f"which server: --server, one of {', '.join(names)}")
            wanted = str(click.prompt("Server", default=names[0], type=click.Choice(names), err=self._to_stderr))
        chosen = next((each for each in servers if each.name == wanted), servers[0] if not wanted else None)
        if chosen is None:
            raise click.UsageError(f"The account has no server {wanted!r}. It has: {', '.join(names)}.")
        self._say(f"Looking for {chosen.name}, at home first.")
        try:
            self.setup.choose_server(chosen.machine_identifier)
        except WHAT_CAN_GO_WRONG:
            if len(servers) == 1:
                self.setup.back(Step.PLEX)  # there is no other to choose
            raise
        self._found_plex()

    def _libraries(self) -> None:
        self._title("Libraries")
        plex = self.setup.state.plex
        assert plex is not None  # noqa: S101 - the step before
        known = self.setup.loaded.settings.plex_libraries
        is_wished = not self._was_tried("libraries") and (bool(self.wishes.libraries) or self.wishes.all_libraries)
        wanted = self.wishes.libraries if is_wished else known
        if not is_wished and self._may_ask("plex_libraries"):
            self._say(f"Plex has: {', '.join(plex.libraries)}.")
            text = self._ask("Libraries to keep in sync, with commas", ", ".join(known) or ALL)
            wanted = () if text.casefold() == ALL else tuple(part.strip() for part in text.split(","))
        self.setup.choose_libraries(wanted)
        self._found(", ".join(self.setup.state.libraries or ()) or "all movie libraries, also those to come")

    def _look(self) -> None:
        self._title("Paths")
        self._say("Reading Plex's libraries.")
        self.setup.look()
        paths = self.setup.state.paths
        assert paths is not None  # noqa: S101 - what a step leaves
        self.console.print(f"  {_escaped(paths.finding)}")
        if not paths.proposed and paths.cure:
            self.console.print(f"  {_escaped(paths.cure)}")

    def _paths(self) -> None:
        paths = self.setup.state.paths
        assert paths is not None  # noqa: S101 - the step before
        self._say("Plex sees the files elsewhere. This path_map, Stash's folder => Plex's, would make them meet:")
        for rule in paths.proposed:
            self.console.print(f"    {_escaped(rule)}")
        take = not self.wishes.keeps_path_map
        if self._may_ask("path_map") and take:
            take = self._confirm("Take it?", default=True)
        self.setup.decide_paths(take=take)

    def _plan(self) -> None:
        self._title("Plan")
        view = BarView(self.console, "Planning") if self.console.is_terminal else None
        if view is None:
            lines = LineView()
            self.setup.make_plan(lambda _doing, done, total: lines.show(done, total - done))
            return
        with view:
            self.setup.make_plan(lambda _doing, done, total: view.show(done, max(0, total - done)))

    def _show_plan(self) -> None:
        plan = self.setup.state.plan
        assert plan is not None  # noqa: S101 - the steps have ended
        print_report(plan.coverage, stderr=self._to_stderr)
        self.console.print()
        self._print_scenes(islice(plan_file.scenes_in(plan.file), SCENES_SHOWN))
        more = plan.totals.verdicts[Verdict.CHANGE] - SCENES_SHOWN
        if more > 0:
            self.console.print(f"  … and {counted(more, 'scene')} more")
        self.console.print(summary(plan.totals))
        if more > 0 and self.asks and not self.wishes.yes and self._confirm("Show all of it?", default=False):
            self._print_scenes(plan_file.scenes_in(plan.file))

    def _print_scenes(self, scenes: Iterable[PlannedScene]) -> None:
        for scene in scenes:
            for line in scene_lines(scene):
                self.console.print(line)

    # -- asking and saying --------------------------------------------------------------------------------------------

    def _may_ask(self, key: str) -> bool:
        """Say whether a question about a setting has somebody to answer it and could change anything."""
        return self.asks and not self.wishes.yes and key not in self.setup.fixed

    def _once(self, name: str, wish: str) -> str:
        """Return what an option says, the first time: what did not work is asked for then. Raises SettingsError."""
        if not wish or self._was_tried(name):
            return ""
        if name in self.setup.fixed:
            origin = self.setup.fixed[name]
            raise SettingsError([f"{name} is set by {origin}, which wins over {self.setup.file}. Change it there."])
        return wish

    def _was_tried(self, name: str) -> bool:
        was_tried = name in self._tried
        self._tried.add(name)
        return was_tried

    def _cannot_ask(self, what: str) -> NoReturn:
        raise click.UsageError(f"Nobody can be asked here, so say {what}.")

    def _ask(self, question: str, default: str) -> str:
        return str(click.prompt(question, default=default, err=self._to_stderr)).strip()

    def _ask_address(self, question: str, default: str) -> str:
        """Ask for an address until it looks like one; what does not may be a secret, so it is not repeated."""
        while not (url := self._ask(question, default)).casefold().startswith(("http://", "https://")):
            self._refuse(f"This is no address: one begins with http:// or https://, such as {default}")
        return url

    def _secret(self, question: str, default: str | None = None) -> str:
        """Ask for what nobody may read over a shoulder."""
        asked = f"{question} (it is not shown)"
        answer = click.prompt(asked, default, hide_input=True, show_default=False, err=self._to_stderr)
        return str(answer).strip()

    def _confirm(self, question: str, *, default: bool) -> bool:
        return click.confirm(question, default=default, err=self._to_stderr)

    def _title(self, text: str) -> None:
        """Say what it is about now, once: not again when something is asked again."""
        if text != self._told_title:
            self._told_title = text
            self.console.print(f"\n[bold]{text}[/]")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False)

    def _refuse(self, text: str) -> None:
        self.console.print(f"  [red]no[/]  {_escaped(text)}")

    def _found(self, text: str) -> None:
        self.console.print(f"  [green]ok[/]  {_escaped(text)}")

    def _found_plex(self) -> None:
        plex = self.setup.state.plex
        if plex is not None:
            self._found(f"{plex.name or 'Plex'} {plex.version} at {plex.url}")


def somebody_is_there() -> bool:
    """Say whether questions can be asked: both ends are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _escaped(text: str) -> str:
    """Return text that means itself to rich."""
    return text.replace("[", r"\[")
