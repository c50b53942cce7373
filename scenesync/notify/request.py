"""One request to an address that somebody chose: no redirect is followed, no proxy used, nothing repeated by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import make_headers, parse_url

from scenesync.notify.ways import NotTold

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT: Final = urllib3.Timeout(connect=5.0, read=10.0)
_LARGEST_ANSWER_BYTES: Final = 4096
_REPEATABLE: Final = frozenset({408, 425, 429})
_WORDS: Final[Mapping[type[Exception], str]] = {
    NameResolutionError: "its name is not known",
    NewConnectionError: "it cannot be reached",
    ConnectTimeoutError: "it cannot be reached in time",
    ReadTimeoutError: "it did not answer in time",
    SSLError: "its certificate is not accepted",
}
"""Words instead of urllib3's, which hold the address."""


def send(method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> None:
    """Send one request and return if the answer is a success; user and password of the address go into a header.

    Raises NotTold, without the address in it.
    """
    try:
        parts = parse_url(url)
        login = make_headers(basic_auth=parts.auth) if parts.auth else {}
        url = parts._replace(auth=None).url  # it would be ignored, and quoted in errors
        with urllib3.PoolManager(num_pools=1, retries=False, timeout=TIMEOUT) as pool:
            answer = pool.request(
                method,
                url,
                headers={**headers, **login},
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            status, retry_after = answer.status, answer.headers.get("Retry-After", "")
            answer.read(_LARGEST_ANSWER_BYTES)
            answer.close()
    except LocationParseError:
        raise NotTold("its address cannot be read", for_good=True) from None
    except HTTPError as error:
        words = next((words for kind, words in _WORDS.items() if isinstance(error, kind)), "the connection broke")
        raise NotTold(words) from None  # what is behind it quotes the address
    if not 200 <= status < 300:  # noqa: PLR2004 - the successes of HTTP
        for_good = status < 500 and status not in _REPEATABLE  # noqa: PLR2004 - likewise
        wait_s = float(retry_after) if retry_after.isdigit() else 0.0
        raise NotTold(f"it answered {status}", for_good=for_good, wait_s=wait_s)
