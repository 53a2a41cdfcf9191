"""Usage that clients send as one JSON object (or Python's repr of a dict), in six dialects."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingest.normalise.values import json_object

_LANGFUSE = "langfuse.observation.usage_details"
_CACHE_READ = (
    "cache_read_input_tokens",
    "input_cache_read",
    "input_cached_tokens",
    "cached_tokens",
    "cache_read",
    "cacheReadInputTokens",
)
_CACHE_WRITE = (
    "cache_creation_input_tokens",
    "input_cache_creation",
    "cache_write_input_tokens",
    "cache_creation",
    "cache_write",
    "cacheWriteInputTokens",
)
_REASONING = (
    "output_reasoning",
    "output_reasoning_tokens",
    "reasoning_tokens",
    "reasoning",
    "thoughts_token_count",
)
_INPUT_AUDIO, _OUTPUT_AUDIO = ("input_audio", "input_audio_tokens"), ("output_audio", "output_audio_tokens")
_INPUT, _OUTPUT = (
    ("input_tokens", "prompt_tokens", "promptTokens", "inputTokens", "prompt_token_count"),
    ("output_tokens", "completion_tokens", "completionTokens", "outputTokens", "candidates_token_count"),
)
_INPUT_DETAILS, _OUTPUT_DETAILS = (
    ("prompt_tokens_details", "input_tokens_details", "input_token_details"),
    ("completion_tokens_details", "output_tokens_details", "output_token_details"),
)


@dataclass(slots=True)
class Reported:
    """Token counts; None where the object says nothing. Input includes cached and written ones, output includes reasoning."""

    input: float | None = None
    output: float | None = None
    total: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    reasoning: float | None = None
    input_audio: float | None = None
    output_audio: float | None = None


def reported(key: str, text: str) -> Reported | None:
    """What the attribute `key` with this text reports; None when it is not understood."""
    found = _object(text)
    if not found:
        return None
    if key == "gen_ai.usage.input_token_details":
        return _input_details(found, Reported())
    if key == "gen_ai.usage.output_token_details":
        return _output_details(found, Reported())
    if key == _LANGFUSE and (
        "input" in found or "output" in found or ("total" in found and not _number(found, _INPUT))
    ):
        return _langfuse(found)
    return _provider(found, exclusive=_is_anthropic(found))


def _object(text: str) -> Mapping[str, Any]:
    if found := json_object(text):
        return found
    if not text.startswith("{") or len(text) > 100_000:
        return {}
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(found: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    for key in keys:
        value = found.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
            return float(value)
    return None


def _langfuse(found: Mapping[str, Any]) -> Reported:
    """Langfuse's own keys: parts exclude each other, unless the total says that input and output already hold them."""
    result = Reported(_number(found, ("input",)), _number(found, ("output",)), _number(found, ("total",)))
    result.cache_read, result.cache_write = _number(found, _CACHE_READ), _number(found, _CACHE_WRITE)
    result.reasoning = _number(found, _REASONING)
    result.input_audio, result.output_audio = _number(found, _INPUT_AUDIO), _number(found, _OUTPUT_AUDIO)
    plain = (result.input or 0) + (result.output or 0)
    extra_in = sum(v or 0 for v in (result.cache_read, result.cache_write, result.input_audio))
    extra_out = sum(v or 0 for v in (result.reasoning, result.output_audio))
    if result.total is None or plain != result.total:
        result.input = None if result.input is None and not extra_in else (result.input or 0) + extra_in
        result.output = None if result.output is None and not extra_out else (result.output or 0) + extra_out
    return result


def _is_anthropic(found: Mapping[str, Any]) -> bool:
    """Anthropic's native usage excludes cached tokens from its input and has no total."""
    native = "cache_read_input_tokens" in found or "cache_creation_input_tokens" in found
    return native and "total_tokens" not in found and "prompt_tokens" not in found


def _provider(found: Mapping[str, Any], *, exclusive: bool) -> Reported:
    """A provider's own usage object: OpenAI chat, OpenAI Responses, Anthropic, LangChain."""
    result = Reported(
        _number(found, _INPUT),
        _number(found, _OUTPUT),
        _number(found, ("total_tokens", "totalTokens", "total_token_count", "total")),
    )
    result.cache_read, result.cache_write = _number(found, _CACHE_READ), _number(found, _CACHE_WRITE)
    result.reasoning = _number(found, _REASONING)
    for keys, read in ((_INPUT_DETAILS, _input_details), (_OUTPUT_DETAILS, _output_details)):
        for key in keys:
            if isinstance(details := found.get(key), dict):
                read(details, result)
    if isinstance(split := found.get("cache_creation"), dict):
        result.cache_write_1h = _number(split, ("ephemeral_1h_input_tokens",))
    if exclusive and result.input is not None:
        result.input += (result.cache_read or 0) + (result.cache_write or 0)
    return result


def _input_details(details: Mapping[str, Any], result: Reported) -> Reported:
    result.cache_read = _first(_number(details, _CACHE_READ), result.cache_read)
    result.cache_write = _first(_number(details, _CACHE_WRITE), result.cache_write)
    result.input_audio = _first(_number(details, ("audio_tokens", "audio")), result.input_audio)
    return result


def _output_details(details: Mapping[str, Any], result: Reported) -> Reported:
    result.reasoning = _first(_number(details, _REASONING), result.reasoning)
    result.output_audio = _first(_number(details, ("audio_tokens", "audio")), result.output_audio)
    return result


def _first(new: float | None, old: float | None) -> float | None:
    return old if new is None else new
