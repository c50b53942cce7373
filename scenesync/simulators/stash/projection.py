"""Turns records into the answer that a query asked for.

graphql-core's own executor needs seconds for a page of 1,000 scenes; a selection that is compiled once per request
needs milliseconds, and shows an entity that many scenes share only once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
)

from scenesync.simulators.stash.variables import literal

if TYPE_CHECKING:
    from graphql import FragmentDefinitionNode

Arguments = Mapping[str, Any]
Resolver = Callable[[Any, Any, Arguments], Any]
"""Called with the call's context, the record and the field's arguments."""

# Rows that many scenes share; each is projected once per selection.
_SHARED: Final = frozenset({"Performer", "Studio", "Tag", "Group"})


@dataclass(frozen=True, slots=True)
class PlannedField:
    """One field of a selection, ready to be read from any record of its type."""

    key: str
    name: str
    resolve: Resolver
    arguments: Arguments
    selection: Selection | None
    read: Callable[[Any], Any] | None = None
    """Reads a plain attribute, quicker than ``resolve`` would."""


class Selection:
    """The fields asked of one type of record."""

    def __init__(self, fields: Sequence[PlannedField], *, shared: bool) -> None:
        self.fields = fields
        # Unpacked once: this loop is where the time of a page of 1,000 scenes goes.
        self._steps = [(field.key, field.read, field.resolve, field.arguments, field.selection) for field in fields]
        self._seen: dict[int, dict[str, Any]] | None = {} if shared else None

    def project(self, context: object, record: Any) -> dict[str, Any]:  # noqa: ANN401 - any record of the type
        """Return the answer for ``record``."""
        if self._seen is not None and (known := self._seen.get(record.id)) is not None:
            return known
        answer = {}
        for key, read, resolve, arguments, selection in self._steps:
            value = resolve(context, record, arguments) if read is None else read(record)
            if selection is not None and value is not None:
                value = selection.project_value(context, value)
            answer[key] = value
        if self._seen is not None:
            self._seen[record.id] = answer
        return answer

    def project_value(self, context: object, value: Any) -> Any:  # noqa: ANN401 - a record or several
        """Return the answer for a record or for each of several."""
        if isinstance(value, list | tuple):
            return [None if each is None else self.project(context, each) for each in value]
        return self.project(context, value)


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles the selections of one request."""

    schema: GraphQLSchema
    resolvers: Mapping[str, Mapping[str, Resolver]]
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]

    def compile(self, kind: GraphQLObjectType, selection_set: SelectionSetNode) -> Selection:
        """Return the plan for records of ``kind``."""
        grouped: dict[str, list[FieldNode]] = {}
        self._collect(kind, selection_set.selections, grouped)
        fields = [self._field(kind, key, nodes) for key, nodes in grouped.items()]
        return Selection(fields, shared=kind.name in _SHARED)

    def _collect(
        self, kind: GraphQLObjectType, nodes: Iterable[SelectionNode], grouped: dict[str, list[FieldNode]]
    ) -> None:
        for node in nodes:
            if not self._included(node):
                continue
            match node:
                case FieldNode():
                    grouped.setdefault((node.alias or node.name).value, []).append(node)
                case InlineFragmentNode():
                    if node.type_condition is None or node.type_condition.name.value == kind.name:
                        self._collect(kind, node.selection_set.selections, grouped)
                case FragmentSpreadNode():
                    fragment = self.fragments[node.name.value]
                    if fragment.type_condition.name.value == kind.name:
                        self._collect(kind, fragment.selection_set.selections, grouped)

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            for argument in directive.arguments or ():  # "if" is the only one
                condition = bool(literal(argument.value, None, self.variables))
                if directive.name.value == ("skip" if condition else "include"):
                    return False
        return True

    def _field(self, kind: GraphQLObjectType, key: str, nodes: Sequence[FieldNode]) -> PlannedField:
        name = nodes[0].name.value
        if name == "__typename":
            return PlannedField(key, name, lambda _context, _record, _arguments: kind.name, {}, None)
        definition = kind.fields[name]
        arguments = {
            each.name.value: literal(each.value, definition.args[each.name.value].type, self.variables)
            for each in nodes[0].arguments or ()
            if not self._is_absent(each.value)
        }
        parts = [node.selection_set for node in nodes if node.selection_set is not None]
        inner = get_named_type(definition.type)
        selection = None
        if parts and isinstance(inner, GraphQLObjectType):
            whole = SelectionSetNode(selections=tuple(each for part in parts for each in part.selections))
            selection = self.compile(inner, whole)
        resolve = self.resolvers.get(kind.name, {}).get(name)
        if resolve is not None:
            return PlannedField(key, name, resolve, arguments, selection)
        read = operator.attrgetter(name)
        return PlannedField(key, name, lambda _context, record, _arguments: read(record), arguments, selection, read)

    def _is_absent(self, node: object) -> bool:
        name = getattr(node, "name", None)
        return getattr(node, "kind", "") == "variable" and name is not None and name.value not in self.variables
