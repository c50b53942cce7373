"""How addresses and secrets are read: the types behind the settings that hold one, as in ``values``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from scenesync.app.configuration.values import Allowed, Refused, blank_is_none

if TYPE_CHECKING:
    from collections.abc import Callable

_HIGHEST_PORT: Final = 65_535

# What people copy from the browser's address bar behind the server's own address.
_PLEX_PAGES: Final = frozenset({"web", "library", "identity"})
_STASH_PAGES: Final = frozenset({"graphql", "playground", "scenes", "settings"})


def service_url(pages: frozenset[str]) -> Callable[[str], str]:
    """Return the check of a server's base address; ``pages`` are path segments that belong to its pages, not to it."""

    def checked(text: str) -> str:
        text = text.strip()
        if any(char.isspace() or not char.isprintable() for char in text):
            raise Refused("it holds blanks")
        if not text.lower().startswith(("http://", "https://")):
            raise Refused("it does not begin with http:// or https://")
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise Refused("its host or port cannot be read") from None
        if not host or port == 0:
            raise Refused("its host or port cannot be read")
        if "@" in parts.netloc:
            raise Refused("a user name or password in it would show up in logs, so it is not accepted there")
        if "?" in text or "#" in text:
            raise Refused('leave out everything from "?" or "#" on')
        page = next((segment for segment in parts.path.split("/") if segment in pages), None)
        if page is not None:
            raise Refused(f'leave out everything from "/{page}" on')
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"

    return checked


def secret(value: object) -> object:
    """Return a secret without outer blanks (None if nothing is left) that can be sent in an HTTP header."""
    if value is None:
        return None
    if not isinstance(value, str | SecretStr):
        raise Refused("it is not text: put it in quotes")
    text = (value.get_secret_value() if isinstance(value, SecretStr) else value).strip()
    if not all(char.isascii() and char.isprintable() and char != " " for char in text):
        raise Refused("it holds blanks, line breaks or characters that no token has")
    return SecretStr(text) if text else None


def secret_addresses(value: object) -> object:
    """Return addresses (``scheme://…``) as one secret text, separated by single blanks; None if there is none."""
    if value is None:
        return None
    if not isinstance(value, str | SecretStr):
        raise Refused("it is not text: put it in quotes, several addresses separated by blanks")
    words = (value.get_secret_value() if isinstance(value, SecretStr) else value).split()
    if not all("://" in word and word.isprintable() for word in words):
        raise Refused("a part of it does not look like an address; a blank within one is written %20")
    return SecretStr(" ".join(words)) if words else None


def secret_url(value: object) -> object:
    """Return a secret http address; it may hold a user, a password and a query, and is never repeated."""
    found = secret(value)
    if not isinstance(found, SecretStr):
        return found
    try:
        parts = urlsplit(found.get_secret_value())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Refused("it is none")
    return found


def database_address(value: SecretStr | None) -> SecretStr | None:
    """Refuse what is no address of a PostgreSQL database; it may hold a password and is never repeated.

    What libpq makes of the rest is its own concern: hosts separated by commas, ``?sslmode=verify-full``.
    """
    if value is None:
        return None
    text = value.get_secret_value()
    if not text.startswith("postgresql://"):
        raise Refused("it does not begin with postgresql://")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Refused(
            "it cannot be read: write the characters / ? # [ ] @ in a password as %2F %3F and so on"
        ) from None
    hosts = parts.netloc.rpartition("@")[2]
    if parts.netloc.count("@") > 1:  # libpq would take what follows the first one for the host, and show it
        raise Refused("it has more than one @ before the host: write the character @ in a password as %40")
    if parts.fragment or "@" in parts.path or not all(_has_sound_port(host) for host in hosts.split(",")):
        raise Refused("host or port cannot be read: write the characters / ? # @ in a password as %2F %3F %23 %40")
    if not parts.path.strip("/") and "dbname=" not in parts.query:
        raise Refused("it names no database: its end is such as db.example:5432/scenesync")
    return value


def _has_sound_port(host: str) -> bool:
    port = host.rpartition("]")[2].partition(":")[2] if "]" in host else host.partition(":")[2]
    return not port or (port.isdigit() and 0 < int(port) <= _HIGHEST_PORT)


def password_in(address: str) -> str | None:
    """Return the password in an address as it was meant, None if there is none."""
    try:
        password = urlsplit(address).password
    except ValueError:
        return None
    return None if password is None else unquote(password)


def _optional_plex_url(value: object) -> object:
    value = blank_is_none(value)
    return service_url(_PLEX_PAGES)(value) if isinstance(value, str) else value


def _optional_stash_url(value: object) -> object:
    value = blank_is_none(value)
    return service_url(_STASH_PAGES)(value) if isinstance(value, str) else value


StashUrl = Annotated[
    str, AfterValidator(service_url(_STASH_PAGES)), Allowed("an address such as http://localhost:9999")
]
OptionalStashUrl = Annotated[
    str | None, BeforeValidator(_optional_stash_url), Allowed("an address such as http://192.0.2.8:9999")
]
PlexUrl = Annotated[
    str | None, BeforeValidator(_optional_plex_url), Allowed("an address such as http://192.0.2.7:32400")
]
PlexTvUrl = Annotated[str, AfterValidator(service_url(frozenset())), Allowed("an address such as https://plex.tv")]
Secret = Annotated[SecretStr | None, BeforeValidator(secret), Allowed("text without blanks")]
SecretAddresses = Annotated[
    SecretStr | None, BeforeValidator(secret_addresses), Allowed("addresses such as ntfy://topic, separated by blanks")
]
SecretUrl = Annotated[
    SecretStr | None, BeforeValidator(secret_url), Allowed("an address that begins with http:// or https://")
]
DatabaseUrl = Annotated[
    SecretStr | None,
    BeforeValidator(secret),
    AfterValidator(database_address),
    Allowed("an address such as postgresql://user:password@host:5432/name"),
]
