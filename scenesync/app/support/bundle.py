"""The support bundle: one zip that a person can read through and send, with nothing in it that is only theirs."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from scenesync.app.api_key import key_file
from scenesync.app.configuration.model import Settings
from scenesync.app.context import secrets_of
from scenesync.app.settings import masked
from scenesync.app.support.contents import gather
from scenesync.app.support.known_names import known_names
from scenesync.app.support.name_mask import NameMask
from scenesync.app.support.redaction import Redaction, settings_document
from scenesync.app.support.secret_mask import SecretMask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scenesync.app.settings import LoadedSettings

NOT_PRIVATE: Final = frozenset(
    {
        "collection_sources",
        "skip_performer_genders",
        "conflict_policy_fields",
        "title_template",
        "http_base_path",
        "notify_about",
    }
)
"""Lists and texts that name nothing of a library."""
_PRIVATE_TEXTS: Final = frozenset({"organized_label", "destroyed_label", "content_rating"})

README: Final = """\
This is a support bundle of SceneSync, made {made_at}. Please look through it before you send it: it is plain text.

Left out everywhere: tokens, keys, passwords, cookies, user names in addresses. {names}

versions.json      SceneSync, Python, SQLite, the system, packages
settings.json      every setting with its value and where that comes from; of secrets only whether they are set
status.json, health.json, doctor.json
files.json, state_store.json, queue.json, backups.json
                   sizes, schema versions, numbers of rows; nothing of what the rows hold
waiting_jobs.json, dead_letters.json, attempts.json, edits.json, runs.json, outages.json
                   the latest of each
log.json           the latest lines
"""
_MASKED: Final = (
    "Titles, names, files, folders and hosts have pseudonyms such as <title 3>: the same name has the same one in all "
    "files. --with-names keeps them."
)
_KEPT: Final = "Titles, names, files and hosts are in it, as was asked for (--with-names)."


def support_bundle(
    loaded: LoadedSettings,
    *,
    with_names: bool,
    checks: Callable[[], object],
    lines: Sequence[Mapping[str, object]] | None = None,
) -> bytes:
    """Return the zip. ``checks`` and ``lines`` are as in ``gather``."""
    secrets = SecretMask(_secrets(loaded))
    redact = Redaction(secrets, None if with_names else NameMask())
    documents = gather(loaded, checks=checks, lines=lines)
    settings = masked(loaded.settings)
    redact.learn({**documents, "settings": settings}, known_names(loaded.settings))
    cleaned = {name: redact.document(part, name) for name, part in documents.items()}
    cleaned["settings"] = settings_document(settings, loaded.origins, private_keys(), redact)
    texts = {f"{name}.json": json.dumps(part, ensure_ascii=False, indent=1) for name, part in cleaned.items()}
    made_at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time.time()))
    texts["README.txt"] = README.format(made_at=made_at, names=_KEPT if with_names else _MASKED)
    return _packed(texts, secrets)


def private_keys() -> frozenset[str]:
    """Return the settings whose values name things of a library or its places."""
    lists = {key for key, value in masked(Settings()).items() if isinstance(value, list)}
    return frozenset((lists | _PRIVATE_TEXTS) - NOT_PRIVATE)


def _secrets(loaded: LoadedSettings) -> Iterator[str]:
    yield from secrets_of(loaded.settings)
    try:
        made = key_file(loaded.settings).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return
    yield SecretStr(made).get_secret_value()


def _packed(texts: Mapping[str, str], secrets: SecretMask) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            data = text.encode("utf-8", "backslashreplace")
            if secrets.knows_any_in(data):  # written in a way that the cleaning did not foresee
                data = b"left out: it still held something secret\n"
            archive.writestr(name, data)
    return packed.getvalue()
