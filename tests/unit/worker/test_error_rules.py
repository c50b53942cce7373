from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from scenesync.domain import errors
from scenesync.domain.errors import (
    AmbiguousMatch,
    AttemptCut,
    EditIgnored,
    ImageTooLarge,
    ImageUnusable,
    LeaseLost,
    LibraryNotFound,
    PermanentError,
    SceneGone,
    SceneSkipped,
    StashRefused,
    StashUnauthorized,
    StashUnavailable,
    TransientError,
)
from scenesync.plex import exceptions
from scenesync.plex.exceptions import (
    PlexBusy,
    PlexNotFound,
    PlexPermanentError,
    PlexServerDown,
    PlexTemporaryError,
    PlexTransientError,
    PlexUnauthorized,
)
from scenesync.worker.decision import retry_limit
from scenesync.worker.error_rules import RULES, Treatment, rule_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

RETRY, WAIT, BURY, FINISH = Treatment.RETRY, Treatment.WAIT, Treatment.BURY, Treatment.FINISH

BASES = {PlexTransientError}
"""What the Plex errors have in common; nothing is raised as one of these alone."""

OF_NO_ATTEMPT = {errors.NeedsPerson}
"""What ends a command, and never an attempt at a job."""

SETTING = 7
"""A value of max_retries that no row has of its own."""


def error_classes(module: ModuleType) -> Iterator[type[Exception]]:
    for _, found in inspect.getmembers(module, inspect.isclass):
        if issubclass(found, Exception) and found.__module__ == module.__name__ and found not in OF_NO_ATTEMPT:
            yield found


ALL_CLASSES = [*error_classes(errors), *error_classes(exceptions)]


class TestTheTable:
    @pytest.mark.parametrize(
        ("error", "retries", "base_s", "cap_s", "opens_breaker"),
        [
            (PlexTemporaryError, SETTING, 5, 80, True),
            (PlexBusy, 12, 5, 300, False),
            (PlexNotFound, 12, 30, 600, False),
            (ImageUnusable, SETTING, 5, 80, False),
            (TransientError, SETTING, 5, 80, False),
            (ValueError, SETTING, 5, 80, False),
        ],
    )
    def test_errors_that_may_pass_are_retried(
        self, *, error: type[Exception], retries: int, base_s: float, cap_s: float, opens_breaker: bool
    ) -> None:
        rule = rule_for(error("x"))
        assert rule.treatment is RETRY
        assert retry_limit(error("x"), SETTING) == retries
        assert (rule.base_s, rule.cap_s) == (base_s, cap_s)
        assert rule.opens_breaker is opens_breaker

    @pytest.mark.parametrize(
        ("error", "treatment", "opens_breaker"),
        [
            (PlexServerDown, WAIT, True),
            (PlexUnauthorized, WAIT, False),
            (StashUnavailable, WAIT, False),
            (StashUnauthorized, WAIT, False),
            (LibraryNotFound, WAIT, False),
            (AttemptCut, WAIT, False),
            (ImageTooLarge, BURY, False),
            (PlexPermanentError, BURY, False),
            (AmbiguousMatch, BURY, False),
            (EditIgnored, BURY, False),
            (StashRefused, BURY, False),
            (PermanentError, BURY, False),
            (SceneGone, FINISH, False),
            (SceneSkipped, FINISH, False),
            (LeaseLost, FINISH, False),
        ],
    )
    def test_all_others_use_up_no_retry(
        self, *, error: type[Exception], treatment: Treatment, opens_breaker: bool
    ) -> None:
        rule = rule_for(error("x"))
        assert rule.treatment is treatment
        assert rule.max_retries == 0
        assert rule.opens_breaker is opens_breaker

    def test_only_an_unreachable_or_useless_plex_opens_its_breaker(self) -> None:
        assert {rule.error for rule in RULES if rule.opens_breaker} == {PlexServerDown, PlexTemporaryError}

    def test_no_error_has_two_rows(self) -> None:
        assert len({rule.error for rule in RULES}) == len(RULES)

    def test_whoever_finds_a_dead_letter_of_a_known_error_is_told_what_would_help(self) -> None:
        general = {PermanentError, TransientError}
        speechless = {rule.error for rule in RULES if rule.treatment in {RETRY, BURY} and not rule.advice}
        assert speechless <= general


class TestEveryErrorClass:
    @pytest.mark.parametrize("error", ALL_CLASSES)
    def test_it_is_made_from_one_message_alone_and_keeps_it(self, error: type[Exception]) -> None:
        assert "harbour 42" in str(error("harbour 42"))

    @pytest.mark.parametrize("error", ALL_CLASSES)
    def test_it_says_whether_it_may_pass(self, error: type[Exception]) -> None:
        assert issubclass(error, TransientError) is not issubclass(error, PermanentError)

    @pytest.mark.parametrize("error", [error for error in ALL_CLASSES if error not in BASES])
    def test_it_has_a_row_of_its_own(self, error: type[Exception]) -> None:
        assert rule_for(error("x")).error is error

    @pytest.mark.parametrize("error", [error for error in ALL_CLASSES if error not in BASES])
    def test_an_error_that_stays_is_never_retried_by_itself(self, error: type[Exception]) -> None:
        rule = rule_for(error("x"))
        if issubclass(error, PermanentError):
            assert rule.treatment is not RETRY
            assert not rule.opens_breaker

    def test_both_modules_were_looked_through(self) -> None:
        assert {PlexBusy, PlexServerDown, SceneGone, TransientError} <= set(ALL_CLASSES)

    def test_an_error_keeps_the_facts_that_a_person_needs(self) -> None:
        assert AmbiguousMatch("x", candidates=["10", "11"]).candidates == ("10", "11")
        assert EditIgnored("x", fields=["title"]).fields == ("title",)
        assert "Films, Concerts" in str(LibraryNotFound("Flims", existing=["Films", "Concerts"]))
        assert PlexTemporaryError("x", status=429, retry_after_s=7.0).retry_after_s == 7.0
        assert PlexPermanentError("x", status=403).status == 403


class TestTheMostSpecificRowCounts:
    def test_a_refused_key_is_not_any_refusal(self) -> None:
        assert rule_for(StashUnauthorized("x")).treatment is WAIT
        assert rule_for(StashRefused("x")).treatment is BURY

    def test_a_kind_of_error_without_a_row_has_that_of_its_parent(self) -> None:
        class NotFoundYet(PlexNotFound):
            pass

        assert rule_for(NotFoundYet("x")).error is PlexNotFound
        assert rule_for(PlexTransientError("x")).error is TransientError

    @pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError(), KeyboardInterrupt()])
    def test_anything_else_is_a_bug(self, error: BaseException) -> None:
        rule = rule_for(error)
        assert rule.error is Exception
        assert "bug" in rule.advice
