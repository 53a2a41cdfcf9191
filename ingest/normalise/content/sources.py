"""Where a span keeps its input and output, in order of precedence (mapping.md 2.3).

The first source that says anything wins, for input and output independently. A source whose messages are all empty (an
image that the client dropped) is kept only if nothing else speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from ingest.normalise.content import keys, vercel
from ingest.normalise.content.exchanges import conversation, instructions, with_instructions, without_envelope
from ingest.normalise.content.flattened import embedded_texts, openinference, openllmetry
from ingest.normalise.content.messages import has_parts
from ingest.normalise.content.model import Message, Side
from ingest.normalise.content.toolcalls import tool_value
from ingest.normalise.content.transcripts import Transcript, transcript_of_events, transcript_of_list
from ingest.normalise.content.view import View
from ingest.normalise.values import Value, dump, mapping, parsed, text_of, unquoted


class Found(NamedTuple):
    """What a source says about a side: messages, or else the raw text. `keys` are what it repeats in full."""

    messages: Sequence[Message] = ()
    text: str = ""
    keys: tuple[str, ...] = ()


NOTHING: Final = Found()
Source = Callable[[View, Side], "Found | None"]


def found_on(view: View, side: Side) -> Found:
    """The side's content by precedence; `NOTHING` when the span has none."""
    empty = NOTHING
    for source in _plan(view.signals & _ANY):
        found = source(view, side)
        if found is None:
            continue
        if found.text or has_parts(found.messages):
            return _with_system(view, found) if side == "input" else found
        if found.messages and empty is NOTHING:
            empty = found
    return _with_system(view, empty) if side == "input" else empty


@lru_cache(maxsize=4096)
def _plan(signals: int) -> tuple[Source, ...]:
    """The sources to ask, for what the span has."""
    return tuple(source for signal, source in _SOURCES if signals & signal)


def _with_system(view: View, found: Found) -> Found:
    """Put the system prompt that came apart in front. A raw value stays as it is."""
    if not view.signals & keys.SEMCONV:
        return found
    value = view.attributes.get("gen_ai.system_instructions")
    if value is None or found.text:
        return found
    system = instructions(value)
    if not system:
        return found
    return Found(
        with_instructions(system, list(found.messages)), "", (*found.keys, "gen_ai.system_instructions")
    )


def _attribute(input_key: str, output_key: str) -> Source:
    """A source that is one attribute a side, holding messages or a raw value."""

    def read(view: View, side: Side) -> Found | None:
        key = input_key if side == "input" else output_key
        value = view.attributes.get(key)
        return None if value is None or value == "" else _raw(view, side, key, value)

    return read


def _raw(view: View, side: Side, key: str, value: Value) -> Found | None:
    """Messages where the value holds some, else the value as text."""
    if view.kind == "tool":
        text, whole = tool_value(value, side)
        return Found(text=text, keys=(key,) if whole else ())
    if view.kind == "embedding":
        return _embedding(view, side, key, value)
    messages = conversation(value, side, model_call=view.kind == "llm")
    if messages is not None:
        return Found(messages, keys=(key,))
    opened = parsed(value)
    inner = without_envelope(opened)
    if inner is opened:
        return Found(text=unquoted(value), keys=(key,))
    messages = conversation(inner, side, model_call=False)
    return Found(messages) if messages is not None else Found(text=text_of(inner))


def _embedding(view: View, side: Side, key: str, value: Value) -> Found | None:
    """The texts to embed, out of the request that holds them; a request cut in half gives way to the flattened texts."""
    repeated = tuple(k for k in view.list_keys.get("embedding.embeddings", ()) if k.endswith(_EMBEDDED[side]))
    messages = conversation(value, side, model_call=False)
    if messages is not None:
        return Found(messages, keys=(key,))
    if side == "input":
        request = mapping(value)
        for name in ("input", "texts", "inputs", "contents"):
            if request.get(name):
                return Found(text=text_of(request[name]), keys=(key, *repeated))
        if not request and repeated and isinstance(value, str) and value.startswith("{"):
            return None
    return Found(text=unquoted(value), keys=(key, *repeated))


