"""Requests made from the OpenAPI document, most of them wrong: every answer is one that the document promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    from collections.abc import Iterator

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
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if found.ok().path != ENDLESS]


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


@pytest.mark.parametrize("mode", [GenerationMode.NEGATIVE, GenerationMode.POSITIVE], ids=["wrong", "right"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
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

    if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body or operation.path_parameters):
        pytest.skip("there is nothing to get wrong")
    ask()
