"""Executes a valid operation: each root field on its own, errors as Stash reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLNonNull,
    OperationDefinitionNode,
    SelectionSetNode,
    execute_sync,
)

from scenesync.simulators.stash import entity_mutations, plugin_mutations, queries, scene_mutations
from scenesync.simulators.stash.errors import ResolverError
from scenesync.simulators.stash.fields import FIELDS
from scenesync.simulators.stash.library import NotFound
from scenesync.simulators.stash.projection import Compiler
from scenesync.simulators.stash.variables import coerce_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenesync.simulators.stash.documents import Operation
    from scenesync.simulators.stash.engine import Context
    from scenesync.simulators.stash.projection import Arguments, PlannedField, Resolver

    RootResolver = Callable[[Context, Arguments], Any]

_QUERIES: Final[Mapping[str, RootResolver]] = {
    "findScene": queries.find_scene,
    "findScenes": queries.find_scenes,
    "findPerformer": queries.find_entity("performers"),
    "findPerformers": queries.find_entities("performer", "performers"),
    "findStudio": queries.find_entity("studios"),
    "findStudios": queries.find_entities("studio", "studios"),
    "findTag": queries.find_entity("tags"),
    "findTags": queries.find_entities("tag", "tags"),
    "findGroup": queries.find_entity("groups"),
    "findGroups": queries.find_entities("group", "groups"),
    "findMovie": queries.find_entity("groups"),
    "findMovies": queries.find_movies,
    "configuration": queries.configuration,
    "plugins": queries.plugins,
    "pluginTasks": queries.plugin_tasks,
    "jobQueue": queries.job_queue,
    "findJob": queries.find_job,
    "systemStatus": queries.system_status,
    "version": queries.version,
}
_MUTATIONS: Final[Mapping[str, RootResolver]] = {
    "sceneUpdate": scene_mutations.scene_update,
    "scenesUpdate": scene_mutations.scenes_update,
    "bulkSceneUpdate": scene_mutations.bulk_scene_update,
    "sceneDestroy": scene_mutations.scene_destroy,
    "scenesDestroy": scene_mutations.scenes_destroy,
    "sceneMerge": scene_mutations.scene_merge,
    "sceneAddPlay": scene_mutations.scene_add_play,
    "sceneAddO": scene_mutations.scene_add_o,
    "sceneSaveActivity": scene_mutations.scene_save_activity,
    "sceneResetActivity": scene_mutations.scene_reset_activity,
    "performerUpdate": entity_mutations.update_entity("performer"),
    "studioUpdate": entity_mutations.update_entity("studio"),
    "tagUpdate": entity_mutations.update_entity("tag"),
    "groupUpdate": entity_mutations.update_entity("group"),
    "performersDestroy": entity_mutations.destroy_entities("performer"),
    "studiosDestroy": entity_mutations.destroy_entities("studio"),
    "tagsDestroy": entity_mutations.destroy_entities("tag"),
    "groupsDestroy": entity_mutations.destroy_entities("group"),
    "tagsMerge": entity_mutations.tags_merge,
    "configurePlugin": plugin_mutations.configure_plugin,
    "setPluginsEnabled": plugin_mutations.set_plugins_enabled,
    "reloadPlugins": plugin_mutations.reload_plugins,
    "runPluginTask": plugin_mutations.run_plugin_task,
    "runPluginOperation": plugin_mutations.run_plugin_operation,
    "stopJob": plugin_mutations.stop_job,
    "stopAllJobs": plugin_mutations.stop_all_jobs,
}
# What a server answers whose database has not been migrated yet.
_WITHOUT_DATABASE: Final = frozenset({"systemStatus", "version", "configuration", "plugins", "jobQueue"})


def _as_resolver(root: RootResolver) -> Resolver:
    return lambda context, _record, arguments: root(context, arguments)


def _general(_context: object, record: Mapping[str, Any], _arguments: Arguments) -> object:
    return record["general"]


RESOLVERS: Final[Mapping[str, Mapping[str, Resolver]]] = {
    **FIELDS,
    "Query": {name: _as_resolver(root) for name, root in _QUERIES.items()},
    "Mutation": {name: _as_resolver(root) for name, root in _MUTATIONS.items()},
    "ConfigResult": {"general": _general, "plugins": queries.plugin_settings},
}


def execute(context: Context, operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to ``operation``. Raises RequestRefused for variables that do not fit."""
    schema = context.engine.schema
    variables = coerce_variables(schema, operation.definition, given)
    root = schema.mutation_type if operation.is_mutation else schema.query_type
    if root is None:
        raise TypeError("the schema lacks a root type")
    compiler = Compiler(schema, RESOLVERS, operation.fragments, variables)
    own, introspective = _split(operation.definition)
    data: dict[str, Any] | None = {}
    if introspective:
        data = _introspect(context, operation, introspective, given)
    errors: list[dict[str, Any]] = []
    for field in compiler.compile(root, SelectionSetNode(selections=tuple(own))).fields:
        try:
            value = _resolve(context, field)
        except (ResolverError, NotFound) as error:
            errors.append({"message": str(error), "path": [field.key]})
            value = None
            if isinstance(root.fields[field.name].type, GraphQLNonNull):
                data = None
        if data is not None:
            data[field.key] = value
    return {"errors": errors, "data": data} if errors else {"data": data}


def execute_event(context: Context, operation: Operation, given: Mapping[str, Any], value: object) -> dict[str, Any]:
    """Return what a subscription tells of an event; ``value`` is what its one root field stands for."""
    schema = context.engine.schema
    root = schema.subscription_type
    if root is None:
        raise TypeError("the schema lacks subscriptions")
    variables = coerce_variables(schema, operation.definition, given)
    resolvers = {**RESOLVERS, root.name: {name: lambda _context, _record, _arguments: value for name in root.fields}}
    compiler = Compiler(schema, resolvers, operation.fragments, variables)
    return {"data": compiler.compile(root, operation.definition.selection_set).project(context, None)}


def _resolve(context: Context, field: PlannedField) -> Any:  # noqa: ANN401 - whatever the field answers
    if context.engine.system_status != "OK" and field.name not in _WITHOUT_DATABASE:
        raise ResolverError("database not initialized")
    value = field.resolve(context, None, field.arguments)
    if value is None or field.selection is None:
        return value
    return field.selection.project_value(context, value)


def _split(definition: OperationDefinitionNode) -> tuple[list[Any], list[FieldNode]]:
    """Fields of the library, and those about the schema itself, which graphql-core answers."""
    own, introspective = [], []
    for node in definition.selection_set.selections:
        if isinstance(node, FieldNode) and node.name.value in {"__schema", "__type"}:
            introspective.append(node)
        else:
            own.append(node)
    return own, introspective


def _introspect(
    context: Context, operation: Operation, nodes: list[FieldNode], given: Mapping[str, Any]
) -> dict[str, Any]:
    definition = OperationDefinitionNode(
        operation=operation.definition.operation,
        name=operation.definition.name,
        variable_definitions=operation.definition.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(nodes)),
    )
    document = DocumentNode(definitions=(definition, *operation.fragments.values()))
    result = execute_sync(context.engine.schema, document, variable_values=dict(given))
    return dict(result.data or {})
