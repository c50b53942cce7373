from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stash_answers import SERVER_CONNECTION
from stash_stub import StubStash, graphql

from scenesync.stash.connection import PluginConnection
from scenesync.stash.plugin_protocol import PluginChannel, StashLog, level_of, log_lines
from scenesync.stash.transport import SessionCookie

if TYPE_CHECKING:
    from scenesync.stash.plugin_protocol import Level

STASH_LINE_BYTES = 64 * 1024


# --- the connection --------------------------------------------------------------------------------------------------


def test_what_stash_says_on_stdin_becomes_a_connection() -> None:
    connection = PluginConnection.from_document(SERVER_CONNECTION)

    assert connection == PluginConnection(
        url="http://127.0.0.1:9999",
        cookie=SessionCookie("session", "FAKE-SESSION-COOKIE-VALUE"),
        stash_dir="/root/.stash",
        plugin_dir="/root/.stash/plugins/probe",
    )
    assert "FAKE-SESSION" not in repr(connection)


@pytest.mark.parametrize(
    ("scheme", "host", "url"),
    [
        ("http", "0.0.0.0", "http://127.0.0.1:9999"),  # noqa: S104 - what Stash says
        ("http", "", "http://127.0.0.1:9999"),
        ("http", None, "http://127.0.0.1:9999"),
        ("http", "::", "http://localhost:9999"),
        ("http", "[::]", "http://localhost:9999"),
        ("https", "::1", "https://[::1]:9999"),
        ("http", "192.0.2.7", "http://192.0.2.7:9999"),
        ("https", "stash.example", "https://stash.example:9999"),
    ],
)
def test_an_address_to_listen_on_becomes_one_to_reach(scheme: str, host: str | None, url: str) -> None:
    document = SERVER_CONNECTION | {"Scheme": scheme, "Host": host}
    assert PluginConnection.from_document(document).url == url


@pytest.mark.parametrize("cookie", [None, {}, {"Name": "session", "Value": ""}, "text"])
def test_a_stash_that_could_not_make_a_cookie_is_still_reached(cookie: object) -> None:
    assert PluginConnection.from_document(SERVER_CONNECTION | {"SessionCookie": cookie}).cookie is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        SERVER_CONNECTION | {"Port": 0},
        SERVER_CONNECTION | {"Port": 65536},
        SERVER_CONNECTION | {"Port": "x"},
        SERVER_CONNECTION | {"Scheme": "gopher"},
        SERVER_CONNECTION | {"Host": 7},
    ],
)
def test_a_document_without_an_address_is_refused_without_showing_it(document: object) -> None:
    with pytest.raises(ValueError, match="Stash gave the plugin") as caught:
        PluginConnection.from_document(document)
    assert "FAKE" not in str(caught.value)


@pytest.mark.parametrize("server", ["stub", "tls_stub"])
def test_the_client_of_a_connection_uses_its_session(server: str, request: pytest.FixtureRequest) -> None:
    stash: StubStash = request.getfixturevalue(server)
    stash.answers["ApiKey"] = graphql({"configuration": {"general": {"apiKey": "FAKE-API-KEY"}}})
    document = SERVER_CONNECTION | {"Scheme": stash.scheme, "Host": "0.0.0.0", "Port": stash.port}  # noqa: S104

    with PluginConnection.from_document(document).client() as client:
        assert client.api_key() == "FAKE-API-KEY"

    assert stash.seen[0].headers["cookie"] == "session=FAKE-SESSION-COOKIE-VALUE"


# --- the protocol ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pipes() -> tuple[io.BytesIO, io.BytesIO]:
    return io.BytesIO(), io.BytesIO()


@pytest.fixture
def channel(pipes: tuple[io.BytesIO, io.BytesIO]) -> PluginChannel:
    return PluginChannel(*pipes)


@pytest.mark.parametrize("level", ["t", "d", "i", "w", "e"])
def test_a_log_line_is_mark_level_mark_text(
    channel: PluginChannel, pipes: tuple[io.BytesIO, io.BytesIO], level: Level
) -> None:
    channel.log(level, "Summer Tour \N{CHECK MARK} saved")
    stdout, stderr = pipes
    assert stderr.getvalue() == b"\x01" + level.encode() + b"\x02Summer Tour \xe2\x9c\x93 saved\n"
    assert stdout.getvalue() == b""


def test_each_line_of_a_text_is_an_entry_and_empty_ones_are_none() -> None:
    assert list(log_lines("e", "first\r\n\n  \nsecond\x02\x01 \x00third\n")) == [
        b"\x01e\x02first\n",
        b"\x01e\x02second    third\n",
    ]


