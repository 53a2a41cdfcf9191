"""Request parameters under their short names, and the output type that was asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ingest.normalise.content import keys
from ingest.normalise.content.view import View
from ingest.normalise.values import Value, dump, mapping, parsed, text_of, unquoted

_NAMES: Final[dict[str, str]] = {
    "stop_sequences": "stop", "choice.count": "n", "max_output_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens", "max_new_tokens": "max_tokens", "num_predict": "max_tokens",
    "encoding_formats": "encoding_format", "candidate_count": "n", "maximum_tokens": "max_tokens",
}  # fmt: skip
_ELSEWHERE: Final = frozenset(
    # what other columns hold, and what says nothing about the answer
    "model model_name model_id messages input contents prompt prompts system instructions tools functions stream "
    "stream_options streaming user user_id metadata response_format text output_schema extra_headers headers api_key "
    "timeout _type type id object output usage max_retries output_format is_stream structured_output_schema "
    "system_instruction".split()
)
_RESPONSE_ONLY: Final = frozenset(
    "created_at completed_at status error incomplete_details previous_response_id background max_tool_calls moderation "
    "billing conversation prompt_cache_key prompt_cache_retention safety_identifier store output_text".split()
)
_TEXTS: Final = (
    "llm.invocation_parameters",
    "embedding.invocation_parameters",
    "langfuse.observation.model.parameters",
)
_PYDANTIC: Final = "model_request_parameters"
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FORMATS: Final = {"json_object": "json", "object": "json", "array": "json", "text": "text", "enum": "json"}
_FORMAT_WORDS: Final = ('"response_format"', '"text":', '"output_object":{', '"output_object": {')
_EMPTY: Final = ("", "[]", "{}", "null", "None", '""')

_short_names: dict[str, str] = {}


def model_parameters(view: View) -> dict[str, str]:
    """temperature, top_p, max_tokens, …; non-strings as JSON, empty ones left out."""
    found: dict[str, str] = {}
    for name, value in view.parameters.items():
        _put(found, name, value)
    if view.signals & keys.PARAMETERS:
        for key in _TEXTS:
            value = view.attributes.get(key)
            if value is not None:
                _put_all(found, mapping(value))
    return found


def response_format(view: View) -> str:
    """text, json, …, or the JSON schema that the answer had to follow; '' when nothing was asked."""
    if not view.signals & (keys.FORMAT | keys.PARAMETERS | keys.LOGFIRE):
        return ""
    attributes = view.attributes
    for key in (
        "gen_ai.request.structured_output_schema",
        "llm.request.structured_output_schema",
        "ai.schema",
    ):
        if attributes.get(key):
            return unquoted(attributes[key])
    for key in ("gen_ai.openai.request.response_format", "gen_ai.request.response_format"):
        if attributes.get(key):
            return _format(parsed(attributes[key]))
    if attributes.get("gen_ai.output.type"):
        return text_of(attributes["gen_ai.output.type"])
    for key in ("ai.settings.output", *_TEXTS[::2], "request_data", _PYDANTIC):
        value = attributes.get(key)
        if value is not None and (found := _asked(key, value)):
            return found
    return ""


def _asked(key: str, value: Value) -> str:
    if key == "ai.settings.output":
        return _FORMATS.get(text_of(value), text_of(value))
    # Looking for the words first spares a parse.
    if isinstance(value, str) and not any(word in value for word in _FORMAT_WORDS):
        return ""
    request = mapping(value)
    return _format(request.get("response_format") or request.get("text") or request.get("output_object"))


def _format(value: Value) -> str:
    """The schema where there is one, else the type's name."""
    if not isinstance(value, dict):
        # A Python class, printed, stands for a schema that was not sent.
        text = text_of(value)
        return "json_schema" if text.startswith("<class") else text
    inner = value.get("format", value.get("json_schema", value))
    body: Mapping[str, Value] = inner if isinstance(inner, dict) else value
    schema = body.get("schema", body.get("json_schema"))
    if isinstance(schema, dict):
        return dump(schema)
    kind = text_of(body.get("type"))
    if "properties" in body:
        return dump(dict(body))
    return _FORMATS.get(kind, kind)


def _put_all(found: dict[str, str], parameters: Mapping[str, Value]) -> None:
    # The agents' instrumentation of OpenInference sends the whole response for its parameters.
    response = "output" in parameters or parameters.get("object") == "response"
    for name, value in parameters.items():
        if response and name in _RESPONSE_ONLY:
            continue
        if name == "reasoning" and isinstance(value, dict):
            _put(found, "reasoning_effort", value.get("effort"))
        else:
            _put(found, name, value)


def _put(found: dict[str, str], name: str, value: Value) -> None:
    if value is None:
        return
    short = _short_names.get(name) or _shortened(name)
    if short in _ELSEWHERE or short in found or "." in short:
        # A dotted name is a setting of something else: Vercel keeps the session under `ai.settings.context`.
        return
    text = (
        dump(parsed(value))
        if short == "stop" and isinstance(value, str) and value[:1] == "["
        else text_of(value)
    )
    if text not in _EMPTY:
        found[short] = text


def _shortened(name: str) -> str:
    snake = _CAMEL.sub("_", name).lower() if any(c.isupper() for c in name) else name
    short = _NAMES.get(snake, snake)
    if len(_short_names) < 10_000 and len(name) < 100:
        _short_names[name] = short
    return short
