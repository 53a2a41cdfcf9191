"""A load that never gives up: threads that send each request until it is acknowledged, some of them twice."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests import otlp

PROJECT = "chaos"
SPANS = 50
IN, OUT, CACHED, REASONED = 900, 70, 400, 20
"""Token counts of the first span of a request; span k has k more of each of the first two."""
CONFLICTS = 5
"""Spans of each request that are sent again with other times: the record with the later end wins."""
GIVE_UP_SECONDS = 150.0


@dataclass(frozen=True)
class Request:
    """One export request of SPANS spans: its number stands in the first 8 digits of every span id."""

    number: int
    body: bytes
    update: bytes
    """The same CONFLICTS first spans with an earlier start, a later end and ten more input tokens."""


def request(number: int, start: int) -> Request:
    """The request of a number; its spans begin at `start` (nanoseconds)."""
    return Request(
        number,
        otlp.traces(*(_span(number, k, start, 0) for k in range(SPANS))),
        otlp.traces(*(_span(number, k, start, 1) for k in range(CONFLICTS))),
    )


def _span(number: int, k: int, start: int, version: int) -> Span:
    return otlp.span(
        "chat gpt-5",
        trace_id=f"{number:08x}{k // 10:024x}",
        span_id=f"{number:08x}{k + 1:08x}",
        start=start + k * 1_000_000 - version * 90_000_000_000,
        end=start + k * 1_000_000 + 2_000_000_000 * (1 + version),
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.usage.input_tokens": IN + k + 10 * version,
            "gen_ai.usage.output_tokens": OUT + k,
            "gen_ai.usage.cache_read.input_tokens": CACHED,
            "gen_ai.usage.reasoning.output_tokens": REASONED,
        },
    )


def input_tokens(*, updated: bool) -> int:
    """The sum of a request's input tokens."""
    return SPANS * IN + SPANS * (SPANS - 1) // 2 + (10 * CONFLICTS if updated else 0)


def output_tokens() -> int:
    """The sum of a request's output tokens."""
    return SPANS * OUT + SPANS * (SPANS - 1) // 2


@dataclass
class Load:
    """Requests on their way to an OTLP/HTTP port that comes and goes. `bodies` may be sent in any order, by any thread."""

    url: str
    todo: queue.Queue[tuple[int, bytes]] = field(default_factory=queue.Queue)
    acknowledged: list[int] = field(default_factory=list)
    """Numbers of the requests that were answered 200, once for each time."""
    refused: set[int] = field(default_factory=set)
    """Status codes other than 200."""
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, threads: int = 4) -> None:
        """Begins to send."""
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Waits until all that was put in is acknowledged. Raises AssertionError when that takes too long."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while self.todo.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.02)
        left = self.todo.unfinished_tasks
        self.stop()
        assert not left, f"{left} requests were not acknowledged within {GIVE_UP_SECONDS} s"

    def stop(self) -> None:
        """Gives up what is not acknowledged."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def _work(self) -> None:
        with httpx.Client(base_url=self.url, timeout=20) as client:
            while not self._stopped.is_set():
                try:
                    number, body = self.todo.get(timeout=0.05)
                except queue.Empty:
                    continue
                while not self._deliver(client, body):
                    if self._stopped.wait(0.05):
                        return
                self.acknowledged.append(number)
                self.todo.task_done()

    def _deliver(self, client: httpx.Client, body: bytes) -> bool:
        try:
            answer = otlp.post(client, "traces", body, {"x-evalstream-project": PROJECT})
        except httpx.TransportError:
            return False
        if answer.status_code != httpx.codes.OK:
            self.refused.add(answer.status_code)
        return answer.status_code == httpx.codes.OK


def schedule(load: Load, requests: Sequence[Request], chance: random.Random) -> set[int]:
    """Puts all requests in order: a tenth twice at once, a tenth again much later, a fifth updated. Returns the updated numbers."""
    later: list[tuple[int, bytes]] = []
    updated = set()
    for one in requests:
        load.todo.put((one.number, one.body))
        draw = chance.random()
        if draw < 0.1:
            load.todo.put((one.number, one.body))
        elif draw < 0.2:
            later.append((one.number, one.body))
        elif draw < 0.4:
            updated.add(one.number)
            where = load.todo.put if draw < 0.3 else later.append
            where((one.number, one.update))
    for item in later:
        load.todo.put(item)
    return updated
