"""A set-up as the first-run page works with it: one answer at a time, long work in a thread.

Implements ``web.first_run.ports.SetUpDesk``.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from scenesync.app.dashboard.plan_pages import page_of_plan
from scenesync.app.setup.setting_up import WHAT_CAN_GO_WRONG, words_of
from scenesync.app.setup.state import ASKED, Step, next_step
from scenesync.app.wording.counting import counted
from scenesync.app.wording.plan import summary
from scenesync.web.first_run.ports import Doing, FoundServer, Paths, PlanShown, SetUpView
from scenesync.web.models.scenes import Coverage
from scenesync.web.models.work import PlanTotals
from scenesync.web.problems import Conflict, Unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenesync.app.setup.setting_up import SetUp
    from scenesync.app.setup.state import FirstPlan, FoundPaths, FoundPlex, FoundStash

log = logging.getLogger(__name__)

SCENES_SHOWN: Final = 20
ENDS_WITHIN_S: Final = 5.0
_BY_ITSELF: Final = (Step.LOOK, Step.PLAN)
"""What needs no answer."""
_UNTIL_DONE: Final = tuple(step for step in Step if step is not Step.DONE)
ASKS_AGAIN: Final = frozenset({Step.STASH, Step.PLEX, Step.SERVER, Step.LIBRARIES, Step.PATHS, Step.PLAN})
_SECRETS: Final = ("stash_api_key", "plex_token")


class Stopped(Exception):
    """Somebody ended what went on."""


class FirstRunDesk:
    """The only one who touches the set-up: an answer while something goes on, or to another step, is a Conflict."""

    def __init__(self, setup: SetUp) -> None:
        self.was_told = threading.Event()
        """The page that says that all is done was shown."""
        self._setup = setup
        self._busy = threading.Lock()
        self._doing: Doing | None = None
        self._problem = ""
        self._ends = threading.Lock()
        """Held to begin long work and to end it, so that neither misses the other."""
        self._is_closed = False
        self._cancelled = threading.Event()
        """Of the work that goes on; each has its own."""
        self._worker: threading.Thread | None = None
        self._plan: tuple[FirstPlan, PlanShown] | None = None

    @property
    def is_done(self) -> bool:
        """Whether the settings were written."""
        return self._setup.state.is_written

    def view(self) -> SetUpView:
        """Return how far it is."""
        setup, state = self._setup, self._setup.state
        return SetUpView(
            step=next_step(state).value,
            settings_file=str(setup.file),
            suggested=self._suggested(),
            fixed=setup.fixed,
            doing=self._doing,
            problem=self._problem,
            stash=None if state.stash is None else _stash_shown(state.stash),
            plex=None if state.plex is None else _plex_shown(state.plex),
            servers=tuple((server.machine_identifier, server.name) for server in state.servers),
            offered_libraries=() if state.plex is None else state.plex.libraries,
            libraries=state.libraries,
            paths=None if state.paths is None else self._paths_shown(state.paths),
            plan=None if state.plan is None else self._shown(state.plan),
        )

    def stash(self, url: str, api_key: str) -> None:
        """Try Stash there; empty leaves what is known."""
        self._answer(lambda: self._setup.try_stash(url or None, api_key or None), Step.STASH)

    def plex(self, url: str, token: str) -> None:
        """Try Plex there; empty leaves what is known."""
        self._answer(lambda: self._setup.try_plex(url or None, token or None), Step.PLEX)

    def sign_in(self) -> None:
        """Begin to sign in at plex.tv; the rest happens by itself, up to the choice of a server if there is one."""
        with self._turn(Step.PLEX) as turn:
            self._begin("Asking plex.tv", self._signing_in)
            turn.pop_all()

    def server(self, machine_identifier: str) -> None:
        """Take one of the account's servers."""
        self._answer(lambda: self._setup.choose_server(machine_identifier), Step.SERVER)

    def libraries(self, names: Sequence[str]) -> None:
        """Take these libraries, all for none, and go on to look at the paths."""
        self._answer(lambda: self._setup.choose_libraries(names), Step.LIBRARIES, goes_on=True)

    def paths(self, *, take: bool) -> None:
        """Take the proposed path map or not, and go on to the plan."""
        self._answer(lambda: self._setup.decide_paths(take=take), Step.PATHS, goes_on=True)

    def again(self) -> None:
        """Do once more what failed."""
        self._answer(lambda: None, *_BY_ITSELF, goes_on=True)

    def stop(self) -> None:
        """Cancel what goes on, and wait for that."""
        with self._ends:
            self._cancelled.set()
            worker = self._worker
        if worker is not None:
            worker.join(ENDS_WITHIN_S)

    def close(self) -> None:
        """End what goes on, for good: nothing can be begun any more."""
        with self._ends:
            self._is_closed = True
        self.stop()

    def back(self, step: str) -> None:
        """Ask a step again."""
        if step not in ASKS_AGAIN:
            raise Unusable("There is no such step.", code="invalid-request")
        # Only a plan is made anew without an answer.
        self._answer(lambda: self._setup.back(Step(step)), *_UNTIL_DONE, goes_on=step == Step.PLAN)

    def start(self) -> None:
        """Write the settings, now that the plan was seen."""
        self._answer(self._setup.write, Step.START)

    def told(self) -> None:
        """Hear that the last page was shown."""
        self.was_told.set()

    # -- one thing at a time ------------------------------------------------------------------------------------------

    @contextmanager
    def _turn(self, *steps: Step) -> Iterator[ExitStack]:
        """Have the set-up alone, at one of these steps; who takes the stack over gives it back. Raises Conflict."""
        if not self._busy.acquire(blocking=False):
            raise Conflict("Something goes on. Wait for it, or cancel it.")
        with ExitStack() as turn:
            turn.callback(self._busy.release)
            # Not before: what went on a moment ago may have led elsewhere.
            if next_step(self._setup.state) not in steps:
                raise Conflict("This was answered already, or something else comes first. Load the page again.")
            yield turn

    def _answer(self, action: Callable[[], object], *steps: Step, goes_on: bool = False) -> None:
        """Do something short, and begin what comes by itself after it; what goes wrong is shown. Raises Conflict."""
        with self._turn(*steps) as turn:
            self._do(action)
            if goes_on and not self._problem and next_step(self._setup.state) in _BY_ITSELF:
                self._begin("Reading Plex's libraries", self._looking)
                turn.pop_all()

    def _begin(self, text: str, action: Callable[[], object]) -> None:
        """Do something long in a thread, which ends the turn, and show how it gets on. Raises Conflict once closed."""

        def run() -> None:
            try:
                self._do(action)
            finally:
                self._doing = None
                self._busy.release()

        with self._ends:
            if self._is_closed:
                raise Conflict("SceneSync is ending. Start it again to go on.")
            self._cancelled = threading.Event()
            self._problem, self._doing = "", Doing(text)
            worker = threading.Thread(target=run, name="set-up", daemon=True)
            worker.start()
            self._worker = worker

    def _do(self, action: Callable[[], object]) -> None:
        self._problem = ""
        try:
            action()
        except Stopped:
            log.info("stopped by the person who sets up")
        except WHAT_CAN_GO_WRONG as error:
            self._problem = words_of(error)
        except Exception:
            log.exception("the set-up failed")
            self._problem = "This is a fault of SceneSync; its log has the details."

    def _looking(self) -> None:
        setup = self._setup
        if next_step(setup.state) is Step.LOOK:
            setup.look()
        if next_step(setup.state) is Step.PLAN:
            setup.make_plan(self._progress)

    def _progress(self, text: str, done: int, total: int) -> None:
        if self._cancelled.is_set():
            raise Stopped
        self._doing = Doing(text, done, total)

    def _signing_in(self) -> None:
        setup = self._setup
        plex_tv = setup.plex_tv()
        pin = plex_tv.begin()
        self._doing = Doing("Waiting for you to sign in", link=plex_tv.link(pin))
        token = plex_tv.wait(pin, self._cancelled.wait)
        if token is None:
            raise Stopped
        self._doing = Doing("Looking for your server")
        setup.sign_in(plex_tv, token)
        if len(setup.state.servers) == 1:
            setup.choose_server(setup.state.servers[0].machine_identifier)

    # -- showing ------------------------------------------------------------------------------------------------------

    def _suggested(self) -> dict[str, str]:
        """Return what the fields begin with; of a secret only whether there is one."""
        settings = self._setup.loaded.settings
        found: dict[str, str] = {}
        for key in ASKED:
            value = getattr(settings, key)
            if key in _SECRETS:
                found[key] = "known" if value is not None else ""
            elif isinstance(value, tuple):
                found[key] = ", ".join(map(str, value)) if key == "plex_libraries" else ""
            else:
                found[key] = value or ""
        return {**found, **self._setup.tried}

    def _paths_shown(self, paths: FoundPaths) -> Paths:
        return Paths(paths.finding, paths.cure, paths.proposed, self._setup.path_map())

    def _shown(self, plan: FirstPlan) -> PlanShown:
        """Return the plan in the page's terms, made once."""
        if self._plan is None or self._plan[0] is not plan:
            coverage = Coverage.model_validate({**plan.coverage.as_document(), "made_at": None})
            totals = PlanTotals.model_validate(plan.totals.as_document())
            scenes = page_of_plan(plan.file, after=0, limit=SCENES_SHOWN).items if totals.change else []
            self._plan = plan, PlanShown(summary(plan.totals), totals, coverage, scenes, str(plan.file))
        return self._plan[1]


def _stash_shown(stash: FoundStash) -> FoundServer:
    return FoundServer(stash.url, f"{stash.version}, {counted(stash.scenes, 'scene')}")


def _plex_shown(plex: FoundPlex) -> FoundServer:
    return FoundServer(plex.url, f"{plex.name} {plex.version}".strip())
