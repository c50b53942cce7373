"""A browser without a screen for the first-run page."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import urllib3

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

FORM = "application/x-www-form-urlencoded"


class PageBrowser:
    """Keeps the cookie, and sends forms with the page's token as htmx does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookie = ""

    def log_in(self, code: str) -> BaseHTTPResponse:
        answer = self.ask("POST", "/login", body=urlencode({"key": code, "next": "/"}), **{"Content-Type": FORM})
        if answer.status == 303:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> BaseHTTPResponse:
        sent = {"Accept": "text/html", **headers}
        if self.cookie:
            sent["Cookie"] = self.cookie
        return urllib3.request(
            method, self.url + path, body=body, headers=sent, retries=False, redirect=False, timeout=20
        )

    def text(self, path: str = "/setup") -> str:
        answer = self.ask("GET", path)
        assert answer.status == 200, (answer.status, answer.data)
        return answer.data.decode()

    def words(self, path: str = "/setup") -> str:
        """What can be read, in one line."""
        return words_of(self.text(path))

    def send(self, path: str, *, csrf: str | None = None, **form: str) -> BaseHTTPResponse:
        """Press a button."""
        if csrf is None:
            csrf = self.text().partition('"X-CSRF-Token": "')[2].partition('"')[0]
        return self.ask(
            "POST",
            f"/setup/{path}",
            urlencode(form),
            **{"Content-Type": FORM, "HX-Request": "true", "X-CSRF-Token": csrf},
        )

    def step(self) -> str:
        """The step that the page is at."""
        found = re.search(r'aria-current="step">([^<]*)', self.text())
        return found[1] if found else "done"


def words_of(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
