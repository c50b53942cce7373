"""Failures on demand: the next few GraphQL requests get what a person asked for instead of an answer."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from scenesync.simulators.http_server import Answer, Reset, Response
from scenesync.simulators.stash import go_json


@dataclass(frozen=True, slots=True)
class _Fault:
    remaining: int
    answer: Answer
    operation: str | None


class Faults:
    """A row of planned failures; each request uses up one of the first that fits it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[_Fault] = []

    def plan(self, times: int, answer: Answer, operation: str | None) -> None:
        """Fail ``times`` requests; with ``operation`` only those of that operation or root field."""
        with self._lock:
            self._planned.append(_Fault(times, answer, operation))

    def clear(self) -> None:
        """Forget what is still planned."""
        with self._lock:
            self._planned.clear()

    def take(self, names: tuple[str, ...]) -> Answer | None:
        """Return the failure that the request with these names gets, if any."""
        with self._lock:
            for index, fault in enumerate(self._planned):
                if fault.operation is None or fault.operation in names:
                    if fault.remaining <= 1:
                        del self._planned[index]
                    else:
                        self._planned[index] = replace(fault, remaining=fault.remaining - 1)
                    return fault.answer
        return None


def failure(*, status: int | None, reset: bool, graphql_error: str | None) -> Answer:
    """Return the answer for exactly one kind of failure. Raises :class:`ValueError` otherwise."""
    if [status is not None, reset, graphql_error is not None].count(True) != 1:
        raise ValueError("Say one of status, reset and graphql_error.")
    if reset:
        return Reset()
    if graphql_error is not None:
        body = go_json.encode({"errors": [{"message": graphql_error}], "data": None})
        return Response(200, body, (("Content-Type", "application/json"),))
    return Response(status or 500, b"failed on purpose\n", (("Content-Type", "text/plain; charset=utf-8"),))
