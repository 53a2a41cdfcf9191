"""Schemathesis over the OpenAPI document: whatever is sent, no server error, and answers are as documented."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.factories import conversation
from tests.integration.api.harness import Api
from tests.integration.api.serving import served

EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


async def test_no_request_breaks_the_api(api: Api) -> None:
    api.insert(conversation(1, session_id="s", user_id="u"))
    async with served(api) as url:
        document = (await api.client.get("/api/v1/openapi.json")).json()
        called = await asyncio.to_thread(_fuzz, document, url, api.project)
    assert called == {operation["operationId"] for path in document["paths"].values() for operation in path.values()}


def _fuzz(document: dict[str, Any], url: str, project: str) -> set[str]:
    """Calls every operation with generated requests, half of them in a project that exists; which were called."""
    schema = schemathesis.openapi.from_dict(document)
    called = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        _fuzz_one(operation, url, project)
        called.add(operation.definition.raw["operationId"])
    return called


def _fuzz_one(operation: Any, url: str, project: str) -> None:
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(case=operation.as_strategy(), real=hypothesis.strategies.booleans())
    def one(case: Any, real: bool) -> None:
        if real and "project" in (case.path_parameters or {}):
            case.path_parameters["project"] = project
        case.validate_response(case.call(base_url=url), checks=CHECKS)

    one()
