"""The Langfuse SDK over OTLP: it posts to /api/public/otel/v1/traces with its own headers and attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import langfuse.openai  # noqa: F401  (patches the OpenAI SDK)
from langfuse import get_client, propagate_attributes

from tests.clients.programs import conversation

client = get_client()


@contextmanager
def tool_span(name: str, arguments: str, _call_id: str) -> Iterator[Callable[[str], None]]:
    """A tool observation."""
    with client.start_as_current_observation(name=name, as_type="tool", input=arguments) as span:

        def answer(result: str) -> None:
            span.update(output=result)

        yield answer


with (
    client.start_as_current_observation(name="shop-agent", as_type="agent"),
    propagate_attributes(
        session_id=conversation.SESSION,
        user_id=conversation.USER,
        tags=["live", "shop"],
        metadata={"tenant": "northwind"},
    ),
):
    conversation.hold(tool_span)
client.shutdown()
