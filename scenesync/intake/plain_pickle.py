"""Read plain values out of a pickle without unpickling it: nothing in it can be called, named or looked up.

Python's own reader runs whatever a pickle says; even one that refuses every name can be made to use up the memory. This
one knows the few instructions that build texts, numbers, lists and dictionaries, and refuses a pickle with any other.
"""

from __future__ import annotations

import pickletools
from typing import Any, Final

LARGEST_BYTES: Final = 1024 * 1024
MOST_INSTRUCTIONS: Final = 100_000

_MARK: Final = object()
_VALUES: Final = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
})  # fmt: skip
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES: Final = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_IGNORED: Final = frozenset({"PROTO", "FRAME"})


class NotPlain(ValueError):
    """A pickle is damaged, too large, or holds more than plain values; the text says which, without quoting it."""


def read_plain(data: bytes) -> object:
    """Return the value that a pickle holds: texts, numbers, None, and lists, tuples and dictionaries of them.

    Raises NotPlain.
    """
    if len(data) > LARGEST_BYTES:
        raise NotPlain(f"it is larger than a job can be ({len(data)} bytes)")
    try:
        return _built(data)
    except NotPlain:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise NotPlain("it is damaged") from error


def _built(data: bytes) -> object:
    machine = _Machine()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if count >= MOST_INSTRUCTIONS:
            raise NotPlain("it has more parts than a job can have")
        if opcode.name == "STOP":
            return machine.result()
        machine.step(opcode.name, argument)
    raise NotPlain("it is damaged")


class _Machine:
    """The stack that a pickle builds its value on. Damage raises IndexError, KeyError or TypeError."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> object:
        value = self._pop()
        if self._stack:
            raise NotPlain("it is damaged")
        return value

    def step(self, name: str, argument: Any) -> None:  # noqa: ANN401 - of a type that depends on the instruction
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _PUTS:
            self._memo[argument] = self._top()
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._top()
        elif name in _GETS:
            self._stack.append(self._memo[argument])
        elif name not in _IGNORED:
            self._build(name)

    def _build(self, name: str) -> None:  # noqa: C901 - one line per instruction
        match name:
            case "MARK":
                self._stack.append(_MARK)
            case "EMPTY_LIST":
                self._stack.append([])
            case "EMPTY_DICT":
                self._stack.append({})
            case "LIST":
                self._stack.append(self._since_mark())
            case "TUPLE":
                self._stack.append(tuple(self._since_mark()))
            case "DICT":
                self._stack.append(_pairs(self._since_mark()))
            case "APPEND":
                self._extend([self._pop()])
            case "APPENDS":
                self._extend(self._since_mark())
            case "SETITEM":
                value = self._pop()
                self._update([self._pop(), value])
            case "SETITEMS":
                self._update(self._since_mark())
            case _ if name in _TUPLES:
                self._stack.append(tuple(reversed([self._pop() for _ in range(_TUPLES[name])])))
            case _:
                raise NotPlain(f"it wants more than plain values ({name})")

    def _top(self) -> Any:  # noqa: ANN401 - any plain value
        if self._stack[-1] is _MARK:
            raise NotPlain("it is damaged")
        return self._stack[-1]

    def _pop(self) -> Any:  # noqa: ANN401 - any plain value
        self._top()
        return self._stack.pop()

    def _since_mark(self) -> list[Any]:
        at = len(self._stack) - 1 - self._stack[::-1].index(_MARK)
        values = self._stack[at + 1 :]
        del self._stack[at:]
        return values

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise NotPlain("it is damaged")
        target.extend(values)

    def _update(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict):
            raise NotPlain("it is damaged")
        target.update(_pairs(values))


def _pairs(values: list[Any]) -> dict[Any, Any]:
    keys, rest = values[::2], values[1::2]
    if len(keys) != len(rest) or not all(isinstance(key, str | int | float) for key in keys):
        raise NotPlain("it is damaged")
    return dict(zip(keys, rest, strict=True))