def _semconv(view: View, side: Side) -> Found | None:
    """`gen_ai.{input,output}.messages`; OpenLIT writes plain text there."""
    key = f"gen_ai.{side}.messages"
    value = view.attributes.get(key)
    if value is None or value == "":
        return None
    messages = conversation(value, side, model_call=True) if view.kind in ("llm", "embedding") else None
    if messages is None:
        found = parsed(value)
        messages = None if isinstance(found, str) else conversation(found, side, model_call=True)
    if messages is None:
        # A call that failed has an empty list for its output.
        return Found(text=unquoted(value), keys=(key,)) if parsed(value) else None
    return _tool_part(messages, key) if view.kind == "tool" else Found(messages, keys=(key,))


def _tool_part(messages: list[Message], *used: str) -> Found:
    """On a tool span a lone call is its arguments, a lone answer its result."""
    parts = [part for message in messages if isinstance(message["parts"], list) for part in message["parts"]]
    if len(parts) == 1 and isinstance(part := parts[0], dict):
        for kind, name in (
            ("tool_call", "arguments"),
            ("tool_call_response", "response"),
            ("text", "content"),
        ):
            if part.get("type") == kind:
                return Found(text=text_of(part.get(name)), keys=used)
    return Found(messages, keys=used)


def _tool_call(view: View, side: Side) -> Found | None:
    """Arguments and result of a tool span, under the names of semconv, Pydantic AI and OpenLIT."""
    if view.kind == "llm":
        return None
    names = _TOOL_ARGUMENTS if side == "input" else _TOOL_RESULTS
    for key in names:
        value = view.attributes.get(key)
        if value is not None and value != "":
            text, whole = tool_value(value, side)
            return Found(text=text, keys=(key,) if whole else ())
    return None


def _query(view: View, side: Side) -> Found | None:
    """What a retriever or reranker was asked."""
    if side == "input":
        for key in ("gen_ai.retrieval.query.text", "reranker.query"):
            value = view.attributes.get(key)
            if value is not None and value != "":
                return Found(text=unquoted(value))
    return None


def _openinference(view: View, side: Side) -> Found | None:
    families = (
        ("llm.input_messages", "llm.prompts") if side == "input" else ("llm.output_messages", "llm.choices")
    )
    messages = openinference(view, side)
    if not messages:
        return None
    # The raw request and response say the same once more.
    used = [key for family in families for key in view.list_keys.get(family, ())]
    return Found(messages, keys=(*used, f"{side}.value"))


def _embeddings(view: View, side: Side) -> Found | None:
    """OpenInference's flattened texts and vectors, where the raw request and response are missing."""
    used = tuple(key for key in view.list_keys["embedding.embeddings"] if key.endswith(_EMBEDDED[side]))
    if not used:
        return None
    if side == "input":
        return Found(text=text_of(embedded_texts(view)), keys=used)
    return Found(
        text=dump([entry.leaf("vector") for entry in view.entries("embedding.embeddings")]), keys=used
    )


def _vercel(view: View, side: Side) -> Found | None:
    if view.kind == "tool":
        key = "ai.toolCall.args" if side == "input" else "ai.toolCall.result"
        value = view.attributes.get(key)
        return None if value is None else Found(text=unquoted(value), keys=(key,))
    read = vercel.asked if side == "input" else vercel.answered
    found = Found(*read(view.attributes))
    return found if found.keys else None


def _events(view: View, side: Side) -> Found | None:
    """Span events; on a tool span Strands' `gen_ai.tool.message` is the arguments and `gen_ai.choice` the result."""
    messages = transcript_of_events(view.events).side(side)
    return _tool_part(messages) if view.kind == "tool" else Found(messages)


