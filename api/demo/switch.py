"""Instrumentation that can be turned to another tracer provider, and off.

The instrumentations patch classes for the whole process, and OpenLLMetry's (0.62) cannot be taken out again: its `unwrap`
looks for an attribute named "Completions.create" and finds none. So each library is installed once, on a provider that
passes spans on to the one that is on at the time, and to none otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from openinference.instrumentation.anthropic import AnthropicInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceInstrumentor
from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetryInstrumentor
from opentelemetry.trace import NoOpTracerProvider, Span, Tracer, TracerProvider


class SwitchProvider(TracerProvider):
    """A tracer provider that stands for another one; for none, as long as nothing is on."""

    def __init__(self) -> None:
        self.target: TracerProvider = NoOpTracerProvider()

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        """A tracer that goes with the switch."""
        return _SwitchTracer(self, args, kwargs)

    @contextmanager
    def on(self, provider: TracerProvider) -> Iterator[None]:
        """Spans begun inside go to `provider`."""
        before, self.target = self.target, provider
        try:
            yield
        finally:
            self.target = before


class _SwitchTracer(Tracer):
    def __init__(self, switch: SwitchProvider, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._switch = switch
        self._args = args
        self._kwargs = kwargs

    def _tracer(self) -> Tracer:
        return self._switch.target.get_tracer(*self._args, **self._kwargs)

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        return self._tracer().start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        return self._tracer().start_as_current_span(*args, **kwargs)


OPENINFERENCE = SwitchProvider()
OPENLLMETRY = SwitchProvider()
SWITCHES = {"shop-assistant": OPENINFERENCE, "support-agent": OPENLLMETRY}
"""Which library traces a service's model calls."""


def instrumented(service: str, provider: TracerProvider) -> AbstractContextManager[None]:
    """Model calls inside are traced into `provider` by the service's library, and by no other."""
    _install(OpenInferenceInstrumentor(), OPENINFERENCE)
    _install(AnthropicInstrumentor(), OPENINFERENCE)
    _install(OpenLLMetryInstrumentor(), OPENLLMETRY)
    return SWITCHES[service].on(provider)


class _Instrumentor(Protocol):
    @property
    def is_instrumented_by_opentelemetry(self) -> bool: ...

    def instrument(self, **options: Any) -> Any: ...


def _install(instrumentor: _Instrumentor, provider: TracerProvider) -> None:
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(tracer_provider=provider)
