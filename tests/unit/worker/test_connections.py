"""Plex's and Stash's connections and the gate before them, with servers that answer as told."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from scenesync.domain.errors import LibraryNotFound, NeedsPerson, StashRefused, StashUnauthorized, StashUnavailable
from scenesync.domain.item import ServerIdentity
from scenesync.plex.exceptions import PlexServerDown, PlexTemporaryError, PlexUnauthorized
from scenesync.worker.availability import gate as gate_module
from scenesync.worker.availability import plex_connection, stash_connection
from scenesync.worker.availability.gate import Gate
from scenesync.worker.availability.health import HealthListener
from scenesync.worker.availability.pacing import Pacing
from scenesync.worker.availability.plex_connection import PlexConnection, PlexSession
from scenesync.worker.availability.stash_connection import StashConnection
from scenesync.worker.circuit_breaker import CircuitBreaker, CircuitInMemory, CircuitState

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.domain.ports import MediaServer

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
DOWN = PlexServerDown("refused")
IDENTITY = ServerIdentity("a" * 40, "1.43.0")


class Plex:
    """Answers the probe and the look at its libraries, or fails with the error it was given."""

    def __init__(self) -> None:
        self.probe_error: Exception | None = None
        self.look_error: Exception | None = None
        self.probes = self.looks = 0
        self.during_probe: Callable[[], None] = lambda: None
        self.during_look: Callable[[], None] = lambda: None

    def identity(self) -> ServerIdentity:
        self.probes += 1
        self.during_probe()
        if self.probe_error is not None:
            raise self.probe_error
        return IDENTITY

    def refresh(self) -> None:
        self.looks += 1
        self.during_look()
        if self.look_error is not None:
            raise self.look_error


class Health(HealthListener):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def plex_up(self) -> None:
        self.told.append("plex up")

    def plex_answers(self) -> None:
        self.told.append("plex answers")

    def refused(self, service: str, error: Exception) -> None:
        self.told.append(f"{service} refuses: {error}")

    def plex_down(self, cause: str) -> None:
        self.told.append(f"plex down: {cause}")

    def stash_up(self) -> None:
        self.told.append("stash up")

    def stash_down(self, cause: str) -> None:
        self.told.append(f"stash down: {cause}")


class PlexWorld:
    """A connection to such a Plex, and what it tells."""

    def __init__(
        self, *, threshold: int = 5, on_change: Callable[[CircuitState, CircuitState], None] | None = None
    ) -> None:
        self.plex = Plex()
        self.health = Health()
        self.keeper = CircuitInMemory()
        self.breaker = CircuitBreaker(threshold, keeper=self.keeper, on_change=on_change)
        self.recoveries = 0
        self.connection = PlexConnection(
            cast("MediaServer", self.plex),
            self.breaker,
            lambda identity: PlexSession(identity, cast("Any", self.plex), *(cast("Any", None),) * 5),
            health=self.health,
            on_recovery=self.recover,
        )

    def recover(self) -> None:
        self.recoveries += 1

    def ready_in_time(self, within_s: float = 3.0) -> PlexSession | None:
        """Ask as the loop does, until there is a session or the time is over."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            session = self.connection.ready()
            if session is not None:
                return session
            time.sleep(min(0.05, max(0.005, self.connection.next_probe_in_s() or 0.0)))
        return None

    def answer_in_vain(self) -> None:
        """Answer the probe and then fail, until that was noticed."""
        self.plex.look_error = PlexTemporaryError("500")
        looks = self.plex.looks
        while self.plex.looks == looks:
            assert self.connection.ready() is None
            time.sleep(0.005)

    def go_down(self) -> None:
        """Fail until the circuit is open."""
        self.plex.probe_error = DOWN
        self.connection.suspect(DOWN)
        while self.breaker.state is not OPEN:
            self.connection.ready()
            time.sleep(0.01)


