from __future__ import annotations

import logging
import traceback

import pytest
from stash_answers import STATUS_OK
from stash_stub import Reply, StubStash, graphql

from scenesync.domain.errors import StashRefused, StashUnavailable
from scenesync.stash.client import StashClient
from scenesync.stash.transport import RequestRecord, SessionCookie

KEY = "FAKE-API-KEY-4f1c"
COOKIE = SessionCookie("session", "FAKE-SESSION-9b2e")


def everything_in(error: BaseException) -> str:
    """Return all that a log, a page or a dead letter could show of an exception."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:9999",
        "stash",
        "ftp://localhost",
        "http://",
        "http://[::1",
        "http://localhost:port",
        "http://localhost:99999",
        "http://localhost:0",
        "http://localhost:9999/?apikey=FAKE-API-KEY-4f1c",
        "http://me:FAKE-API-KEY-4f1c@localhost:9999",
    ],
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="stash_url") as caught:
        StashClient(url)
    assert KEY not in everything_in(caught.value)


@pytest.mark.parametrize("spoilt", [f"{KEY}\nX-Other: 1", f"{KEY}\N{BULLET}", f"{KEY}\0"])
def test_a_secret_that_cannot_be_sent_is_refused_without_being_shown(spoilt: str) -> None:
    with pytest.raises(ValueError, match="stash_api_key") as caught:
        StashClient("http://localhost:9999", api_key=spoilt)
    assert KEY not in everything_in(caught.value)
    with pytest.raises(ValueError, match="session cookie") as caught:
        StashClient("http://localhost:9999", session_cookie=SessionCookie("session", spoilt))
    assert KEY not in everything_in(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(401),
        Reply(302, b"", (("Location", f"/login?apikey={KEY}"),)),
        Reply(302, b"", (("Location", f"/elsewhere?apikey={KEY}&c={COOKIE.value}"),)),
        Reply(resets=True),
        Reply(500, f"{KEY} {COOKIE.value}".encode()),
        Reply(200, f"{KEY} {COOKIE.value}".encode()),
        graphql(None, [{"message": f"bad key {KEY} or session {COOKIE.value}"}]),
        graphql(None, [{"message": f"bad key {KEY} or session {COOKIE.value}"}], status=422),
        graphql({"version": {"version": "v0.30.1"}}),
    ],
)
@pytest.mark.parametrize("key", [KEY, None])
def test_no_message_repr_or_log_shows_a_secret(
    stub: StubStash, caplog: pytest.LogCaptureFixture, reply: Reply, key: str | None
) -> None:
    stub.answers = {"Version": reply, "Status": graphql(STATUS_OK)}
    heard: list[RequestRecord] = []
    secret = KEY if key else COOKIE.value
    with (
        caplog.at_level(logging.DEBUG),
        StashClient(stub.url, api_key=key, session_cookie=COOKIE, on_request=heard.append) as client,
    ):
        shown = repr(client) + repr(client.session_cookie) + repr(vars(client))
        try:
            client.version()
        except (StashUnavailable, StashRefused) as error:
            shown += everything_in(error)

    sent = stub.seen[0].headers
    assert secret in (sent.get("apikey", ""), sent.get("cookie", "").removeprefix("session="))
    assert secret not in shown + caplog.text + repr(heard)
