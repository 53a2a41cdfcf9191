"""Runs the demo: plays every planned visit on the deployment that serves it, and sends the traces to an OTLP/HTTP endpoint."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from random import Random

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from api.demo.chat import MODEL_FAILURES
from api.demo.clock import DemoClock, Pace
from api.demo.model_server import Bill, ScriptedModelServer
from api.demo.model_types import CUT, OVERLOADED, RATE_LIMIT, SERVER_ERROR, Ask, Fault, Usage
from api.demo.plan import WINDOW, Deployment, Visit, draw_visits, in_trouble
from api.demo.retrieval import InputRefused
from api.demo.scenarios import SCENARIOS
from api.demo.stage import Stage, open_clients
from api.demo.summary import Summary
from api.demo.switch import instrumented
from api.demo.telemetry import BackdatingExporter, SeededIds, open_provider
from schemas.errors import Unavailable

FAULT_RATE, FAULT_RATE_IN_TROUBLE = 0.03, 0.5
SERVICES = ("shop-assistant", "support-agent")
"""In this order: the first one hands visits over to the second."""


class Traffic:
    """One run of the demo."""

    def __init__(
        self, endpoint: str, seed: int, now: datetime, traces: int, headers: Mapping[str, str]
    ) -> None:
        self._url = endpoint.rstrip("/") + "/v1/traces"
        self._headers = dict(headers)
        self._seed = seed
        self._now = now
        self._clock = DemoClock(now - WINDOW)
        self._pace = Pace(self._clock)
        self._ids = SeededIds(Random(f"{seed}:ids"))
        self._dice = Random(f"{seed}:faults")
        self._exporters: list[BackdatingExporter] = []
        shares = [scenario.share() for scenario in SCENARIOS.values()]
        self._visits = draw_visits(shares, seed=seed, now=now, traces=traces)

    def run(self) -> Summary:
        """Plays all visits. Raises Unavailable when the endpoint did not take every span."""
        with (
            quiet_sdk(),
            ScriptedModelServer(seed=self._seed, faults=self._fault, now=self._clock.seconds) as server,
        ):
            for service in SERVICES:
                self._serve(service, server)
            return self._summary(server.ledger)

    def _serve(self, service: str, server: ScriptedModelServer) -> None:
        """Plays the visits of one service, one deployment after the other."""
        served = sorted(
            (visit for visit in self._visits if visit.deployment.service == service),
            key=lambda visit: (visit.deployment, visit.at),
        )
        for deployment, visits in groupby(served, key=lambda visit: visit.deployment):
            with self._open_stage(deployment, server) as stage:
                for visit in visits:
                    self._play(stage, visit)

    @contextmanager
    def _open_stage(self, deployment: Deployment, server: ScriptedModelServer) -> Iterator[Stage]:
        exporter = BackdatingExporter(OTLPSpanExporter(self._url, headers=self._headers), self._clock)
        self._exporters.append(exporter)
        provider = open_provider(deployment, exporter, self._ids)
        try:
            with (
                instrumented(deployment.service, provider),
                open_clients(server, self._pace, deployment.service) as clients,
            ):
                yield Stage(
                    deployment=deployment,
                    clock=self._clock,
                    pace=self._pace,
                    rng=Random(),
                    tracer=provider.get_tracer(deployment.service, deployment.release),
                    openai=clients[0],
                    anthropic=clients[1],
                    hand_over=self._visits.append,
                )
            flushed = provider.force_flush()
        finally:
            provider.shutdown()
        if exporter.refused or not flushed:
            raise Unavailable(
                f"{self._url} did not take all of the demo's spans; is Evalstream running there?"
            )

    def _play(self, stage: Stage, visit: Visit) -> None:
        self._clock.set(visit.at)
        stage.rng.seed(f"{self._seed}:{visit.session.id}:{visit.turn}:{visit.scenario}")
        try:
            SCENARIOS[visit.scenario].play(stage, visit)
        except (*MODEL_FAILURES, InputRefused):
            # the application's answer to its user is an error page; its spans tell the rest
            return

    def _fault(self, ask: Ask, attempt: int) -> Fault | None:
        rate = FAULT_RATE_IN_TROUBLE if in_trouble(self._clock.now(), self._now) else FAULT_RATE
        if self._dice.random() >= rate:
            return None
        if ask.api == "messages":
            return self._dice.choice((OVERLOADED, RATE_LIMIT))
        return self._dice.choice((RATE_LIMIT, RATE_LIMIT, SERVER_ERROR, CUT if ask.stream else SERVER_ERROR))

    def _summary(self, ledger: Sequence[Bill]) -> Summary:
        spans = [span for exporter in self._exporters for span in exporter.sent]
        usage = total_usage(ledger)
        failed = [span for span in spans if span.status.status_code is StatusCode.ERROR]
        return Summary(
            traces=len({trace_of(span) for span in spans}),
            spans=len(spans),
            errors=len(failed),
            failed_traces=len({trace_of(span) for span in failed if span.parent is None}),
            model_calls=len(ledger),
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            reasoning_tokens=usage.reasoning,
            sessions=len(attribute_values(spans, "session.id")),
            users=len(attribute_values(spans, "user.id")),
            services=tuple(sorted({str(span.resource.attributes["service.name"]) for span in spans})),
            tokens_by_model=tokens_by_model(ledger),
            first=moment(min(span.start_time or 0 for span in spans)),
            last=moment(max(span.end_time or 0 for span in spans)),
        )


@contextmanager
def quiet_sdk() -> Iterator[None]:
    """Silences what the SDK says about OpenInference ending a broken stream's span twice."""
    logger = logging.getLogger("opentelemetry.sdk.trace")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def run_traffic(
    endpoint: str, *, seed: int, now: datetime | None, traces: int, headers: Mapping[str, str] | None
) -> Summary:
    """See `api.demo.run`."""
    return Traffic(endpoint, seed, now or datetime.now(UTC), traces, headers or {}).run()


def total_usage(ledger: Sequence[Bill]) -> Usage:
    """The sum of what clients were told."""
    total = Usage(0, 0)
    for usage in (bill.usage for bill in ledger if bill.usage):
        total = replace(
            total,
            input=total.input + usage.input,
            output=total.output + usage.output,
            cache_read=total.cache_read + usage.cache_read,
            cache_write=total.cache_write + usage.cache_write,
            reasoning=total.reasoning + usage.reasoning,
        )
    return total


def tokens_by_model(ledger: Sequence[Bill]) -> dict[str, int]:
    """Input and output tokens by answering model, most first."""
    tokens: Counter[str] = Counter()
    for bill in ledger:
        if bill.reply and bill.usage:
            tokens[bill.reply.model] += bill.usage.input + bill.usage.output
    return dict(tokens.most_common())


def trace_of(span: ReadableSpan) -> int:
    """The span's trace id."""
    return span.context.trace_id if span.context else 0


def attribute_values(spans: Sequence[ReadableSpan], key: str) -> set[str]:
    """The distinct values of an attribute."""
    return {str((span.attributes or {})[key]) for span in spans if key in (span.attributes or {})}


def moment(nanoseconds: int) -> datetime:
    """A time in nanoseconds since the epoch, to the microsecond."""
    return datetime.fromtimestamp(nanoseconds // 1000 / 1e6, UTC)
