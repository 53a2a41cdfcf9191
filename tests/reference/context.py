"""Trace context: section 2.7. Each function gives what the span itself says, '' or empty when it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.reference.decode import Span
from tests.reference.values import EMPTY, below, first, first_text, one_of, parsed, text, texts

SESSION_KEYS = (
    "session.id", "langfuse.session.id", "gen_ai.conversation.id", "traceloop.association.properties.session_id",
    "traceloop.association.properties.thread_id", "traceloop.association.properties.chat_id", "ai.telemetry.metadata.sessionId",
    "ai.settings.context.sessionId", "langsmith.metadata.session_id", "langsmith.metadata.thread_id",
)  # fmt: skip
USER_KEYS = (
    "user.id", "langfuse.user.id", "enduser.id", "traceloop.association.properties.user_id", "ai.telemetry.metadata.userId",
    "ai.settings.context.userId", "langsmith.metadata.user_id",
)  # fmt: skip
LATE_USER_KEYS = ("user_id", "gen_ai.user", "llm.user", "gen_ai.request.user")
TAG_KEYS = (
    "langfuse.trace.tags", "langfuse.tags", "tag.tags", "ai.telemetry.metadata.tags", "ai.settings.context.tags",
    "langsmith.span.tags", "logfire.tags", "tags",
)  # fmt: skip
METADATA_PREFIXES = (
    "langfuse.trace.metadata.", "langfuse.observation.metadata.", "ai.telemetry.metadata.", "ai.settings.context.",
    "traceloop.association.properties.", "langsmith.metadata.", "metadata.",
)  # fmt: skip
CONTEXT_NAMES = {"sessionId", "session_id", "thread_id", "chat_id", "userId", "user_id", "tags"}
"""Metadata keys that are also session, user or tags: the mapping does not say whether they stay in the metadata."""
WORKFLOW_KEYS = ("traceloop.workflow.name", "gen_ai.workflow.name")


@dataclass(frozen=True)
class Metadata:
    """Keys that must be there with these values, and keys that may be."""

    required: dict[str, Any]
    allowed: frozenset[str]


def session_id(span: Span) -> str:
    """The session; a value that Logfire scrubbed is none."""
    found = first_text(span.attributes, *SESSION_KEYS) or _from_metadata(span, "session_id")
    last = first_text(span.attributes, "session_id")
    return found or ("" if last.startswith("[Scrubbed due to") else last)


def user_id(span: Span) -> str:
    """The end user."""
    return (
        first_text(span.attributes, *USER_KEYS)
        or _from_metadata(span, "user_id")
        or first_text(span.attributes, *LATE_USER_KEYS)
    )


def _from_metadata(span: Span, key: str) -> str:
    metadata = parsed(span.attributes.get("metadata"))
    return text(metadata.get(key)) if isinstance(metadata, dict) else ""


def tags(span: Span) -> list[str]:
    """The first source that has any."""
    for key in TAG_KEYS:
        value = parsed(span.attributes.get(key))
        if value not in EMPTY:
            values = value.split(",") if isinstance(value, str) else value
            return texts(v.strip() if isinstance(v, str) else v for v in values)
    entity = parsed(span.attributes.get("traceloop.entity.input"))
    return texts(entity.get("tags") or []) if isinstance(entity, dict) else []


def metadata(span: Span) -> dict[str, Any]:
    """The user's own key-values, parsed; the first source of a key wins, empties are dropped."""
    merged: dict[str, Any] = {}
    for prefix in METADATA_PREFIXES:
        merged = {
            key: parsed(value) for key, value in below(span.attributes, prefix).items() if value not in EMPTY
        } | merged
    listed = parsed(span.attributes.get("metadata"))
    if isinstance(listed, dict):
        merged = {key: value for key, value in listed.items() if value not in EMPTY} | merged
    return merged


def trace_metadata(span: Span) -> dict[str, Any]:
    """The part that holds for the whole trace by its name."""
    return {key: parsed(value) for key, value in below(span.attributes, "langfuse.trace.metadata.").items()}


def environment(span: Span) -> str:
    """Span attributes win over the resource (rule 1.5)."""
    keys = ("langfuse.environment", "deployment.environment.name", "deployment.environment")
    return first_text(span.attributes, *keys) or first_text(span.resource, *keys)


def release(span: Span) -> str:
    """The application's version."""
    return first_text(span.attributes, "langfuse.release") or first_text(
        span.resource, "langfuse.release", "service.version"
    )


def prompt(span: Span) -> tuple[str, str]:
    """Name and version of a managed prompt. OpenInference sends a version without a name."""
    a = span.attributes
    name = first_text(a, "langfuse.observation.prompt.name", "traceloop.prompt.key", "gen_ai.prompt.name")
    keys = (
        "langfuse.observation.prompt.version",
        "traceloop.prompt.version",
        "llm.prompt_template.version",
        "gen_ai.prompt.version",
    )
    return name, first_text(a, *keys)


def trace_names(span: Span) -> list[str]:
    """What the span says of the trace's name, by precedence; '' where a key is missing."""
    return [first_text(span.attributes, key) for key in ("langfuse.trace.name", *WORKFLOW_KEYS)]


def workflow_name(span: Span) -> Any:
    """The workflow, by the keys of section 2.6; the AI SDK's function id may name either a workflow or an agent."""
    found = first_text(span.attributes, "gen_ai.workflow.name", "traceloop.workflow.name")
    is_workflow = span.attributes.get("traceloop.span.kind") == "workflow"
    found = found or (first_text(span.attributes, "traceloop.entity.name") if is_workflow else "")
    return found or one_of("", first_text(span.attributes, "ai.telemetry.functionId"))


def agent_name(span: Span) -> Any:
    """The agent, by the keys of section 2.6; the AI SDK's function id as above."""
    found = first_text(span.attributes, "gen_ai.agent.name", "agent.name", "agent_name")
    is_agent = span.attributes.get("traceloop.span.kind") == "agent"
    found = found or (first_text(span.attributes, "traceloop.entity.name") if is_agent else "")
    return found or one_of("", first_text(span.attributes, "ai.telemetry.functionId"))


def service(span: Span) -> str:
    """The service: rule 1.5 names it among those that the resource tells and a span attribute overrides."""
    return text(first(span.attributes, "service.name") or first(span.resource, "service.name"))
