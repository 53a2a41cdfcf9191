"""Usage: section 2.4. Inclusive columns as OpenTelemetry defines them, and mutually exclusive parts that sum to the total."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.reference.decode import Span
from tests.reference.values import first, whole

KEYS: dict[str, tuple[str, ...]] = {
    "input": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.inputTokens",
        "ai.usage.promptTokens", "ai.usage.tokens",
    ),
    "output": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion", "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "total": (
        "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens",
        "gen_ai.client.token.usage",
    ),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens", "ai.usage.inputTokenDetails.cacheReadTokens",
    ),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_write_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "cache_write_1h": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens", "llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens",
        "ai.usage.outputTokenDetails.reasoningTokens",
    ),
    "input_audio": ("llm.token_count.prompt_details.audio",),
    "output_audio": ("llm.token_count.completion_details.audio",),
}  # fmt: skip
RAW: dict[str, tuple[str, ...]] = {
    "input": ("prompt_tokens", "input_tokens"),
    "output": ("completion_tokens", "output_tokens"),
    "total": ("total_tokens",),
    "cache_read": (
        "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens",
        "input_token_details.cache_read",
    ),
    "cache_write": ("cache_creation_input_tokens", "prompt_tokens_details.cache_write_tokens"),
    "cache_write_1h": ("cache_creation.ephemeral_1h_input_tokens",),
    "reasoning": (
        "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens", "output_token_details.reasoning",
    ),
    "input_audio": ("prompt_tokens_details.audio_tokens",),
    "output_audio": ("completion_tokens_details.audio_tokens",),
}  # fmt: skip
LANGFUSE: dict[str, tuple[str, ...]] = {
    "input": ("input",),
    "output": ("output",),
    "total": ("total",),
    "cache_read": ("input_cache_read", "cache_read_input_tokens", "input_cached_tokens"),
    "cache_write": ("input_cache_creation", "cache_creation_input_tokens", "input_cache_write"),
    "reasoning": ("output_reasoning", "output_reasoning_tokens", "reasoning_tokens"),
    "input_audio": ("input_audio", "input_audio_tokens"),
    "output_audio": ("output_audio", "output_audio_tokens"),
}
INPUT_SHARES = ("cache_read", "cache_write", "input_audio")
OUTPUT_SHARES = ("reasoning", "output_audio")


@dataclass
class Usage:
    """What one span reports, inclusive; None is unknown. `total` is the client's own."""

    reported: dict[str, int | None]
    flags: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> int | None:
        return self.reported.get(name)

    @property
    def known(self) -> bool:
        """Whether the span carries usage at all."""
        return self["input"] is not None or self["output"] is not None

    @property
    def parts(self) -> dict[str, int]:
        """The exclusive parts, without zeros."""
        hour = self["cache_write_1h"] or 0
        shares = {name: self[name] or 0 for name in (*INPUT_SHARES, *OUTPUT_SHARES)}
        shares |= {"cache_write": shares["cache_write"] - hour, "cache_write_1h": hour}
        rest_in = (self["input"] or 0) - sum(shares[name] for name in (*INPUT_SHARES, "cache_write_1h"))
        rest_out = (self["output"] or 0) - sum(shares[name] for name in OUTPUT_SHARES)
        return {
            name: amount
            for name, amount in {"input": rest_in, "output": rest_out, **shares}.items()
            if amount > 0
        }


def usage(span: Span) -> Usage:
    """Precedence: Langfuse, `gen_ai.usage.*`, `llm.token_count.*`, `ai.usage.*`, raw JSON (rule b), a field at a time."""
    details = first(span.attributes, "langfuse.observation.usage_details")
    if isinstance(details, dict):
        found = _langfuse(details)
    else:
        found = Usage({name: _first_count(span.attributes, keys) for name, keys in KEYS.items()})
        if raw := _raw(span):
            # A raw Anthropic input excludes its cached share: only what the span itself lacks is taken.
            found.reported = {
                name: _or(found[name], _first_count(_nested(raw), keys)) for name, keys in RAW.items()
            }
        _include_cached(found)
    client_total, ours = found["total"], sum(found.parts.values())
    if client_total is not None and found.known and client_total != ours:
        found.flags.add("total_mismatch")
    return found


def _raw(span: Span) -> dict[str, Any]:
    """Usage that stands only in the raw answer: JSON (Logfire, LangSmith) or a Python repr (LiteLLM)."""
    value = first(
        span.attributes, "gen_ai.usage.raw", "langsmith.metadata.usage_metadata", "metadata.usage_object"
    )
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            return {}
    return value if isinstance(value, dict) else {}


def _include_cached(found: Usage) -> None:
    """Rule a: an input smaller than its cached share excludes it (OpenLIT with Anthropic)."""
    cached = (found["cache_read"] or 0) + (found["cache_write"] or 0)
    if found["input"] is not None and cached > found["input"]:
        found.reported["input"] = found["input"] + cached
        found.flags.add("exclusive_input")


def _langfuse(details: Mapping[str, Any]) -> Usage:
    """The four dialects: raw ones are inclusive; `input`/`output` exclude the shares unless `total` says otherwise."""
    if "input" not in details and "output" not in details:
        return Usage({name: _first_count(_nested(details), keys) for name, keys in RAW.items()})
    found = Usage({name: _first_count(details, keys) for name, keys in LANGFUSE.items()})
    total = found["total"]
    if total is not None and (found["input"] or 0) + (found["output"] or 0) == total:
        return found
    for name, shares in (("input", INPUT_SHARES), ("output", OUTPUT_SHARES)):
        if found[name] is not None:
            found.reported[name] = (found[name] or 0) + sum(found[share] or 0 for share in shares)
    return found


def _first_count(attributes: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    return next((count for key in keys if (count := whole(attributes.get(key))) is not None), None)


def _nested(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One level of nesting as dotted keys."""
    flat = dict(raw)
    for outer, inner in raw.items():
        if isinstance(inner, dict):
            flat |= {f"{outer}.{key}": value for key, value in inner.items()}
    return flat


def _or(mine: int | None, other: int | None) -> int | None:
    return other if mine is None else mine
