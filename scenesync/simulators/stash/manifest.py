"""Plugin manifests, read as strictly as Stash does it: an unknown or duplicate key refuses the whole plugin (1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from pathlib import Path

_TEXTS: Final = ("name", "description", "url", "version", "interface", "errLog")
_TOP: Final = {*_TEXTS, "exec", "tasks", "hooks", "ui", "settings"}
_TASK: Final = {"name", "description", "execArgs", "defaultArgs"}
_HOOK: Final = {*_TASK, "triggeredBy"}
_UI: Final = {"javascript", "css", "requires", "assets", "csp"}
_SETTING: Final = {"type", "displayName", "description"}
_INTERFACES: Final = ("raw", "rpc", "js")


class ManifestError(Exception):
    """The file is no plugin that Stash would take."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a plugin."""

    name: str
    description: str
    exec_args: tuple[str, ...]
    default_args: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook of a plugin. ``triggered_by`` is not validated: a typo is silently dead."""

    name: str
    description: str
    exec_args: tuple[str, ...]
    default_args: Mapping[str, str]
    triggered_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that Stash's UI offers. It has no default and no choices."""

    name: str
    type: str
    display_name: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class Plugin:
    """A loaded manifest; ``id`` is the file's name without its extension."""

    id: str
    directory: Path
    name: str
    description: str
    url: str
    version: str
    exec: tuple[str, ...]
    error_log: str
    tasks: tuple[Task, ...]
    hooks: tuple[Hook, ...]
    settings: tuple[Setting, ...]
    javascript: tuple[str, ...]
    css: tuple[str, ...]


class _StrictLoader(yaml.SafeLoader):
    """Every scalar stays text, as Go puts it into a string field; duplicate keys are errors."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML reads the class attribute

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ManifestError(f"line {key.start_mark.line + 1}: invalid map key")
            if key.value in seen:
                raise ManifestError(f'line {key.start_mark.line + 1}: key "{key.value}" already set in map')
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def manifest_files(folder: Path) -> Iterator[Path]:
    """Every ``*.yml`` below ``folder``, any depth, symbolic links followed, in lexical order."""
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from manifest_files(entry)
        elif entry.suffix == ".yml":
            yield entry


def read_manifest(path: Path) -> Plugin:
    """Return the plugin described by ``path``. Raises :class:`ManifestError`."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(f"yaml: {error}") from error
    top = _mapping(document, _TOP, "Config")
    interface = _text(top, "interface") or "raw"
    if interface not in _INTERFACES:
        raise ManifestError(f"invalid interface type {interface}")
    if interface != "raw":
        raise ManifestError(f"the simulated Stash runs raw plugins only, not {interface}")
    ui = _mapping(top.get("ui"), _UI, "UIConfig")
    return Plugin(
        id=path.stem,
        directory=path.parent,
        name=_text(top, "name") or path.stem,
        description=_text(top, "description"),
        url=_text(top, "url"),
        version=_text(top, "version"),
        exec=_texts(top.get("exec"), "exec"),
        error_log=_text(top, "errLog") or "error",
        tasks=tuple(_task(each) for each in _list(top.get("tasks"), "tasks")),
        hooks=tuple(_hook(each) for each in _list(top.get("hooks"), "hooks")),
        settings=_settings(top.get("settings")),
        javascript=_texts(ui.get("javascript"), "javascript"),
        css=_texts(ui.get("css"), "css"),
    )


def _task(document: object) -> Task:
    fields = _mapping(document, _TASK, "OperationConfig")
    return Task(**_operation(fields))


def _hook(document: object) -> Hook:
    fields = _mapping(document, _HOOK, "HookConfig")
    return Hook(**_operation(fields), triggered_by=_texts(fields.get("triggeredBy"), "triggeredBy"))


def _operation(fields: Mapping[str, Any]) -> dict[str, Any]:
    defaults = _mapping(fields.get("defaultArgs"), None, "defaultArgs")
    return {
        "name": _text(fields, "name"),
        "description": _text(fields, "description"),
        "exec_args": _texts(fields.get("execArgs"), "execArgs"),
        "default_args": {key: _text(defaults, key) for key in defaults},
    }


def _settings(document: object) -> tuple[Setting, ...]:
    fields = _mapping(document, None, "settings")
    settings = []
    for name in sorted(fields):
        setting = _mapping(fields[name], _SETTING, "SettingConfig")
        settings.append(
            Setting(
                name=name,
                type=_text(setting, "type"),
                display_name=_text(setting, "displayName") or None,
                description=_text(setting, "description") or None,
            )
        )
    return tuple(settings)


def _mapping(document: object, known: set[str] | None, type_name: str) -> dict[str, Any]:
    if document is None or document == "":
        return {}
    if not isinstance(document, dict):
        raise ManifestError(f"cannot unmarshal {document!r} into {type_name}")
    for key in document:
        if known is not None and key not in known:
            raise ManifestError(f"field {key} not found in type plugin.{type_name}")
    return document


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ManifestError(f"cannot unmarshal {value!r} into string ({key})")
    return value


def _list(document: object, key: str) -> list[Any]:
    if document is None or document == "":
        return []
    if not isinstance(document, list):
        raise ManifestError(f"cannot unmarshal {document!r} into a list ({key})")
    return document


def _texts(document: object, key: str) -> tuple[str, ...]:
    values = _list(document, key)
    for value in values:
        if not isinstance(value, str):
            raise ManifestError(f"cannot unmarshal {value!r} into string ({key})")
    return tuple(values)
