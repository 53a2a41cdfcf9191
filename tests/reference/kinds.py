"""Span kind: the table of section 2.1, first match wins."""

from __future__ import annotations

from collections.abc import Mapping

from tests.reference.decode import Span
from tests.reference.values import below

LANGFUSE = {
    "generation": "llm", "embedding": "embedding", "tool": "tool", "retriever": "retriever", "agent": "agent",
    "chain": "chain", "guardrail": "guardrail", "evaluator": "evaluator", "event": "event", "span": "span",
}  # fmt: skip
OPENINFERENCE = {
    name: name.lower()
    for name in (
        "LLM",
        "EMBEDDING",
        "CHAIN",
        "RETRIEVER",
        "RERANKER",
        "TOOL",
        "AGENT",
        "GUARDRAIL",
        "EVALUATOR",
        "PROMPT",
    )
}
LANGSMITH = {
    "llm": "llm",
    "chain": "chain",
    "tool": "tool",
    "retriever": "retriever",
    "embedding": "embedding",
    "prompt": "prompt",
}
OPERATION = {
    **dict.fromkeys(
        (
            "chat",
            "text_completion",
            "completion",
            "generate_content",
            "responses",
            "acompletion",
            "fetch_response",
        ),
        "llm",
    ),
    **dict.fromkeys(("embeddings", "embedding"), "embedding"),
    "execute_tool": "tool",
    **dict.fromkeys(("retrieval", "vector_db_retrieve", "search_memory"), "retriever"),
    **dict.fromkeys(("invoke_agent", "create_agent"), "agent"),
    **dict.fromkeys(
        (
            "invoke_workflow",
            "agent_step",
            "execute_event_loop_cycle",
            "execute_task",
            "handoff",
            "plan",
            "chain",
        ),
        "chain",
    ),
    "apply_guardrail": "guardrail",
}
TRACELOOP = {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool", "handoff": "chain"}
AI_OPERATION = {
    **dict.fromkeys(("ai.generateText.doGenerate", "ai.generateObject.doGenerate"), "llm"),
    **dict.fromkeys(("ai.streamText.doStream", "ai.streamObject.doStream"), "llm"),
    **dict.fromkeys(("ai.embed.doEmbed", "ai.embedMany.doEmbed"), "embedding"),
    "ai.toolCall": "tool",
    **dict.fromkeys(
        (
            "ai.generateText",
            "ai.streamText",
            "ai.generateObject",
            "ai.streamObject",
            "ai.embed",
            "ai.embedMany",
        ),
        "chain",
    ),
}
REQUEST_TYPE = {
    **dict.fromkeys(("chat", "completion", "acompletion", "responses"), "llm"), "embedding": "embedding", "rerank": "reranker",
}  # fmt: skip
TABLE: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("langfuse.observation.type", LANGFUSE),
    ("openinference.span.kind", OPENINFERENCE),
    ("langsmith.span.kind", LANGSMITH),
    ("gen_ai.operation.name", OPERATION),
    ("traceloop.span.kind", TRACELOOP),
    ("ai.operationId", AI_OPERATION),
    ("llm.request.type", REQUEST_TYPE),
)
USAGE_PREFIXES = (
    "gen_ai.usage.",
    "llm.usage.",
    "llm.token_count.",
    "ai.usage.",
    "langfuse.observation.usage_details",
)


def is_pending(span: Span) -> bool:
    """Row 0: a marker of work in progress, not an observation."""
    return span.attributes.get("logfire.span_type") == "pending_span"


def kind(span: Span) -> str:
    """The kind that the span itself tells; `trace` raises an outer AI SDK span with tool calls to agent."""
    attributes = span.attributes
    if attributes.get("logfire.span_type") == "log":
        return "llm" if attributes.get("gen_ai.output.messages") else "event"
    for key, kinds in TABLE:
        if (found := kinds.get(_spelling(key, attributes.get(key)))) is not None:
            return _corrected(span, found)
    if attributes.get("gen_ai.tool.name") and not attributes.get("gen_ai.request.model"):
        return "tool"
    if attributes.get("gen_ai.request.model") or any(below(attributes, prefix) for prefix in USAGE_PREFIXES):
        return "llm"
    return "span"


def _spelling(key: str, value: object) -> str:
    return str(value).upper() if key == "openinference.span.kind" else str(value)


def _corrected(span: Span, found: str) -> str:
    """The two exceptions that the table makes in its right column."""
    if _retrieving_task(span, found):
        return "retriever"
    return "llm" if found == "span" and _old_langfuse_generation(span) else found


def _old_langfuse_generation(span: Span) -> bool:
    """Row 1: up to 3.3 the Langfuse SDK called a generation a span."""
    numbers = span.scope_version.split(".")[:2]
    old = (
        span.scope_name == "langfuse-sdk"
        and all(n.isdigit() for n in numbers)
        and [int(n) for n in numbers] <= [3, 3]
    )
    has_model = any(
        key in span.attributes
        for key in ("langfuse.observation.model.name", "langfuse.observation.usage_details")
    )
    return old and has_model


def _retrieving_task(span: Span, found: str) -> bool:
    """Row 5: a Traceloop task is a retriever when its name says so."""
    attributes = span.attributes
    is_task = attributes.get("traceloop.span.kind") == "task" and "gen_ai.operation.name" not in attributes
    return (
        found == "chain" and is_task and "retriev" in str(attributes.get("traceloop.entity.name", "")).lower()
    )
