"""Requests made from the OpenAPI document, most of them wrong: every answer is one that the document promises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from web_world import KEY, WebWorld

from scenesync.web.application import openapi_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from _pytest.mark import ParameterSet
    from schemathesis import APIOperation, Case

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

EXAMPLES_EACH = 4
CHECKS = (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
ENDLESS = "/api/v1/events"
"""A stream has no end to wait for; test_web_api listens to it."""

SCHEMA = schemathesis.openapi.from_dict(openapi_document("0"))
# A wrong key would be all that is seen of a wrong request; test_web_security tries those.
SCHEMA.config.generation.update(with_security_parameters=False)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if found.ok().path != ENDLESS]


SEVERAL = " and "
"""Between the values of a parameter that is given more than once."""
WRONG_CURSORS = ("x", "1.5", ":", "..", "1:2:3", "9" * 30, "-1", "٣", "1" * 65)


def asked() -> Iterator[ParameterSet]:
    """Every operation with right requests, and with wrong ones where there is something to get wrong."""
    for operation in OPERATIONS:
        yield pytest.param(operation, GenerationMode.POSITIVE, id=f"{operation.label}, right")
        if operation.query or operation.body or operation.path_parameters:
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{operation.label}, wrong")


def wrong_queries() -> Iterator[ParameterSet]:
    """Every parameter of every query in the document, with what it does not allow."""
    for path, operations in openapi_document("0")["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", []):
            if parameter["in"] == "query":
                name = parameter["name"]
                wrong = list(wrong_values(name, parameter["schema"]))
                yield pytest.param(re.sub(r"{\w+}", "1", path), name, wrong, id=f"{path} {name}")


def wrong_values(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield values of another type, out of range, too long, and not among those that are named."""
    [allowed] = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    if allowed["type"] == "array":
        if "maxItems" in allowed:
            yield SEVERAL.join(["1"] * (allowed["maxItems"] + 1))
        allowed = allowed["items"]
    if name == "cursor":
        yield from WRONG_CURSORS
    elif "enum" in allowed:
        yield from ("nothing", allowed["enum"][0].upper(), "")
    elif allowed["type"] == "boolean":
        yield from ("", "maybe", "2")
    elif allowed["type"] == "integer":
        yield from ("many", "1.5", "", "true", str(allowed["minimum"] - 1), str(allowed["maximum"] + 1))
    else:
        yield from ("", "a" * (allowed["maxLength"] + 1), "harbour\0")
    if name == "since":
        yield from ("one evening", "-5h", "5y", "99999999999w", "2026-13-01")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    with WebWorld(tmp_path_factory.mktemp("contract") / "data") as world:
        for number in range(3):
            world.pair(f"contract {number}", title=f"Canal {number}")
        world.synced(1)
        yield world


def test_the_document_describes_everything_that_a_key_opens() -> None:
    assert len(OPERATIONS) > 40
    assert {operation.path.split("/")[1] for operation in OPERATIONS} == {"api", "health", "metrics"}
    document = openapi_document("0")
    assert document["security"] == [{"key": []}, {"bearer": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), (method, path)
            assert "application/problem+json" in operation["responses"]["401"]["content"], (method, path)


@pytest.mark.parametrize(("operation", "mode"), list(asked()))
def test_answers_are_those_of_the_document(
    world: WebWorld, operation: APIOperation[Any, Any], mode: GenerationMode
) -> None:
    strategy = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES_EACH,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Case) -> None:
        answer = case.call(base_url=world.url, headers={"X-Api-Key": KEY}, timeout=20, allow_redirects=False)
        assert answer.status_code != 500, answer.text
        # In a query the last of several values counts, which is no mistake in HTTP.
        refuses = [negative_data_rejection] if operation.body else []
        case.validate_response(answer, checks=[*CHECKS, *refuses])

    ask()


@pytest.mark.parametrize(("path", "parameter", "wrong"), list(wrong_queries()))
def test_a_query_that_means_nothing_is_refused(world: WebWorld, path: str, parameter: str, wrong: list[str]) -> None:
    for value in wrong:
        answer = world.ask("GET", f"{path}?{urlencode([(parameter, each) for each in value.split(SEVERAL)])}")
        assert answer.status in {404, 422}, (value, answer.status)
        assert answer.headers["Content-Type"] == "application/problem+json", value
        problem = answer.json()
        assert problem["status"] == answer.status
        assert problem["type"].startswith("urn:scenesync:problem:")
        assert problem["detail"]


def test_a_cursor_of_a_plan_that_was_never_given_is_refused_or_leads_to_nothing(world: WebWorld) -> None:
    plan = world.finished(world.post("/plans", {"all": True, "force": True}, 202))
    path = f"/api/v1/plans/{plan['id']}/scenes"
    assert world.ask("GET", path).status == 200
    for cursor in (1, 7, 10**9, 2**63 - 1):
        answer = world.ask("GET", f"{path}?cursor={cursor}")
        assert answer.status in {200, 422}, (cursor, answer.data)
        if answer.status == 200:
            assert answer.json()["next_cursor"] is None


@pytest.mark.parametrize("path", sorted({operation.path for operation in OPERATIONS}))
def test_a_method_that_a_path_does_not_have_is_refused(world: WebWorld, path: str) -> None:
    methods = {operation.method.upper() for operation in OPERATIONS if operation.path == path}
    for method in {"DELETE", "GET", "POST", "PUT"} - methods:
        answer = world.ask(method, re.sub(r"{\w+}", "1", path), document={} if method != "GET" else None)
        # A path of another operation may fit as well: /scenes/counts is one of /scenes/{scene_id}.
        assert answer.status in {404, 405, 422}, (method, answer.status)
        assert answer.headers["Content-Type"] == "application/problem+json"
