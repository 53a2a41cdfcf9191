"""Messages that come as events: span events, log records, and Pydantic AI's list of events in an attribute.

Names: `gen_ai.{system,user,assistant,tool,developer}.message` and `gen_ai.choice` (semantic conventions 1.30, Strands),
`gen_ai.client.inference.operation.details` (latest), `gen_ai.content.{prompt,completion}` (1.27).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingest.normalise.content.exchanges import conversation, instructions, with_instructions
from ingest.normalise.content.messages import message_of, opened_content, plain_message
from ingest.normalise.content.model import Message, RawEvent, Side
from ingest.normalise.content.view import CONTENT_EVENTS
from ingest.normalise.values import Value, mapping, parsed, sequence

DETAILS: Final = "gen_ai.client.inference.operation.details"
CHOICE: Final = "gen_ai.choice"
MESSAGE_ROLES: Final[dict[str, str]] = {
    f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool", "developer")
}
_CONTENT_EVENTS: Final[dict[str, tuple[Side, str]]] = {
    "gen_ai.content.prompt": ("input", "gen_ai.prompt"),
    "gen_ai.content.completion": ("output", "gen_ai.completion"),
}


@dataclass(slots=True)
class Transcript:
    """What a series of events says, in the order they came."""

    system: list[Message] = field(default_factory=list)
    input: list[Message] = field(default_factory=list)
    output: list[Message] = field(default_factory=list)

    def side(self, side: Side) -> list[Message]:
        """The messages of a side, the system prompt first."""
        return with_instructions(self.system, self.input) if side == "input" else self.output


def transcript_of_events(events: Sequence[RawEvent]) -> Transcript:
    """What the span events say. Events that carry no messages (chunks, exceptions) are skipped."""
    transcript = Transcript()
    for event in events:
        if event.name in CONTENT_EVENTS:
            _add(transcript, event.name, event.attributes)
    return transcript


def transcript_of_list(value: Value) -> Transcript:
    """Pydantic AI 1.x: a JSON list of events, each with its name in `event.name`."""
    transcript = Transcript()
    for body in sequence(value):
        if isinstance(body, dict) and isinstance(name := body.get("event.name"), str):
            _add(transcript, name, body)
    return transcript


def details(attributes: Mapping[str, Value]) -> Transcript:
    """The messages of an `operation.details` event: the same attributes as on a span, structured or JSON."""
    return Transcript(
        system=instructions(attributes.get("gen_ai.system_instructions")),
        input=conversation(attributes.get("gen_ai.input.messages"), "input", model_call=True) or [],
        output=conversation(attributes.get("gen_ai.output.messages"), "output", model_call=True) or [],
    )


def message_of_event(name: str, body: Mapping[str, Value]) -> tuple[Side, list[Message]] | None:
    """The side and the messages of one message event; None for any other event."""
    if name == CHOICE:
        return "output", _choice(body)
    role = MESSAGE_ROLES.get(name)
    if role is None:
        return None
    content = body.get("content", body.get("gen_ai.event.content"))
    nested = mapping(content) if isinstance(content, str) and content.startswith('{"') else {}
    if "content" in nested or "tool_calls" in nested:
        # The body of the event as JSON in one attribute.
        body, content = {**body, **nested}, nested.get("content")
    return "input", [plain_message({"role": role, **body, "content": opened_content(content)}, "input")]


def _add(transcript: Transcript, name: str, body: Mapping[str, Value]) -> None:
    if name == DETAILS:
        more = details(body)
        transcript.system += more.system
        transcript.input += more.input
        transcript.output += more.output
        return
    if name in _CONTENT_EVENTS:
        side, key = _CONTENT_EVENTS[name]
        found = conversation(body.get(key), side, model_call=True) or []
        (transcript.input if side == "input" else transcript.output).extend(found)
        return
    piece = message_of_event(name, body)
    if piece is not None:
        (transcript.input if piece[0] == "input" else transcript.output).extend(piece[1])


def _choice(body: Mapping[str, Value]) -> list[Message]:
    """A choice: `message` is an object, its JSON, Bedrock blocks as JSON, or the text itself (Strands)."""
    said = body.get("message", body.get("content", body.get("gen_ai.event.content")))
    found = parsed(said)
    if isinstance(found, dict) and isinstance(found.get("message"), dict):
        body, found = {**body, **found}, found["message"]
    outside = {key: body[key] for key in ("finish_reason", "tool_calls") if body.get(key)}
    if isinstance(found, dict) and not {"content", "tool_calls", "parts", "role"}.isdisjoint(found):
        message = message_of(
            {"role": "assistant", **outside, **{k: v for k, v in found.items() if v is not None}}, "output"
        )
        messages = [message] if message is not None else []
    else:
        messages = [
            plain_message({"role": "assistant", **outside, "content": opened_content(said)}, "output")
        ]
    result = body.get("tool.result")
    if result is not None:
        # Strands closes an event loop cycle with the answers of the tools that the choice called.
        messages.append(plain_message({"role": "tool", "content": opened_content(result)}, "input"))
    return messages
