"""A request to a model and its answer, free of any wire format. The scripted model server is written in these terms.

The wire formats (OpenAI, Anthropic) turn a request into an `Ask` and a `Reply` back into their own JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Api = Literal["chat", "responses", "messages", "embeddings"]
Finish = Literal["stop", "length", "tool_calls"]

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English text."""
WORDS_PER_PIECE = 4


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call that the model asks for; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. A tool's answer has role `tool` and the `call_id` that it answers."""

    role: str
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, whatever API it came by. `cacheable` counts the leading messages that the client marked for caching."""

    api: Api
    model: str
    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()
    json_wanted: bool = False
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = True
    cacheable: int = 0
    dimensions: int = 64
    base64: bool = False

    def digest(self) -> str:
        """A stable name of the request's content."""
        texts = [(m.role, m.text, [(c.name, c.arguments) for c in m.calls]) for m in self.messages]
        return hashlib.sha256(json.dumps([self.api, self.model, texts]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as OpenTelemetry counts them: `input` includes both cache shares, `output` includes `reasoning`."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A scripted failure: `status` and an error in the provider's words, or (`cut`) a stream that breaks off half-way."""

    status: int
    code: str
    message: str
    cut: bool = False


RATE_LIMIT = Fault(
    429,
    "rate_limit_exceeded",
    "Rate limit reached for this model on requests per min. Please try again in 20ms.",
)
SERVER_ERROR = Fault(
    500, "server_error", "The server had an error while processing your request. Sorry about that!"
)
OVERLOADED = Fault(529, "overloaded_error", "Overloaded")
TOO_LONG = Fault(400, "context_length_exceeded", "This model's maximum context length is 128000 tokens.")
CUT = Fault(200, "connection_cut", "", cut=True)
FAULTS = {
    "rate_limit": RATE_LIMIT,
    "server_error": SERVER_ERROR,
    "overloaded": OVERLOADED,
    "too_long": TOO_LONG,
    "cut": CUT,
}
"""The faults that a request can ask for by name."""

FaultPlan = Callable[[Ask, int], Fault | None]
"""(request, attempts with the same content before this one) → the fault to answer with, or None."""


def no_faults(_ask: Ask, _attempt: int) -> Fault | None:
    """The plan of a service that never fails by itself."""
    return None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `first_ms` and `total_ms` are the simulated times to the first token and to the last one."""

    model: str
    text: str
    calls: tuple[ToolCall, ...]
    finish: Finish
    usage: Usage
    first_ms: float
    total_ms: float
    vectors: tuple[tuple[float, ...], ...] = ()

    @property
    def pieces(self) -> tuple[str, ...]:
        """The text as a stream delivers it: pieces of four words, which join to the text."""
        words = self.text.split(" ") if self.text else []
        chunks = [" ".join(words[at : at + WORDS_PER_PIECE]) for at in range(0, len(words), WORDS_PER_PIECE)]
        return tuple(chunk + (" " if at < len(chunks) - 1 else "") for at, chunk in enumerate(chunks))

    @property
    def chunk_ms(self) -> float:
        """Simulated milliseconds between two streamed pieces of text."""
        return (self.total_ms - self.first_ms) / max(1, len(self.pieces))


def count_tokens(text: str) -> int:
    """Tokens of a text: its UTF-8 bytes over four, rounded up."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def message_tokens(message: Message) -> int:
    """Tokens of a message with its tool calls and the four that frame it."""
    return 4 + count_tokens(message.text) + sum(count_tokens(c.name + c.arguments) for c in message.calls)


def as_json(value: Any) -> str:
    """Compact JSON in which text stays readable."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