def _openllmetry(view: View, side: Side) -> Found | None:
    family = "gen_ai.prompt" if side == "input" else "gen_ai.completion"
    if family not in view.lists:
        return None
    return Found(openllmetry(view, side), keys=tuple(view.list_keys[family]))


def _pydantic(view: View, side: Side) -> Found | None:
    """`events` of a model call; all messages of an agent's run, whose last one is the answer."""
    events = view.attributes.get("events")
    if events is not None:
        transcript = transcript_of_list(events)
        if transcript.input or transcript.output:
            return Found(transcript.side(side), keys=("events",))
    for key in ("pydantic_ai.all_messages", "all_messages_events"):
        value = view.attributes.get(key)
        if value is not None:
            return _run(view, side, key, _all_messages(key, value))
    return _final_result(view, side)


def _all_messages(key: str, value: Value) -> list[Message]:
    if key == "all_messages_events":
        transcript: Transcript = transcript_of_list(value)
        return transcript.input + transcript.output
    return conversation(value, "input", model_call=True) or []


def _run(view: View, side: Side, key: str, messages: list[Message]) -> Found | None:
    answered = bool(messages) and messages[-1]["role"] == "assistant"
    if side == "input":
        return Found(messages[:-1] if answered else messages, keys=(key,)) if messages else None
    if not answered:
        return _final_result(view, side)
    return Found(messages[-1:], keys=(key, "final_result"))


def _final_result(view: View, side: Side) -> Found | None:
    value = view.attributes.get("final_result") if side == "output" else None
    return None if value is None else Found(text=unquoted(value), keys=("final_result",))


def _embedding_inputs(view: View, side: Side) -> Found | None:
    """Pydantic AI writes the texts of an embedding call under a bare name."""
    value = view.attributes.get("inputs") if view.kind == "embedding" and side == "input" else None
    return None if value is None else _embedding(view, side, "inputs", value)


def _logfire(view: View, side: Side) -> Found | None:
    """Logfire version 1; version 2 keeps only {"model": …} there, which is no content."""
    key = "request_data" if side == "input" else "response_data"
    value = view.attributes.get(key)
    if value is None:
        return None
    if view.kind == "embedding":
        texts = mapping(value).get("input") if side == "input" else None
        return Found(text=text_of(texts)) if texts else None
    messages = conversation(value, side, model_call=True)
    return Found(messages) if messages else None


_EMBEDDED: Final[dict[Side, str]] = {"input": ".text", "output": ".vector"}
_TOOL_ARGUMENTS: Final = (
    "gen_ai.tool.call.arguments",
    "tool_arguments",
    "gen_ai.tool.args",
    "gen_ai.tool.input",
)
_TOOL_RESULTS: Final = ("gen_ai.tool.call.result", "tool_response", "gen_ai.tool.output")

_SOURCES: Final[tuple[tuple[int, Source], ...]] = (
    (keys.LANGFUSE, _attribute("langfuse.observation.input", "langfuse.observation.output")),
    (keys.SEMCONV, _semconv),
    (keys.TOOL_CALL, _tool_call),
    (keys.OPENINFERENCE, _openinference),
    (keys.VERCEL, _vercel),
    (keys.QUERY, _query),
    (keys.EVENTS, _events),
    (keys.OPENLLMETRY, _openllmetry),
    (keys.PYDANTIC, _pydantic),
    (keys.PYDANTIC_INPUTS, _embedding_inputs),
    (keys.PROMPT, _attribute("gen_ai.prompt", "gen_ai.completion")),
    (keys.LOGFIRE, _logfire),
    (keys.TRACELOOP, _attribute("traceloop.entity.input", "traceloop.entity.output")),
    (keys.TASK, _attribute("gen_ai.task.input", "gen_ai.task.output")),
    (keys.VALUE, _attribute("input.value", "output.value")),
    (keys.EMBEDDINGS, _embeddings),
)
_ANY: Final = sum(signal for signal, _ in _SOURCES)