@given(st.text(), st.integers(0, 200_000))
def test_no_line_is_so_long_that_stash_stops_reading(text: str, repeat: int) -> None:
    for line in log_lines("i", text + "\N{GRINNING FACE}" * (repeat // 4) + text):
        assert 4 <= len(line) < STASH_LINE_BYTES
        assert line.startswith(b"\x01i\x02")
        assert line.count(b"\n") == 1
        line.decode()


@pytest.mark.parametrize(
    ("fraction", "line"),
    [
        (0, b"\x01p\x020.0000\n"),
        (0.5, b"\x01p\x020.5000\n"),
        (1 / 3, b"\x01p\x020.3333\n"),
        (7, b"\x01p\x021.0000\n"),
        (-1, b"\x01p\x020.0000\n"),
        (float("inf"), b"\x01p\x021.0000\n"),
        (float("nan"), b""),
    ],
)
def test_progress_is_a_number_from_zero_to_one(
    channel: PluginChannel, pipes: tuple[io.BytesIO, io.BytesIO], fraction: float, line: bytes
) -> None:
    channel.progress(fraction)
    assert pipes[1].getvalue() == line


def test_the_result_is_one_json_object_and_comes_once(
    channel: PluginChannel, pipes: tuple[io.BytesIO, io.BytesIO]
) -> None:
    channel.finish({"pending": 3})
    with pytest.raises(RuntimeError):
        channel.finish(error="again")
    assert pipes[0].getvalue() == b'{"error": null, "output": {"pending": 3}}'


def test_an_error_is_part_of_the_result(channel: PluginChannel, pipes: tuple[io.BytesIO, io.BytesIO]) -> None:
    channel.finish(error="Plex cannot be reached")
    assert json.loads(pipes[0].getvalue()) == {"error": "Plex cannot be reached", "output": None}


def test_an_output_that_is_no_json_leaves_the_result_unwritten(
    channel: PluginChannel, pipes: tuple[io.BytesIO, io.BytesIO]
) -> None:
    for output in (object(), float("nan")):
        with pytest.raises((TypeError, ValueError)):
            channel.finish(output)
    channel.finish("ok")
    assert json.loads(pipes[0].getvalue()) == {"error": None, "output": "ok"}


@pytest.mark.parametrize(
    ("levelno", "letter"),
    [(1, "t"), (logging.DEBUG, "d"), (logging.INFO, "i"), (25, "i"), (logging.WARNING, "w"), (logging.CRITICAL, "e")],
)
def test_levels_of_logging_have_their_letters(levelno: int, letter: str) -> None:
    assert level_of(levelno) == letter


def test_a_traceback_reaches_stash_line_by_line(channel: PluginChannel, pipes: tuple[io.BytesIO, io.BytesIO]) -> None:
    log = StashLog(channel)
    try:
        "scenes".index("x")
    except ValueError:
        failure = sys.exc_info()
    log.handle(logging.LogRecord("probe", logging.ERROR, __file__, 1, "scene=%d failed", (7,), failure))

    lines = pipes[1].getvalue().splitlines()
    assert lines[0] == b"\x01e\x02scene=7 failed"
    assert lines[-1] == b"\x01e\x02ValueError: substring not found"
    assert all(line.startswith(b"\x01e\x02") for line in lines)


def test_threads_never_mix_their_lines(channel: PluginChannel, pipes: tuple[io.BytesIO, io.BytesIO]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: channel.log("i", f"{number} " * 50 + "end"), range(400)))
    lines = pipes[1].getvalue().splitlines()
    assert len(lines) == 400
    assert all(len(set(line[3:].split()[:-1])) == 1 for line in lines)


def test_work_goes_on_when_stash_has_stopped_reading() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as stream:
        channel = PluginChannel(stream, stream)
        channel.log("i", "nobody reads this")
        channel.progress(0.5)
        channel.finish("done")


def test_a_real_process_speaks_so_through_its_own_pipes() -> None:
    program = (
        "import sys\n"
        "from scenesync.stash.plugin_protocol import PluginChannel\n"
        "channel = PluginChannel(sys.stdout.buffer, sys.stderr.buffer)\n"
        "channel.log('i', 'one')\n"
        "channel.progress(0.25)\n"
        "channel.finish('done')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=30)
    assert ended.stderr.replace(b"\r\n", b"\n") == b"\x01i\x02one\n\x01p\x020.2500\n"
    assert ended.stdout == b'{"error": null, "output": "done"}'
