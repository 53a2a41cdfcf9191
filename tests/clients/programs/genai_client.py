"""OpenTelemetry's own GenAI instrumentation (semantic conventions, content on spans), over HTTP or gRPC."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.clients.programs import conversation

provider = TracerProvider()
grpc = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc"
provider.add_span_processor(BatchSpanProcessor(GrpcExporter() if grpc else HttpExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
tracer = trace.get_tracer("shop")
WHO = {"session.id": conversation.SESSION, "user.id": conversation.USER}


@contextmanager
def tool_span(name: str, arguments: str, call_id: str) -> Iterator[Callable[[str], None]]:
    """A tool span by the semantic conventions."""
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.call.arguments": arguments,
    }
    with tracer.start_as_current_span(f"execute_tool {name}", attributes=attributes) as span:
        yield lambda result: span.set_attribute("gen_ai.tool.call.result", result)


agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop-agent", **WHO}
conversation.hold(tool_span, tracer.start_as_current_span("invoke_agent shop-agent", attributes=agent))
provider.shutdown()
