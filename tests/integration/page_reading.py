"""Reading pages and pressing their buttons, without a browser."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse
    from web_world import Browser

SCRIPT = "<script>alert('harbour')</script>"


def page(browser: Browser, path: str) -> str:
    answer = browser.open(path)
    text = answer.data.decode()
    assert answer.status == 200, text
    assert SCRIPT not in text
    assert " style=" not in text
    assert not re.search(r"<script(?! src=)", text), "a script that the policy forbids"
    return text


def words_of(text: str) -> str:
    """What can be read on a page, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def send(browser: Browser, path: str, **form: str) -> BaseHTTPResponse:
    """Press a button: the form, with the page's token."""
    headers = {
        "Cookie": browser.cookie,
        "X-CSRF-Token": browser.csrf_token,
        "Content-Type": "application/x-www-form-urlencoded",
        "HX-Request": "true",
    }
    return browser.world.ask("POST", path, key=None, body=urlencode(form), headers=headers)


def led_to(answer: BaseHTTPResponse) -> str:
    assert answer.status == 204, answer.data
    return answer.headers["HX-Redirect"]
