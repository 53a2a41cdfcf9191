"""Schemathesis over the OpenAPI document: whatever is sent, no server error, and answers are as documented."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.factories import conversation, span_id, trace_id
from tests.integration.api.harness import Api
from tests.integration.api.serving import served

EXAMPLES = 12
for media_type in ("application/x-ndjson", "application/vnd.apache.parquet"):
    schemathesis.serializer.alias(media_type, "application/octet-stream")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


async def test_no_request_breaks_the_api(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.writing.deletions.PATIENCE", 0.01)  # no writer runs here
    api.insert(conversation(1, session_id="s", user_id="u"))
    async with served(api) as url:
        document = (await api.client.get("/api/v1/openapi.json")).json()
        called = await asyncio.to_thread(_fuzz, document, url, api.project)
    assert called == {
        operation["operationId"] for path in document["paths"].values() for operation in path.values()
    }


KNOWN: tuple[dict[str, str], ...] = (
    {},
    {"trace_id": trace_id(1), "span_id": span_id(11), "session_id": "s"},
    {"project": "no such project"},
)
"""What stands in a path in place of what was generated."""


def _fuzz(document: dict[str, Any], url: str, project: str) -> set[str]:
    """Calls every operation with generated requests, mostly in a project that exists; which were called."""
    schema = schemathesis.openapi.from_dict(document)
    called = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), "the document has an operation that cannot be read"
        operation = found.ok()
        _fuzz_one(operation, url, project)
        called.add(operation.definition.raw["operationId"])
    return called


def _fuzz_one(operation: Any, url: str, project: str) -> None:
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(), known=hypothesis.strategies.sampled_from(KNOWN))
    def one(case: Any, known: dict[str, str]) -> None:
        there = case.path_parameters or {}
        there.update({name: value for name, value in ({"project": project} | known).items() if name in there})
        case.validate_response(case.call(base_url=url), checks=CHECKS)

    one()
