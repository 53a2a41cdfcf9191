"""Synthetic GenAI traffic: requests of distinct spans, encoded once, on whose bytes new ids and times are stamped.

A trace is an `invoke_agent` root and four `chat` children with usage and messages; a span takes 1.1 kB on the wire, about 600
bytes of it messages. Stamping 500 spans takes some 0.2 ms, so that what is measured is the server and not its clients.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from tests.otlp import attributes, traces

SPANS_PER_TRACE = 5
SPAN_BYTES = 1100
INPUT_CHARACTERS = 200
SERVICE = {
    "service.name": "shop",
    "service.version": "1.0.0",
    "deployment.environment.name": "bench",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
}
_TRACE, _SPAN, _PARENT = b"\xa1" * 16, b"\xa2" * 8, b"\xa3" * 8
_START, _END = b"\xa4" * 8, b"\xa5" * 8
"""What stands in an encoded span where an id or a time will be stamped. No text holds such bytes."""

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Request:
    """The body of an export request, what is in it, and how it travels."""

    body: bytes
    spans: int
    input_tokens: int = 0
    output_tokens: int = 0
    path: str = "/v1/traces"
    content_type: str = "application/x-protobuf"


class Payload:
    """A source of requests. `seed` decides the texts, the tokens and the ids; `distinct` bodies are encoded and used in turn."""

    def __init__(self, spans: int = 500, *, distinct: int = 20, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        words = _vocabulary(np.random.default_rng(0))
        self._forms = [_Form(_Writer(self._random, words).spans(spans)) for _ in range(distinct)]

    def request(self, number: int, now: int | None = None) -> Request:
        """Request `number`: a body in turn with ids of its own and spans that ended just before `now` (ns since 1970)."""
        return self._forms[number % len(self._forms)].stamped(self._random, now or time.time_ns())


class _Form:
    """An encoded request with the places of what changes."""

    def __init__(self, spans: list[Span]) -> None:
        body = traces(*spans, resource=SERVICE, scope="opentelemetry.instrumentation.bench")
        self._bytes: Bytes = np.frombuffer(bytearray(body), np.uint8)
        self._trace, self._span, self._parent, self._start, self._end = (
            np.array([found.start() for found in re.finditer(re.escape(mark), body)], np.int64)
            for mark in (_TRACE, _SPAN, _PARENT, _START, _END)
        )
        usage = [_tokens(span) for span in spans]
        self._facts = (len(spans), sum(used[0] for used in usage), sum(used[1] for used in usage))

    def stamped(self, random: np.random.Generator, now: int) -> Request:
        count = len(self._span)
        place = np.arange(count)
        ids = random.integers(0, 256, (count, 8), np.uint8)
        trace_ids = random.integers(0, 256, (-(-count // SPANS_PER_TRACE), 16), np.uint8)
        self._put(self._trace, trace_ids[place // SPANS_PER_TRACE])
        self._put(self._span, ids)
        self._put(self._parent, ids[place - place % SPANS_PER_TRACE][place % SPANS_PER_TRACE > 0])
        starts = now - 2_000_000_000 + place * 1_000_000
        self._put(self._start, starts.astype("<i8").view(np.uint8).reshape(-1, 8))
        self._put(self._end, (starts + 250_000_000).astype("<i8").view(np.uint8).reshape(-1, 8))
        return Request(self._bytes.tobytes(), *self._facts)

    def _put(self, places: Places, values: Bytes) -> None:
        self._bytes[places[:, None] + np.arange(values.shape[1])] = values


class _Writer:
    """Makes spans with texts and numbers by chance."""

    def __init__(self, random: np.random.Generator, words: npt.NDArray[np.str_]) -> None:
        self._random, self._words = random, words
        self._people: dict[str, Any] = {}

    def spans(self, count: int) -> list[Span]:
        """Traces one after another; one span alone is a trace of its own."""
        return [self._padded(place % SPANS_PER_TRACE == 0, alone=count == 1) for place in range(count)]

    def _padded(self, is_root: bool, *, alone: bool) -> Span:
        """A span whose output is so long that it takes SPAN_BYTES in a request."""
        if is_root:
            session, user = self._random.integers(10**8), self._random.integers(1000)
            self._people = {"session.id": f"sess-{session:08d}", "user.id": f"user-{user:04d}"}
        values = self._chat() if alone or not is_root else self._agent()
        sample = _size(_span(values | {"gen_ai.output.messages": _messages("assistant", "x" * 200)}, is_root))
        text = self._text(200 + SPAN_BYTES - sample)
        span = _span(values | {"gen_ai.output.messages": _messages("assistant", text)}, is_root)
        assert abs(_size(span) - SPAN_BYTES) <= 2
        return span

    def _common(self, operation: str) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "openai",
            "gen_ai.input.messages": _messages("user", self._text(INPUT_CHARACTERS)),
            **self._people,
        }

    def _agent(self) -> dict[str, Any]:
        return self._common("invoke_agent") | {"gen_ai.agent.name": "ShopBot"}

    def _chat(self) -> dict[str, Any]:
        cached, reasoning = (int(n) for n in self._random.integers(128, 2000, 2))
        return self._common("chat") | {
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": cached + int(self._random.integers(4000)),
            "gen_ai.usage.cache_read.input_tokens": cached,
            "gen_ai.usage.output_tokens": reasoning + int(self._random.integers(2000)),
            "gen_ai.usage.reasoning.output_tokens": reasoning,
        }

    def _text(self, characters: int) -> str:
        """So many characters of words; the n-th most frequent one comes 1/n as often as the first (Zipf's law)."""
        ranks = len(self._words) ** self._random.random(characters // 3) - 1
        return " ".join(self._words[ranks.astype(np.int64)])[:characters].ljust(characters, "x")


def _vocabulary(random: np.random.Generator, size: int = 5000) -> npt.NDArray[np.str_]:
    """Words of one to four syllables."""
    syllables = [
        consonant + vowel
        for consonant in "bcdfghklmnprstvw"
        for vowel in ("a", "e", "i", "o", "u", "ea", "or", "an")
    ]
    return np.array(["".join(random.choice(syllables, 1 + rank % 4)) for rank in range(size)])


def _span(values: Mapping[str, Any], is_root: bool) -> Span:
    agent = values["gen_ai.operation.name"] == "invoke_agent"
    return Span(
        trace_id=_TRACE,
        span_id=_SPAN,
        parent_span_id=b"" if is_root else _PARENT,
        name="invoke_agent ShopBot" if agent else "chat gpt-4o-mini",
        kind=Span.SPAN_KIND_INTERNAL if agent else Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=int.from_bytes(_START, "little"),
        end_time_unix_nano=int.from_bytes(_END, "little"),
        attributes=attributes(values),
    )


def _messages(role: str, text: str) -> str:
    return f'[{{"role": "{role}", "parts": [{{"type": "text", "content": "{text}"}}]}}]'


def _size(span: Span) -> int:
    return ScopeSpans(spans=[span]).ByteSize()


def _tokens(span: Span) -> tuple[int, int]:
    values = {pair.key: pair.value.int_value for pair in span.attributes}
    return values.get("gen_ai.usage.input_tokens", 0), values.get("gen_ai.usage.output_tokens", 0)
