"""GraphQL texts, parsed and validated as Stash does it: unknown things are refused with status 422 and its texts."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLSchema

VALIDATION_FAILED: Final = "GRAPHQL_VALIDATION_FAILED"
_PARSE_FAILED: Final = "GRAPHQL_PARSE_FAILED"
_QUOTED: Final = re.compile(r"'([^']*)'")
_REMEMBERED: Final = 500


class RequestRefused(Exception):
    """The request as a whole is refused, with ``status`` and one or more GraphQL errors."""

    def __init__(self, status: int, *errors: dict[str, Any]) -> None:
        super().__init__(errors[0]["message"])
        self.status = status
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document."""

    definition: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    document: DocumentNode

    @property
    def name(self) -> str:
        """The operation's own name; empty when it is anonymous."""
        return self.definition.name.value if self.definition.name else ""

    @property
    def is_mutation(self) -> bool:
        """True for mutations: they are not allowed by GET, and run outside the event loop."""
        return self.definition.operation is OperationType.MUTATION

    @property
    def root_fields(self) -> tuple[str, ...]:
        """Names of the fields that it asks for at the top."""
        return tuple(
            each.name.value for each in self.definition.selection_set.selections if isinstance(each, FieldNode)
        )


@dataclass(slots=True)
class Documents:
    """Parses and validates each text once."""

    schema: GraphQLSchema
    _known: dict[str, DocumentNode] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def operation(self, text: str, name: str | None) -> Operation:
        """Return the operation called ``name`` (or the only one). Raises :class:`RequestRefused`."""
        document = self._document(text)
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        if name:
            operations = [each for each in operations if each.name and each.name.value == name]
        if not operations:
            message = f"operation {name} not found" if name else "no operation provided"
            raise RequestRefused(422, {"message": message, "extensions": {"code": VALIDATION_FAILED}})
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        return Operation(operations[0], fragments, document)

    def _document(self, text: str) -> DocumentNode:
        known = self._known.get(text)
        if known is not None:
            return known
        try:
            document = parse(text)
        except GraphQLError as error:
            raise RequestRefused(422, _described(error, _PARSE_FAILED)) from None
        errors = validate(self.schema, document)
        if errors:
            raise RequestRefused(422, *(_described(error, VALIDATION_FAILED) for error in errors))
        with self._lock:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[text] = document
        return document


@cache
def documents_of(schema: GraphQLSchema) -> Documents:
    """Return what parses and validates by a schema: what one simulated Stash has seen, the next need not."""
    return Documents(schema)


def _described(error: GraphQLError, code: str) -> dict[str, Any]:
    """Put an error of graphql-core into the words of gqlparser: other quotes, no prefix, no full stop."""
    message = error.message
    if code == _PARSE_FAILED:
        message = message.removeprefix("Syntax Error: ").removesuffix(".")
    described: dict[str, Any] = {"message": _QUOTED.sub(r'"\1"', message)}
    if error.locations:
        described["locations"] = [{"line": each.line, "column": each.column} for each in error.locations]
    return described | {"extensions": {"code": code}}
