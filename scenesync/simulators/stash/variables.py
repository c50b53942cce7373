"""Input values as gqlgen takes them: leniently, and refused with its own texts (facts/stash.md 3.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    is_input_type,
    type_from_ast,
)

from scenesync.simulators.stash.documents import VALIDATION_FAILED, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTEGER: Final = re.compile(r"[-+]?\d+")
_NUMBER: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
# Go's names of the kinds that encoding/json produces; they stand in the texts of refusals.
_KINDS: Final = ((bool, "bool"), (int, "int64"), (float, "float64"), (str, "string"), (dict, "map"), (list, "slice"))


def coerce_variables(
    schema: GraphQLSchema, definition: OperationDefinitionNode, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of the operation's variables. Absent ones stay absent; raises :class:`RequestRefused`."""
    values: dict[str, Any] = {}
    for variable in definition.variable_definitions or ():
        name = variable.variable.name.value
        kind = type_from_ast(schema, variable.type)
        if not is_input_type(kind):
            raise _refusal("must an input type", ("variable", name))
        path = ("variable", name)
        if name in given:
            values[name] = _coerce(given[name], kind, path)
        elif variable.default_value is not None:
            values[name] = literal(variable.default_value, kind, {})
        elif isinstance(kind, GraphQLNonNull):
            raise _refusal("must be defined", path)
    return values


def literal(node: ValueNode, kind: GraphQLInputType | None, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the value written in a (validated) query; ``kind`` is None inside free-form maps."""
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(node, VariableNode):
        return variables.get(node.name.value)
    if isinstance(kind, GraphQLList) and not isinstance(node, ListValueNode | NullValueNode):
        return [literal(node, kind.of_type, variables)]
    match node:
        case NullValueNode():
            return None
        case ListValueNode():
            inner = kind.of_type if isinstance(kind, GraphQLList) else None
            return [literal(each, inner, variables) for each in node.values]
        case ObjectValueNode():
            return _literal_object(node, kind, variables)
    return _literal_scalar(node, kind)


def _literal_object(
    node: ObjectValueNode, kind: GraphQLInputType | None, variables: Mapping[str, Any]
) -> dict[str, Any]:
    known = kind.fields if isinstance(kind, GraphQLInputObjectType) else {}
    result = {}
    for field in node.fields:
        name = field.name.value
        if isinstance(field.value, VariableNode) and field.value.name.value not in variables:
            continue  # an absent variable leaves the field absent
        result[name] = literal(field.value, known[name].type if name in known else None, variables)
    return result


def _literal_scalar(node: ValueNode, kind: GraphQLInputType | None) -> object:
    named = getattr(kind, "name", "")
    match node:
        case IntValueNode():
            if named == "Float":
                return float(node.value)
            return node.value if named in {"ID", "String"} else int(node.value)
        case FloatValueNode():
            return float(node.value)
        case BooleanValueNode() | StringValueNode() | EnumValueNode():
            return node.value
    raise TypeError(f"a literal of kind {node.kind} cannot be here")


def _coerce(value: Any, kind: GraphQLInputType, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            raise _refusal("cannot be null", path)
        kind = kind.of_type
    if value is None:
        return None
    if isinstance(kind, GraphQLList):
        if not isinstance(value, list):
            return [_coerce(value, kind.of_type, path)]
        return [_coerce(each, kind.of_type, (*path, index)) for index, each in enumerate(value)]
    if isinstance(kind, GraphQLInputObjectType):
        return _coerce_object(value, kind, path)
    if isinstance(kind, GraphQLEnumType):
        if value not in kind.values:
            raise _refusal(f"{value} is not a valid {kind.name}", path)
        return value
    return _coerce_scalar(value, getattr(kind, "name", ""), path)


def _coerce_object(value: Any, kind: GraphQLInputObjectType, path: tuple[str | int, ...]) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise _refusal(f"must be a {kind.name}", path)
    for name in value:
        if name not in kind.fields:
            raise _refusal("unknown field", (*path, name))
    result = {}
    for name, field in kind.fields.items():
        if name in value:
            result[name] = _coerce(value[name], field.type, (*path, name))
        elif isinstance(field.type, GraphQLNonNull):
            raise _refusal("must be defined", (*path, name))
    return result


def _coerce_scalar(value: Any, name: str, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - as above
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_integer = is_number and isinstance(value, int)
    text = value if isinstance(value, str) else ""
    match name:
        case "Int" if is_integer or _INTEGER.fullmatch(text):
            return int(value)
        case "Float" if is_number or _NUMBER.fullmatch(text):
            return float(value)
        case "String" if isinstance(value, str) or is_number:
            return str(value)
        case "ID" if isinstance(value, str) or is_integer:
            return str(value)
        case "Boolean" if isinstance(value, bool):
            return value
        case "Map" | "BoolMap" if not isinstance(value, dict):
            raise _refusal(f"{_kind_name(value)} is not a map", path)
        case "Int" | "Float" | "String" | "ID" | "Boolean":
            raise _refusal(f"cannot use {_kind_name(value)} as {name}", path)
    return value


def _kind_name(value: object) -> str:
    return next(name for kind, name in _KINDS if isinstance(value, kind))


def _refusal(message: str, path: tuple[str | int, ...]) -> RequestRefused:
    return RequestRefused(422, {"message": message, "path": list(path), "extensions": {"code": VALIDATION_FAILED}})
