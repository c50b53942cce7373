"""What every command gets: the options of the group, and from them settings and logging."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from scenesync.app.configuration.addresses import password_in
from scenesync.app.logs import set_up_logging
from scenesync.app.routes.selection import one_route
from scenesync.app.settings import LoadedSettings, load_settings

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scenesync.app.settings import Settings


_documents: ContextVar[list[Any] | None] = ContextVar("documents", default=None)
"""Where documents for ``--json`` go while a command runs once for each of several routes."""
_awaited: ContextVar[bool] = ContextVar("awaited", default=False)
"""Whether ``--json`` was given and no document was printed yet."""
SHORTEST_ALONE: Final = 4
"""A shorter part of a secret would be cut out of innocent words."""


@dataclass(frozen=True, slots=True)
class AppContext:
    """The command line's own settings; they win over all others.

    ``loaded`` are the settings of the route for which a command runs, if they were read already. ``route`` is the name
    of a route that ``load`` is to return, "" for the whole installation; of that, a route that is alone stands for all
    of it unless ``is_for_all`` or its state lies elsewhere than in the data directory.
    """

    overrides: Mapping[str, object] = field(default_factory=dict)
    loaded: LoadedSettings | None = None
    route: str = ""
    is_for_all: bool = False

    def load(
        self,
        *,
        plugin_settings: Mapping[str, object] | None = None,
        default_dir: Path | None = None,
        handler: logging.Handler | None = None,
    ) -> LoadedSettings:
        """Return the settings in force, with logging set up after them (to ``handler`` if given).

        ``plugin_settings`` and ``default_dir`` are as in ``load_settings``. Raises SettingsError.
        """
        if self.loaded is not None:
            return self.loaded
        loaded = load_settings(overrides=self.overrides, plugin_settings=plugin_settings, default_dir=default_dir)
        if self.route or (loaded.is_one_at_home and not self.is_for_all):
            loaded = loaded.of_route(one_route(loaded.routes, self.route))
        settings = loaded.settings
        everybodys = [settings, *(route.settings for route in loaded.routes)]
        secrets = [secret for each in everybodys for secret in secrets_of(each)]
        route = settings.place.name if settings.place is not None and len(loaded.routes) > 1 else ""
        set_up_logging(settings.log_format, settings.log_level, secrets, handler=handler, route=route)
        for warning in loaded.warnings:
            print(f"scenesync: {warning}", file=sys.stderr)  # noqa: T201 - said to the person at the terminal
        return loaded


def secrets_of(settings: Settings) -> Iterator[str]:
    """Yield every secret among the settings, for the logger to take out."""
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            yield from dict.fromkeys((text, *text.split()))
    # Alone too: so it may stand in what a driver says.
    password = None if settings.database_url is None else password_in(settings.database_url.get_secret_value())
    if password is not None and len(password) >= SHORTEST_ALONE:
        yield password


@contextmanager
def collecting_json() -> Iterator[list[Any]]:
    """Keep the documents that the block would print, for one that holds them all."""
    documents: list[Any] = []
    before = _documents.set(documents)
    try:
        yield documents
    finally:
        _documents.reset(before)


def print_json(document: Any) -> None:  # noqa: ANN401 - JSON
    """Write one JSON document to stdout, or keep it for the whole of which it is a part."""
    documents = _documents.get()
    if documents is not None:
        documents.append(document)
        return
    _awaited.set(False)
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def await_json(*, wanted: bool) -> None:
    """Note at the beginning of a command whether ``--json`` was given."""
    _awaited.set(wanted)


def print_failure(message: str) -> None:
    """Print why there is no document, as one, if ``--json`` was given and there is none yet."""
    if _awaited.get() and not _documents.get():
        print_json({"error": message})
