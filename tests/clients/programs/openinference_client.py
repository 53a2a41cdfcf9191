"""OpenTelemetry SDK + OpenInference, exporting over HTTP or gRPC as OTEL_EXPORTER_OTLP_PROTOCOL says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from openinference.instrumentation import OITracer, TraceConfig, using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.clients.programs import conversation


def main() -> None:
    """Holds the conversation below an agent span."""
    provider = TracerProvider()
    grpc = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc"
    provider.add_span_processor(BatchSpanProcessor(GrpcExporter() if grpc else HttpExporter()))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    tracer = OITracer(provider.get_tracer("shop"), config=TraceConfig())

    @contextmanager
    def tool_span(name: str, arguments: str, _call_id: str) -> Iterator[Callable[[str], None]]:
        with tracer.start_as_current_span(name, openinference_span_kind="tool") as span:
            span.set_attribute("tool.name", name)
            span.set_input(arguments, mime_type="application/json")
            yield lambda result: span.set_output(result, mime_type="application/json")

    with (
        using_attributes(
            session_id=conversation.SESSION,
            user_id=conversation.USER,
            metadata={"tenant": "northwind"},
            tags=["live", "shop"],
        ),
        tracer.start_as_current_span("shop-agent", openinference_span_kind="agent") as root,
    ):
        root.set_input("hello")
        conversation.hold(tool_span)
    provider.shutdown()


main()
