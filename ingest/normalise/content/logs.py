"""Log records that carry what belongs to a span: messages, whole operations, evaluation results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest.normalise.content.evaluations import evaluation_of
from ingest.normalise.content.exchanges import with_instructions
from ingest.normalise.content.finish import normalised, of_messages
from ingest.normalise.content.messages import has_parts
from ingest.normalise.content.model import LogContent, Message
from ingest.normalise.content.tools import definitions
from ingest.normalise.content.transcripts import DETAILS, details, message_of_event
from ingest.normalise.content.view import EVALUATION_EVENT
from ingest.normalise.values import Value, dump, mapping, sequence, text_of


def log_content(event_name: str, body: Value, attributes: Mapping[str, Value]) -> LogContent | None:
    """What the record says about its span; None for a record that is just a log line.

    The name is the record's `event_name`, else the attribute `event.name`. Message bodies are structured or JSON.
    """
    name = event_name or text_of(attributes.get("event.name"))
    if not name.startswith("gen_ai."):
        return None
    response_id = text_of(attributes.get("gen_ai.response.id"))
    try:
        if name == DETAILS:
            return _operation({**mapping(body), **attributes}, response_id)
        if name == EVALUATION_EVENT:
            evaluation = evaluation_of({**mapping(body), **attributes})
            return LogContent(evaluation=evaluation, response_id=response_id) if evaluation else None
        piece = message_of_event(name, _body(body, attributes))
    except RecursionError:
        return None
    if piece is None:
        return None
    side, messages = piece
    if side == "input":
        return LogContent(input=messages, response_id=response_id)
    return LogContent(output=messages, finish_reason=of_messages(messages), response_id=response_id)


def join_logs(contents: Sequence[LogContent]) -> tuple[str, str]:
    """(input, output) as messages JSON, from a span's records in the order of arrival; '' where they say nothing."""
    asked: list[Message] = []
    answered: list[Message] = []
    for content in contents:
        if content.complete:
            asked = list(content.input) if has_parts(content.input) else asked
            answered = list(content.output) if has_parts(content.output) else answered
        else:
            asked += content.input
            answered += content.output
    return _text(asked), _text(answered)


def _text(messages: list[Message]) -> str:
    return dump(messages) if has_parts(messages) else ""


def _operation(attributes: Mapping[str, Value], response_id: str) -> LogContent:
    transcript = details(attributes)
    tools = definitions(attributes.get("gen_ai.tool.definitions"))
    reasons = sequence(attributes.get("gen_ai.response.finish_reasons"))
    return LogContent(
        complete=True,
        input=with_instructions(transcript.system, transcript.input),
        output=transcript.output,
        tool_definitions=dump(tools) if tools else "",
        finish_reason=normalised(reasons[0]) if reasons else of_messages(transcript.output),
        response_id=response_id,
    )


def _body(body: Value, attributes: Mapping[str, Value]) -> Mapping[str, Value]:
    """The message: a structured or JSON body, text alone, or (older clients) the attributes."""
    found = mapping(body)
    if found:
        return found
    if isinstance(body, str) and body:
        return {"content": body}
    names = (
        "content",
        "role",
        "tool_calls",
        "id",
        "name",
        "message",
        "finish_reason",
        "index",
        "gen_ai.event.content",
    )
    return {name: attributes[name] for name in names if name in attributes}
