"""One span on its own: every column that follows from the span alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.reference import context, kinds, models, outcome, tools
from tests.reference.content import Content, content
from tests.reference.decode import Span
from tests.reference.usage import Usage, usage

MAPPED = (
    "gen_ai.", "llm.", "ai.", "langfuse.", "langsmith.", "traceloop.", "openinference.", "embedding.", "retrieval.", "reranker.",
    "input.", "output.", "tool.", "tool_", "metadata", "tag.", "request_data", "response_data", "events", "all_messages",
    "pydantic_ai.all_messages", "final_result", "inputs", "embeddings",
)  # fmt: skip
"""Keys that the mapping speaks of. All others are the client's own and must be kept as they are (1.3)."""


@dataclass
class Reading:
    """A span, what it says of itself by column, and the two readings that later rules need whole."""

    span: Span
    columns: dict[str, Any]
    usage: Usage
    input: Content
    output: Content

    @property
    def kind(self) -> str:
        """The span's kind."""
        return str(self.columns["kind"])


def read(span: Span) -> Reading:
    """Reads one span."""
    kind = kinds.kind(span)
    amounts = usage(span)
    given, answered = content(span)
    prompt_name, prompt_version = context.prompt(span)
    columns = {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": span.name,
        "duration_ms": max(span.end - span.start, 0) / 1e6,
        "kind": kind,
        "status": outcome.status(span),
        "status_message": outcome.status_message(span),
        "error_type": outcome.error_type(span),
        "service": context.service(span),
        "environment": context.environment(span),
        "release": context.release(span),
        "scope_name": span.scope_name,
        "scope_version": span.scope_version,
        "session_id": context.session_id(span),
        "user_id": context.user_id(span),
        "tags": context.tags(span),
        "agent_name": context.agent_name(span),
        "workflow_name": context.workflow_name(span),
        "prompt_name": prompt_name,
        "prompt_version": prompt_version,
        "provider": models.provider(span),
        "request_model": models.request_model(span),
        "response_model": models.response_model(span),
        "response_id": models.response_id(span),
        "tool_name": tools.tool_name(span, kind),
        "tool_call_id": tools.tool_call_id(span, kind),
        "tool_definitions": tools.tool_definitions(span),
        "documents": tools.documents(span, kind),
        "input_tokens": amounts["input"],
        "output_tokens": amounts["output"],
        "total_tokens": sum(amounts.parts.values()) if amounts.known else None,
        "cache_read_tokens": amounts["cache_read"],
        "cache_write_tokens": amounts["cache_write"],
        "reasoning_tokens": amounts["reasoning"],
        "usage": amounts.parts,
        "usage_flags": sorted(amounts.flags),
        "streaming": outcome.streaming(span),
        "time_to_first_token_ms": outcome.time_to_first_token_ms(span),
        "finish_reason": outcome.finish_reason(span),
        "attributes": {key: value for key, value in span.attributes.items() if not key.startswith(MAPPED)},
        "resource_attributes": dict(span.resource),
    }
    return Reading(span, columns, amounts, given, answered)
