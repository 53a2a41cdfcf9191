"""Provider and models: section 2.2."""

from __future__ import annotations

from typing import Any

from tests.reference.decode import Span
from tests.reference.values import first, first_text, one_of, text

PROVIDER_KEYS = ("llm.provider", "gen_ai.provider.name", "gen_ai.system", "llm.system", "ai.model.provider")
REQUEST_KEYS = ("gen_ai.request.model", "llm.request.model_name")
RESPONSE_KEYS = (
    "langfuse.observation.model.name", "gen_ai.response.model", "llm.response.model_name", "llm.model_name",
    "embedding.model_name", "ai.response.model",
)  # fmt: skip
FRAMEWORKS = {"langchain", "langgraph", "strands-agents", "inmemoryvectorstore"}
AI_SUFFIXES = (".chat", ".responses", ".embedding", ".completion")
NAMES = (
    ("openai", ("gpt-", "chatgpt", "o1", "o3", "o4", "text-embedding-", "dall-e", "whisper")),
    ("anthropic", ("claude",)),
)


def provider(span: Span) -> Any:
    """The provider; where only a model's name speaks, the guess, or nothing when the mapping names no rule for it."""
    for key in PROVIDER_KEYS:
        name = text(span.attributes.get(key)).lower()
        for suffix in AI_SUFFIXES:
            name = name.removesuffix(suffix)
        if name and name not in FRAMEWORKS:
            return name
    return _guess(span)


def _guess(span: Span) -> Any:
    model = (
        first_text(span.attributes, *RESPONSE_KEYS, *REQUEST_KEYS, "ai.model.id") or _parameter_model(span)
    ).lower()
    for name, prefixes in NAMES:
        if model.startswith(prefixes):
            return name
    reranker = first_text(span.attributes, "reranker.model_name")
    return one_of("", reranker.partition("-")[0]) if reranker else ""


def request_model(span: Span) -> Any:
    """The model asked for. Langfuse's only key is "response model if known, else request": it may serve for both."""
    found = (
        first_text(span.attributes, *REQUEST_KEYS)
        or _parameter_model(span)
        or first_text(span.attributes, "ai.model.id")
    )
    if found:
        return found
    if litellm := first_text(span.attributes, "litellm.provider.model"):
        return litellm
    # Not in the row of request models, but the only places where these dialects say what was asked for.
    others = ("langfuse.observation.model.name", "reranker.model_name", "embedding.model_name")
    embedding = first(span.attributes, "embedding.invocation_parameters")
    asked = text(embedding.get("model")) if isinstance(embedding, dict) else ""
    return one_of("", *(value for value in (asked, first_text(span.attributes, *others)) if value))


def response_model(span: Span) -> Any:
    """The model that answered."""
    found = first_text(span.attributes, *RESPONSE_KEYS)
    return found or one_of("", first_text(span.attributes, "reranker.model_name"))


def _parameter_model(span: Span) -> str:
    parameters = first(span.attributes, "llm.invocation_parameters")
    return text(parameters.get("model")) if isinstance(parameters, dict) else ""


def response_id(span: Span) -> str:
    """The provider's id of the response."""
    return first_text(span.attributes, "gen_ai.response.id", "ai.response.id")
