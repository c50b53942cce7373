"""Settings, tasks and operations of plugins (facts/stash.md 1.7 and 1.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scenesync.simulators.stash.inputs import as_id

if TYPE_CHECKING:
    from scenesync.simulators.stash.engine import Context
    from scenesync.simulators.stash.projection import Arguments


def configure_plugin(context: Context, arguments: Arguments) -> dict[str, Any]:
    """``configurePlugin`` replaces all settings of a plugin and returns them."""
    settings = dict(sorted(arguments["input"].items()))
    context.engine.plugin_settings[arguments["plugin_id"]] = settings
    return settings


def set_plugins_enabled(context: Context, arguments: Arguments) -> bool:
    """``setPluginsEnabled``: running processes of a plugin that is switched off live on."""
    host = context.engine.host
    wanted = arguments["enabledMap"]
    off = {plugin_id for plugin_id, enabled in wanted.items() if not enabled}
    host.disabled = (host.disabled - wanted.keys()) | off
    return True


def reload_plugins(context: Context, _arguments: Arguments) -> bool:
    """``reloadPlugins`` reads all manifests again."""
    context.engine.host.load()
    return True


def run_plugin_task(context: Context, arguments: Arguments) -> str:
    """``runPluginTask`` queues a job; an unknown plugin or task fails inside the job."""
    task_name = arguments.get("task_name")
    values = arguments.get("args_map")
    if values is None:
        values = {each["key"]: _old_value(each.get("value")) for each in arguments.get("args") or ()}
    description = arguments.get("description") or f"Running plugin task: {task_name}"
    work = context.engine.host.task(arguments["plugin_id"], task_name, values)
    return str(context.engine.jobs.add(description, work))


def run_plugin_operation(context: Context, arguments: Arguments) -> object:
    """``runPluginOperation`` runs at once and answers with the plugin's output."""
    return context.engine.host.operate(arguments["plugin_id"], arguments.get("args") or {}, context)


def stop_job(context: Context, arguments: Arguments) -> bool:
    """``stopJob``: true also for a job that does not exist."""
    context.engine.jobs.cancel(as_id(arguments["job_id"]))
    return True


def stop_all_jobs(context: Context, _arguments: Arguments) -> bool:
    """``stopAllJobs``."""
    for job in context.engine.jobs.unfinished():
        context.engine.jobs.cancel(job.id)
    return True


def _old_value(value: dict[str, Any] | None) -> object:
    """Unwrap a value of the deprecated ``args``, which wrap it by its type."""
    present = [each for each in (value or {}).values() if each is not None]
    return present[0] if present else None
