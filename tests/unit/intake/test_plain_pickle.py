"""Pickles are read, never run: whatever is in them that could call anything is refused."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenesync.intake.plain_pickle import LARGEST_BYTES, NotPlain, read_plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
JOB: dict[str, Any] = {
    "job_id": 7,
    "scene_id": 123,
    "update_type": "metadata",
    "data": {
        "title": "Hafen, früh",
        "performers": ["Ann Example", "Ben Example"],
        "rating100": None,
        "organized": True,
    },
    "enqueued_at": 1_700_000_000.25,
    "job_key": "scene_123",
    "retry_count": 300,
    "nested": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}, -5, 70_000, 2**40, False],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_job_of_plain_values_is_read_as_pickle_itself_would(protocol: int) -> None:
    assert read_plain(pickle.dumps(JOB, protocol)) == JOB


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=15,
)


@settings(max_examples=60, deadline=None)
@given(value=_PLAIN, protocol=st.sampled_from(PROTOCOLS))
def test_every_plain_value_is(value: object, protocol: int) -> None:
    try:
        found = read_plain(pickle.dumps(value, protocol))
    except NotPlain as error:
        assert "LONG4" in str(error)  # noqa: PT017 - numbers of thousands of bits are no part of a job
    else:
        assert found == value


@given(st.binary(max_size=200))
def test_no_bytes_whatever_they_are_do_anything_but_be_refused(data: bytes) -> None:
    with contextlib.suppress(NotPlain):
        read_plain(b"\x80\x04" + data)


class Evil:
    """What a pickle of this says to whoever unpickles it: run a command."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self._reduced = (call, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._reduced


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_would_run_a_command_is_refused_and_runs_none(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "was here"
    evil = pickle.dumps({"scene_id": 1, "data": Evil(os.system, f"touch '{trace}'")}, protocol)
    with pytest.raises(NotPlain, match="more than plain values"):
        read_plain(evil)
    assert not trace.exists()
    pickle.loads(evil)  # noqa: S301 - shows that this very pickle is dangerous
    assert trace.exists()


@pytest.mark.parametrize(
    "evil", [Evil(subprocess.Popen, ["true"]), Evil(eval, "1"), OrderedDict(a=1), datetime.now(UTC)]
)
def test_every_class_and_function_is_refused_even_a_harmless_one(evil: object) -> None:
    with pytest.raises(NotPlain, match="more than plain values"):
        read_plain(pickle.dumps({"scene_id": 1, "data": evil}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04",
        pickle.dumps(JOB)[:-10],
        b"(.",
        b"]a.",
        b"}(K\x01s.",
        b"}(]K\x01u.",
        b"h\x05.",
        b"K\x01K\x02.",
        b"I99999999999x\n.",
        b"X\xff\xff\xff\x7fabc.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
    ],
)
def test_damage_is_refused(data: bytes) -> None:
    with pytest.raises(NotPlain):
        read_plain(data)


def test_what_is_too_large_is_refused_unread() -> None:
    with pytest.raises(NotPlain, match="larger"):
        read_plain(b"x" * (LARGEST_BYTES + 1))
    with pytest.raises(NotPlain, match="parts"):
        read_plain(b"\x80\x04](" + b"N" * 200_000 + b"e.")
    assert read_plain(b"\x80\x04Nr\xff\xff\xff\x7f.") is None, "a place in the memo costs nothing, however high"
