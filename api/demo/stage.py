"""What a scenario plays on: one running deployment of a service, with its model clients and its tracer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import anthropic
import openai
from openinference.instrumentation import OITracer, TraceConfig
from opentelemetry.trace import Tracer

from api.demo.clock import DemoClock, Pace
from api.demo.model_server import ScriptedModelServer
from api.demo.plan import Deployment, Share, Visit


@dataclass(frozen=True, slots=True)
class Stage:
    """One deployment, ready for visits. `tracer` is the application's own; `hand_over` queues a visit for another service.

    `rng` is reseeded for each visit, so that a visit's dice do not depend on the visits before it.
    """

    deployment: Deployment
    clock: DemoClock
    pace: Pace
    rng: Random
    tracer: Tracer
    openai: openai.OpenAI
    anthropic: anthropic.Anthropic
    hand_over: Callable[[Visit], None]

    @property
    def oi_tracer(self) -> OITracer:
        """The tracer with OpenInference's conveniences (span kinds, inputs, documents)."""
        return OITracer(self.tracer, config=TraceConfig())


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of visit: how often it is drawn, and what happens in it. One file in `scenarios/` defines one."""

    name: str
    service: str
    weight: float
    turns: int
    play: Callable[[Stage, Visit], None]

    def share(self) -> Share:
        """What the plan needs to know of it."""
        return Share(self.name, self.service, self.weight, self.turns)


OPENAI_URL, ANTHROPIC_URL = "https://api.openai.com/v1", "https://api.anthropic.com"
"""What the clients are told, as instrumentations read the provider from it. No request leaves this machine."""


@contextmanager
def open_clients(
    server: ScriptedModelServer, pace: Pace, client: str
) -> Iterator[tuple[openai.OpenAI, anthropic.Anthropic]]:
    """Both model clients, turned to the scripted server; what it says it took is spent on the demo's clock."""

    def redirect(request: Any) -> None:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=server.port)

    def spend(response: Any) -> None:
        pace.spend_response(response.headers.get)

    hooks: dict[str, list[Callable[..., Any]]] = {"request": [redirect], "response": [spend]}
    # both pools are our own, so that nothing is left open at exit
    with (
        openai.DefaultHttpxClient(event_hooks=hooks, trust_env=False) as openai_http,
        anthropic.DefaultHttpxClient(event_hooks=hooks, trust_env=False) as anthropic_http,
    ):
        yield (
            openai.OpenAI(base_url=OPENAI_URL, api_key=client, http_client=openai_http, max_retries=1),
            anthropic.Anthropic(
                base_url=ANTHROPIC_URL, api_key=client, http_client=anthropic_http, max_retries=2
            ),
        )
