"""The real exports of SDKs as a source of load: copies of the captured requests, each with ids of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.bench.payload import Request
from tests.otlp import CAPTURED, REQUESTS, Fixture, fixtures

ALL = "*"
_STAMPED = 4
"""Bytes of each id that a copy replaces."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A captured request with the places of its ids, in bytes or, in JSON, in hex digits."""

    body: npt.NDArray[np.uint8]
    places: npt.NDArray[np.int64]
    spans: int
    signal: str
    encoding: str

    def copied(self, copy: int) -> bytes:
        """The body of a copy: the first bytes of each id are its number."""
        stamp = copy.to_bytes(_STAMPED, "big")
        text = stamp.hex().encode() if self.encoding == "json" else stamp
        body = self.body.copy()
        body[self.places[:, None] + np.arange(len(text))] = np.frombuffer(text, np.uint8)
        return body.tobytes()


class Replay:
    """A source of requests for `client.run`. Copies of different clients differ in their ids."""

    def __init__(self, sdk: str, client: int, spans: int, *, as_sent: bool) -> None:
        chosen = [f for f in fixtures("" if sdk == ALL else sdk) if f.signal in ("traces", "logs")]
        self._captured = [captured(fixture, as_sent=as_sent) for fixture in chosen]
        self._copies = count(client << 24)
        self._requests = self._as_sent() if as_sent else self._gathered(spans)

    def request(self, number: int) -> Request:
        """The next request."""
        return next(self._requests)

    def _as_sent(self) -> Iterator[Request]:
        """Each captured request by itself, as its client encoded it."""
        for copy in self._copies:
            for found in self._captured:
                yield _request(found.copied(copy), found.spans, found)

    def _gathered(self, spans: int) -> Iterator[Request]:
        """Requests of at least so many spans from whole copies, then one with their log records.

        Protobuf messages that are joined are one message with the repeated fields of both.
        """
        traces = [found for found in self._captured if found.signal == "traces"]
        logs = [found for found in self._captured if found.signal == "logs"]
        each = sum(found.spans for found in traces)
        while True:
            copies = [next(self._copies) for _ in range(-(-spans // each))]
            yield _request(_joined(traces, copies), each * len(copies), traces[0])
            if logs:
                yield _request(_joined(logs, copies), 0, logs[0])


def sdks() -> list[str]:
    """The SDK set-ups of which spans were captured; none without the captured exports."""
    return sorted({f.sdk for f in fixtures() if f.signal == "traces"}) if CAPTURED.is_dir() else []


def captured(fixture: Fixture, *, as_sent: bool) -> Captured:
    """A fixture with the places of its ids found; as protobuf, or as it was sent."""
    message = REQUESTS[fixture.signal].FromString(fixture.protobuf)
    ids = {identity for identity in _ids(message) if identity.strip(b"\0")}
    encoding = fixture.encoding if as_sent else "protobuf"
    body = fixture.body if encoding == "json" else fixture.protobuf
    needles = [identity.hex().encode() if encoding == "json" else identity for identity in ids]
    places = [found.start() for needle in needles for found in re.finditer(re.escape(needle), body)]
    spans = sum(1 for _ in _spans(message)) if fixture.signal == "traces" else 0
    return Captured(
        np.frombuffer(body, np.uint8), np.array(places, np.int64), spans, fixture.signal, encoding
    )


def _request(body: bytes, spans: int, like: Captured) -> Request:
    kind = "application/json" if like.encoding == "json" else "application/x-protobuf"
    return Request(body, spans, path=f"/v1/{like.signal}", content_type=kind)


def _joined(parts: Sequence[Captured], copies: Sequence[int]) -> bytes:
    return b"".join(part.copied(copy) for copy in copies for part in parts)


def _ids(message: Any) -> Iterable[bytes]:
    if hasattr(message, "resource_spans"):
        for span in _spans(message):
            yield from (span.trace_id, span.span_id, span.parent_span_id)
            for link in span.links:
                yield from (link.trace_id, link.span_id)
    else:
        for resource in message.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    yield from (record.trace_id, record.span_id)


def _spans(message: Any) -> Iterator[Any]:
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans
