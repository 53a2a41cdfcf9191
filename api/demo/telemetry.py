"""OpenTelemetry for the demo: seeded ids, real OTLP export, and times told in demo time on the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from opentelemetry import context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.util.types import AttributeValue

from api.demo.clock import DemoClock
from api.demo.plan import Deployment

STAMP = context.create_key("evalstream-demo-stamp")
"""Context key of the attributes that every span below gets."""
BATCH = 256


class SeededIds(IdGenerator):
    """Trace and span ids from a seed: the same run sends the same ids."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def generate_span_id(self) -> int:
        """A 64-bit id."""
        return self._rng.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """A 128-bit id."""
        return self._rng.getrandbits(128) or 1


class StampProcessor(SpanProcessor):
    """Puts the attributes that the context holds under `STAMP` on every span, as tracing SDKs do for sessions and users."""

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
        """Stamps the span."""
        attributes = context.get_value(STAMP, parent_context)
        if isinstance(attributes, Mapping):
            span.set_attributes(attributes)


class BackdatingExporter(SpanExporter):
    """Hands spans on with their times as the demo's clock tells them, and keeps account of what the receiver took."""

    def __init__(self, wrapped: SpanExporter, clock: DemoClock) -> None:
        self._wrapped = wrapped
        self._clock = clock
        self.sent: list[ReadableSpan] = []
        self.refused = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Exports one batch."""
        dated = [self._backdate(span) for span in spans]
        result = self._wrapped.export(dated)
        if result is SpanExportResult.SUCCESS:
            self.sent.extend(dated)
        else:
            self.refused += len(dated)
        return result

    def shutdown(self) -> None:
        """Closes the connection."""
        self._wrapped.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held back here."""
        return self._wrapped.force_flush(timeout_millis)

    def _backdate(self, span: ReadableSpan) -> ReadableSpan:
        at = self._clock.at
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=span.attributes,
            events=[Event(event.name, event.attributes, at(event.timestamp)) for event in span.events],
            links=span.links,
            kind=span.kind,
            status=span.status,
            start_time=at(span.start_time or 0),
            end_time=at(span.end_time or 0),
            instrumentation_scope=span.instrumentation_scope,
        )


def open_provider(deployment: Deployment, exporter: SpanExporter, ids: IdGenerator) -> TracerProvider:
    """A tracer provider of its own for one deployment, batching as applications do."""
    attributes: dict[str, AttributeValue] = {
        "service.name": deployment.service,
        "service.version": deployment.release,
        "service.instance.id": f"{deployment.service}-{deployment.environment}-0",
        "deployment.environment.name": deployment.environment,
    }
    provider = TracerProvider(resource=Resource.create(attributes), id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(StampProcessor())
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=1 << 16, max_export_batch_size=BATCH)
    )
    return provider