def fail_side_by_side(world: PlexWorld) -> None:
    """Let as many jobs fail as it takes to open the circuit, before any probe does."""
    for _ in range(5):
        world.breaker.record_failure()
        world.connection.suspect(DOWN)


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (plex_connection, stash_connection):
        monkeypatch.setattr(module, "FIRST_PROBE_AFTER_S", 0.02)
        monkeypatch.setattr(module, "SLOWEST_PROBE_S", 0.04)


class TestPlex:
    def test_the_first_look_makes_the_session_and_is_no_outage(self) -> None:
        world = PlexWorld()
        assert world.connection.ready() is not None
        assert (world.plex.probes, world.plex.looks) == (1, 1)
        assert (world.health.told, world.recoveries) == (["plex up"], 0)

    def test_while_all_is_well_nobody_is_asked(self) -> None:
        world = PlexWorld()
        for _ in range(50):
            assert world.connection.ready() is not None
        assert world.plex.probes == 1

    def test_a_suspicion_that_does_not_hold_is_no_outage(self) -> None:
        world = PlexWorld()
        world.connection.ready()
        world.connection.suspect(DOWN)
        assert world.connection.ready() is not None
        assert (world.plex.probes, world.recoveries) == (2, 0)
        assert not any("down" in told for told in world.health.told)

    def test_an_outage_is_told_once_and_its_end_once(self) -> None:
        world = PlexWorld()
        world.connection.ready()
        world.go_down()
        world.plex.probe_error = None
        assert world.ready_in_time() is not None
        assert world.health.told == ["plex up", "plex down: refused", "plex up"]
        assert world.recoveries == 1
        assert world.connection.down_for_s() == 0.0
        assert world.connection.next_probe_in_s() is None

    def test_an_outage_that_opened_the_circuit_before_the_first_probe_is_told_too(self) -> None:
        world = PlexWorld()
        world.connection.ready()
        world.plex.probe_error = DOWN
        fail_side_by_side(world)
        world.connection.ready()
        assert world.health.told == ["plex up", "plex down: refused"]
        world.plex.probe_error = None
        assert world.ready_in_time() is not None
        assert world.health.told[2:] == ["plex up"]
        assert world.recoveries == 1

    def test_an_outage_that_opened_the_circuit_and_is_over_at_the_first_probe_is_told_too(self) -> None:
        world = PlexWorld()
        world.connection.ready()
        world.plex.probe_error = None
        fail_side_by_side(world)
        assert world.connection.ready() is not None
        assert world.health.told == ["plex up", "plex down: refused", "plex up"]
        assert world.recoveries == 1

    def test_an_outage_that_opens_the_circuit_while_plex_is_asked_is_told_too(self) -> None:
        world = PlexWorld()
        world.connection.ready()
        world.connection.suspect(DOWN)
        world.plex.during_probe = lambda: fail_side_by_side(world)
        assert world.ready_in_time() is not None
        assert world.health.told == ["plex up", "plex down: refused", "plex up"]
        assert world.recoveries == 1

    def test_a_suspicion_that_comes_up_during_the_probe_is_looked_into(self) -> None:
        world = PlexWorld()
        world.plex.during_look = lambda: world.connection.suspect(DOWN)
        world.connection.ready()
        world.plex.during_look = lambda: None
        world.connection.ready()
        assert world.plex.probes == 2

    def test_an_open_circuit_left_by_an_earlier_process_is_an_outage_that_ends(self) -> None:
        world = PlexWorld(threshold=1)
        world.breaker.record_failure()
        assert world.ready_in_time() is not None
        assert (world.recoveries, world.breaker.state) == (1, CLOSED)

    def test_a_server_that_answers_but_not_usefully_is_an_outage_with_its_reason(self) -> None:
        world = PlexWorld(threshold=1)
        world.connection.ready()
        world.breaker.record_failure()
        world.plex.look_error = PlexTemporaryError("500")
        assert world.ready_in_time(0.3) is None
        assert world.health.told[1] == "plex down: several requests in a row failed"
        world.plex.look_error = None
        assert world.ready_in_time() is not None
        assert world.recoveries == 1

    def test_a_server_that_answers_in_vain_moves_the_circuit_once_and_not_at_every_probe(self) -> None:
        moves: list[tuple[CircuitState, CircuitState]] = []
        world = PlexWorld(threshold=1, on_change=lambda old, new: moves.append((old, new)))
        world.connection.ready()
        world.breaker.record_failure()
        world.answer_in_vain()
        before, kept = len(moves), world.keeper.read()
        world.answer_in_vain()
        world.answer_in_vain()
        assert (len(moves), world.keeper.read()) == (before, kept)
        world.plex.look_error = None
        assert world.ready_in_time() is not None
        assert moves[-2:] == [(OPEN, HALF_OPEN), (HALF_OPEN, CLOSED)]
        assert world.recoveries == 1

    def test_one_that_answered_in_vain_and_then_refuses_takes_a_person(self) -> None:
        world = PlexWorld(threshold=1)
        world.breaker.record_failure()
        world.answer_in_vain()
        world.plex.look_error = PlexUnauthorized("401")
        with pytest.raises(NeedsPerson):
            world.ready_in_time()
        world.plex.look_error = None
        assert world.ready_in_time() is not None
        assert world.breaker.state is CLOSED

    def test_one_that_answered_in_vain_leaves_the_probe_to_the_process_that_has_it(self) -> None:
        world = PlexWorld(threshold=1)
        world.breaker.record_failure()
        world.answer_in_vain()

        def others_begin_to_probe() -> None:
            world.breaker.allow_probe()
            world.breaker.try_acquire()

        world.plex.look_error, world.plex.during_look = None, others_begin_to_probe
        assert world.ready_in_time(0.2) is None
        assert world.breaker.state is HALF_OPEN

    def test_while_another_process_makes_the_probe_this_one_does_not(self) -> None:
        world = PlexWorld(threshold=1)
        world.breaker.record_failure()
        world.breaker.allow_probe()
        probe = world.breaker.try_acquire()
        assert probe is not None
        assert world.ready_in_time(0.2) is None
        assert world.plex.looks == 0
        world.breaker.record_success(probe)
        assert world.ready_in_time() is not None

    def test_a_circuit_closed_by_a_person_is_tried_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plex_connection, "FIRST_PROBE_AFTER_S", 60.0)
        monkeypatch.setattr(plex_connection, "SLOWEST_PROBE_S", 60.0)
        world = PlexWorld(threshold=1)
        world.plex.probe_error = DOWN
        assert world.connection.ready() is None
        world.plex.probe_error = None
        assert world.connection.ready() is None
        world.breaker.reset()
        assert world.connection.ready() is not None

    @pytest.mark.parametrize("refusal", [PlexUnauthorized("401"), LibraryNotFound("Cinema")], ids=["token", "library"])
    def test_a_refusal_ends_the_outage_and_gives_the_probe_back(self, refusal: Exception) -> None:
        world = PlexWorld()
        world.connection.ready()
        world.go_down()
        world.plex.probe_error, world.plex.look_error = None, refusal
        with pytest.raises(NeedsPerson):
            world.ready_in_time()
        assert world.health.told[-1] == "plex answers"
        assert world.breaker.try_acquire() is not None
        before = list(world.health.told)
        world.connection.ready()  # the circuit is still half-open, and another makes the probe
        assert world.health.told == before

    def test_a_bug_in_the_look_does_not_keep_the_probe(self) -> None:
        world = PlexWorld(threshold=1)
        world.breaker.record_failure()
        world.plex.look_error = ValueError("a bug")
        with pytest.raises(ValueError, match="a bug"):
            world.connection.ready()
        assert world.breaker.try_acquire() is not None

    def test_many_threads_may_suspect_while_the_loop_asks(self) -> None:
        world = PlexWorld()
        stop = threading.Event()

        def suspect() -> None:
            while not stop.is_set():
                world.connection.suspect(DOWN)
                time.sleep(0.0005)

        threads = [threading.Thread(target=suspect) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline:
                assert world.connection.ready() is not None
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        world.connection.ready()
        probes = world.plex.probes
        world.connection.ready()
        assert world.plex.probes == probes
        assert world.recoveries == 0


class Stash:
    """Answers the probe, or fails with the error it was given."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.probes = 0

    def probe(self) -> None:
        self.probes += 1
        if self.error is not None:
            raise self.error


class StashWorld:
    def __init__(self) -> None:
        self.stash = Stash()
        self.health = Health()
        self.breaker = CircuitBreaker(failure_threshold=1)
        self.connection = StashConnection(self.breaker, self.stash.probe, health=self.health)

    def ready_in_time(self, within_s: float = 3.0) -> bool:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if self.connection.ready():
                return True
            time.sleep(0.005)
        return False


UNAVAILABLE = StashUnavailable("no connections")


class TestStash:
    def test_while_all_is_well_it_is_not_probed(self) -> None:
        world = StashWorld()
        for _ in range(20):
            assert world.connection.ready()
            world.connection.answered()
        assert (world.stash.probes, world.health.told) == (0, ["stash up"])

    def test_one_failure_stops_the_questions_and_the_probe_finds_the_end(self) -> None:
        world = StashWorld()
        world.stash.error = UNAVAILABLE
        for _ in range(16):  # a batch of jobs that met the same
            world.connection.failed(UNAVAILABLE)
        assert not world.ready_in_time(0.3)
        assert world.breaker.state is OPEN
        assert world.stash.probes >= 3
        world.stash.error = None
        assert world.ready_in_time()
        world.connection.answered()
        assert world.health.told == ["stash down: no connections", "stash up"]
        assert world.connection.down_for_s() == 0.0

    def test_an_answer_that_is_an_error_is_still_an_answer(self) -> None:
        world = StashWorld()
        world.connection.failed(UNAVAILABLE)
        world.stash.error = StashRefused("no such field")
        assert world.ready_in_time()

    def test_a_refused_key_takes_a_person(self) -> None:
        world = StashWorld()
        world.connection.failed(UNAVAILABLE)
        world.stash.error = StashUnauthorized("key refused")
        with pytest.raises(StashUnauthorized):
            world.ready_in_time()

    def test_one_that_answers_the_probe_and_nothing_else_is_asked_less_and_less(self) -> None:
        world = StashWorld()
        begun = time.monotonic()
        for _ in range(5):
            world.connection.failed(UNAVAILABLE)
            assert world.ready_in_time()
        assert time.monotonic() - begun > 0.02 * (2 + 4 + 8)
        assert world.health.told == ["stash down: no connections"]
        assert world.connection.down_for_s() > 0

    def test_without_further_questions_the_probe_decides_after_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stash_connection, "TRIAL_S", 0.05)
        world = StashWorld()
        world.connection.failed(UNAVAILABLE)
        assert world.ready_in_time()
        time.sleep(0.06)
        assert world.connection.ready()
        assert world.health.told == ["stash down: no connections", "stash up"]

    def test_without_a_probe_time_lets_the_next_question_through(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stash_connection, "RETRY_WITHOUT_PROBE_S", 0.1)
        connection = StashConnection()
        connection.failed(UNAVAILABLE)
        assert not connection.ready()
        time.sleep(0.12)
        assert connection.ready()
        connection.answered()
        assert connection.next_probe_in_s() is None


class TestGate:
    def test_refusals_of_many_threads_are_told_once(self, caplog: pytest.LogCaptureFixture) -> None:
        world = PlexWorld()
        gate = Gate(world.connection, world.breaker)
        assert gate.session() is not None
        assert not gate.is_refused
        threads = [
            threading.Thread(target=gate.note, args=(PlexUnauthorized(f"GET /x/{number}: 401"),)) for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert caplog.text.count("paused until the settings change") == 1
        assert gate.session() is None
        assert gate.is_refused
        assert (world.breaker.state, world.breaker.failure_count) == (CLOSED, 0)

    def test_a_refusal_is_tried_again_in_time_and_a_new_one_after_success_is_told_again(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(gate_module, "RETRY_REFUSED_EVERY_S", 0.05)
        world = PlexWorld()
        gate = Gate(world.connection, world.breaker)
        for _ in range(3):
            gate.note(PlexUnauthorized("401"))
            assert gate.session() is None
            gate.note(None)  # of a call that began before
            time.sleep(0.06)
            assert gate.session() is not None
        assert caplog.text.count("paused until") == 1
        gate.note(None)
        gate.note(PlexUnauthorized("401"))
        assert caplog.text.count("paused until") == 2

    def test_a_refusal_is_noted_until_plex_was_asked_again_and_accepts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gate_module, "RETRY_REFUSED_EVERY_S", 0.05)
        world = PlexWorld()
        gate = Gate(world.connection, world.breaker, health=world.health)
        assert gate.session() is not None
        gate.note(PlexUnauthorized("401"))
        world.plex.look_error = PlexUnauthorized("401 again")
        time.sleep(0.06)
        assert gate.session() is None  # without a job that had to find out
        world.plex.look_error = None
        time.sleep(0.06)
        assert gate.session() is not None
        assert world.health.told == ["plex up", "plex refuses: 401", "plex refuses: 401 again", "plex up"]

    def test_stash_is_asked_again_before_it_is_asked_for_scenes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gate_module, "RETRY_REFUSED_EVERY_S", 0.05)
        world, stash = PlexWorld(), StashWorld()
        gate = Gate(world.connection, world.breaker, stash=stash.connection, health=stash.health)
        assert gate.session() is not None
        gate.note(StashUnauthorized("check stash_api_key"))
        stash.stash.error = StashUnauthorized("still")
        time.sleep(0.06)
        assert gate.session() is None
        stash.stash.error = None
        time.sleep(0.06)
        assert gate.session() is not None
        assert stash.stash.probes == 2
        assert stash.health.told == ["stash refuses: check stash_api_key", "stash refuses: still", "stash up"]

    def test_a_doubted_stash_that_is_down_opens_its_circuit(self) -> None:
        stash = StashWorld()
        stash.connection.doubt()
        stash.stash.error = UNAVAILABLE
        assert not stash.connection.ready()
        assert stash.health.told == ["stash down: no connections"]

    def test_a_run_that_waits_for_nobody_notes_no_pause(self) -> None:
        world = PlexWorld()
        gate = Gate(world.connection, world.breaker, health=world.health, unreachable_for_s=1.0)
        gate.note(PlexUnauthorized("401"))
        with pytest.raises(NeedsPerson):
            gate.session()
        assert world.health.told == []

    def test_errors_slow_down_a_recovery_and_nothing_else(self) -> None:
        world = PlexWorld()
        pacing = Pacing(30.0)
        gate = Gate(world.connection, world.breaker, pacing=pacing)
        gate.note(PlexTemporaryError("500"))
        assert gate.may_begin(16) == 16
        pacing.outage_ended()
        assert gate.may_begin(16) == 1
        gate.begun(1)
        assert gate.may_begin(16) == 0

    def test_both_servers_are_watched_whichever_is_down(self) -> None:
        world = PlexWorld()
        stash = StashWorld()
        stash.stash.error = UNAVAILABLE
        stash.connection.failed(UNAVAILABLE)
        world.plex.probe_error = DOWN
        gate = Gate(world.connection, world.breaker, stash=stash.connection)
        for _ in range(10):
            assert gate.session() is None
            time.sleep(min(gate.pause_s(), 0.05))
        assert world.plex.probes >= 3
        assert stash.stash.probes >= 3
