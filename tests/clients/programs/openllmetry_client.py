"""OpenLLMetry: the Traceloop SDK with its decorators and association properties, exporting over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from traceloop.sdk import Traceloop  # type: ignore[import-not-found]
from traceloop.sdk.decorators import tool, workflow  # type: ignore[import-not-found]

from tests.clients.programs import conversation

Traceloop.init(
    app_name="shop",
    api_endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
    headers=os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""),
    telemetry_enabled=False,
)


@tool(name="lookup_order")  # type: ignore[untyped-decorator]
def lookup(order_id: str) -> dict[str, str]:
    """The tool, traced by the decorator."""
    return {"order_id": order_id, "status": "shipped"}


@contextmanager
def tool_span(name: str, _arguments: str, _call_id: str) -> Iterator[Callable[[str], None]]:
    """The decorated tool is its own span: it runs beside the conversation's own result."""
    lookup("48210")
    yield lambda result: None


@workflow(name="shop-workflow")  # type: ignore[untyped-decorator]
def run() -> None:
    """The conversation as a workflow."""
    Traceloop.set_association_properties(
        {"session_id": conversation.SESSION, "user_id": conversation.USER, "tenant": "northwind"}
    )
    conversation.hold(tool_span)


run()
