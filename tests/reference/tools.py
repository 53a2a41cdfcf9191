"""Tools and documents: sections 2.5 and 2.6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.reference.decode import Span
from tests.reference.values import below, first, first_text, flattened, one_of, parsed


def tool_name(span: Span, kind: str) -> str:
    """The tool that a tool span runs; '' on any other span."""
    if kind != "tool":
        return ""
    found = first_text(
        span.attributes, "gen_ai.tool.name", "tool.name", "ai.toolCall.name", "traceloop.entity.name"
    )
    return found or span.name.removeprefix("execute_tool ").removesuffix(".tool")


def tool_call_id(span: Span, kind: str) -> str:
    """The call that a tool span answers."""
    return (
        first_text(span.attributes, "gen_ai.tool.call.id", "ai.toolCall.id", "tool.id")
        if kind == "tool"
        else ""
    )


def tool_definitions(span: Span) -> Any:
    """Tools offered to the model as {name, description, parameters}, whatever their nesting.

    Langfuse sends them beside its messages, which the row of tool definitions does not list: they may be taken from there.
    """
    a = span.attributes
    request = parsed(a.get("langfuse.observation.input"))
    if isinstance(request, dict) and isinstance(request.get("tools"), list):
        return one_of([], [_definition(tool) for tool in request["tools"]])
    listed = first(a, "gen_ai.tool.definitions", "gen_ai.agent.tools") or []
    listed = listed or [item.get("tool.json_schema") for item in flattened(a, "llm.tools")]
    listed = listed or flattened(a, "llm.request.functions")
    listed = listed or a.get("ai.prompt.tools", [])
    return [_definition(tool) for tool in (parsed(item) for item in listed) if isinstance(tool, dict)]


def _definition(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    inner: Mapping[str, Any] = function if isinstance(function, dict) else tool
    schema = next(
        (inner[key] for key in ("parameters", "input_schema", "inputSchema") if inner.get(key)), None
    )
    return {
        "name": inner.get("name", ""),
        "description": inner.get("description") or "",
        "parameters": parsed(schema),
    }


def documents(span: Span, kind: str) -> list[dict[str, Any]]:
    """Retrieved or reranked documents as {id, content, score, metadata}, None where missing."""
    a = span.attributes
    for prefix in ("retrieval.documents", "reranker.output_documents"):
        if items := flattened(a, prefix):
            return [_document(below(item, "document.")) for item in items]
    listed = first(a, "gen_ai.retrieval.documents")
    if listed is None and kind == "retriever":
        listed = first(a, "langfuse.observation.output", "traceloop.entity.output", "gen_ai.completion")
    if isinstance(listed, dict):
        listed = listed.get("documents", listed.get("output", []))
    return [_document(item) for item in listed or [] if isinstance(item, dict)]


def _document(item: Mapping[str, Any]) -> dict[str, Any]:
    content = next((item[key] for key in ("content", "page_content", "text") if item.get(key)), None)
    identity = item.get("id")
    return {
        "id": None if identity is None else str(identity),
        "content": content,
        "score": item.get("score"),
        "metadata": parsed(item.get("metadata")) or None,
    }
