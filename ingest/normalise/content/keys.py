"""Attribute keys that matter to content: which source they belong to, and how flattened lists are built.

A key is taken apart once and remembered, since a fleet of clients sends the same few hundred keys for ever. What a span
has to offer is then one number (the `signals` of its keys), so that a span pays only for the dialect it speaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LANGFUSE: Final = 1 << 0
SEMCONV: Final = 1 << 1
TOOL_CALL: Final = 1 << 2
OPENINFERENCE: Final = 1 << 3
EMBEDDINGS: Final = 1 << 4
VERCEL: Final = 1 << 5
QUERY: Final = 1 << 6
EVENTS: Final = 1 << 7
OPENLLMETRY: Final = 1 << 8
PYDANTIC: Final = 1 << 9
PYDANTIC_INPUTS: Final = 1 << 10
PROMPT: Final = 1 << 11
LOGFIRE: Final = 1 << 12
TRACELOOP: Final = 1 << 13
TASK: Final = 1 << 14
VALUE: Final = 1 << 15
TOOLS: Final = 1 << 16
DOCUMENTS: Final = 1 << 17
PARAMETERS: Final = 1 << 18
FORMAT: Final = 1 << 19
FINISH: Final = 1 << 20
EVALUATIONS: Final = 1 << 21

_SIGNALS: Final[dict[int, str]] = {
    LANGFUSE: "langfuse.observation.input langfuse.observation.output",
    SEMCONV: "gen_ai.input.messages gen_ai.output.messages gen_ai.system_instructions",
    TOOL_CALL: "gen_ai.tool.call.arguments gen_ai.tool.call.result tool_arguments tool_response gen_ai.tool.args "
    "gen_ai.tool.input gen_ai.tool.output",
    VERCEL: "ai.prompt ai.prompt.messages ai.value ai.values ai.response.text ai.response.toolCalls ai.response.object "
    "ai.response.reasoning ai.embedding ai.embeddings ai.toolCall.args ai.toolCall.result",
    QUERY: "gen_ai.retrieval.query.text reranker.query",
    PYDANTIC: "events pydantic_ai.all_messages all_messages_events final_result",
    PYDANTIC_INPUTS: "inputs",
    PROMPT: "gen_ai.prompt gen_ai.completion",
    LOGFIRE: "request_data response_data",
    TRACELOOP: "traceloop.entity.input traceloop.entity.output",
    TASK: "gen_ai.task.input gen_ai.task.output",
    VALUE: "input.value output.value",
    TOOLS: "gen_ai.tool.definitions ai.prompt.tools gen_ai.agent.tools",
    DOCUMENTS: "gen_ai.retrieval.documents",
    PARAMETERS: "llm.invocation_parameters embedding.invocation_parameters langfuse.observation.model.parameters",
    FORMAT: "gen_ai.output.type gen_ai.openai.request.response_format gen_ai.request.response_format ai.schema "
    "gen_ai.request.structured_output_schema llm.request.structured_output_schema ai.settings.output",
    TOOLS | FORMAT: "model_request_parameters",
    FINISH: "gen_ai.response.finish_reasons gen_ai.response.finish_reason llm.finish_reason ai.response.finishReason "
    "anthropic.message.stop_reason langfuse.observation.metadata.finish_reason",
}
# prefix → the segment that follows the index and carries no information, and the signal
_FAMILIES: Final[dict[str, tuple[str, int]]] = {
    "llm.input_messages.": ("message", OPENINFERENCE),
    "llm.output_messages.": ("message", OPENINFERENCE),
    "llm.prompts.": ("prompt", OPENINFERENCE),
    "llm.choices.": ("completion", OPENINFERENCE),
    "gen_ai.prompt.": ("", OPENLLMETRY),
    "gen_ai.completion.": ("", OPENLLMETRY | FINISH),
    "llm.tools.": ("tool", TOOLS),
    "llm.request.functions.": ("", TOOLS),
    "retrieval.documents.": ("document", DOCUMENTS),
    "reranker.output_documents.": ("document", DOCUMENTS),
    "embedding.embeddings.": ("embedding", EMBEDDINGS),
    **{f"{target}evaluations.": ("evaluation", EVALUATIONS) for target in ("", "trace.", "session.")},
    **{f"{target}annotations.": ("annotation", EVALUATIONS) for target in ("", "trace.", "session.")},
}
_PREFIXES: Final = tuple(_FAMILIES)
_REQUEST: Final = ("gen_ai.request.", "ai.settings.")
_REQUEST_KEYS: Final[dict[str, str]] = {
    "llm.frequency_penalty": "frequency_penalty",
    "llm.presence_penalty": "presence_penalty",
    "llm.request.reasoning_effort": "reasoning_effort",
    "llm.request.service_tier": "service_tier",
}
_MAX_SEGMENTS = 16
_MAX_DIGITS = 18
_MAX_REMEMBERED = 50_000
_MAX_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Key:
    """A key with meaning.

    `signals` are the sources that it belongs to. `parameter` is a request parameter's name as sent, else ''. `family`
    is a list's prefix without the dot ('' when the key is no list entry), `index` the entry's number, `stem` and `leaf`
    the path below it, numbers as ints.
    """

    signals: int = 0
    parameter: str = ""
    family: str = ""
    index: int = 0
    stem: tuple[str | int, ...] = ()
    leaf: str | int = ""


REMEMBERED: Final[dict[str, Key | None]] = {}
"""What is known about keys so far; `learn` what is not."""


def learn(key: str) -> Key | None:
    """Take a key apart and remember it; None when it means nothing here."""
    found = _taken_apart(key)
    if len(key) <= _MAX_LENGTH:
        if len(REMEMBERED) >= _MAX_REMEMBERED:
            REMEMBERED.clear()
        REMEMBERED[key] = found
    return found


def _taken_apart(key: str) -> Key | None:
    signals = _BY_KEY.get(key, 0)
    parameter = _REQUEST_KEYS.get(key, "")
    for prefix in _REQUEST:
        if key.startswith(prefix):
            parameter = key[len(prefix) :]
    if signals or parameter:
        return Key(signals=signals, parameter=parameter)
    for prefix in _PREFIXES:
        if key.startswith(prefix):
            return _entry(prefix, key[len(prefix) :])
    return None


def _entry(prefix: str, rest: str) -> Key | None:
    index, *path = (_segment(text) for text in rest.split(".", _MAX_SEGMENTS))
    if not isinstance(index, int) or len(path) >= _MAX_SEGMENTS:
        return None
    wrapper, signals = _FAMILIES[prefix]
    if wrapper and path and path[0] == wrapper:
        path = path[1:]
    leaf = path.pop() if path else ""
    return Key(signals=signals, family=prefix[:-1], index=index, stem=tuple(path), leaf=leaf)


def _segment(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else text


_BY_KEY: Final[dict[str, int]] = {key: signals for signals, keys in _SIGNALS.items() for key in keys.split()}
