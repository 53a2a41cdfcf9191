"""The benchmarks by name, in the order in which they run. Each is a module with `run(options) -> Result`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType
from typing import cast

from tests.bench.model import Options, Result

ABOUT = MappingProxyType(
    {
        "throughput": "requests of 500 spans from four clients, acknowledged and queryable, beside the bare limit",
        "peers": "the same requests at Phoenix and MLflow",
        "collector": "the same requests at the OpenTelemetry Collector",
        "small": "one span a request over 100 connections, and over gRPC",
        "dialects": "the real exports of each SDK, and all of them mixed",
        "visible": "from the acknowledgement to the list of traces",
        "reads": "list, trace, filter, aggregate and search over many spans, beside the bare query",
        "sql": "the SQL port: small queries, a million rows, a long stream, a point query beside heavy ones",
        "restart": "from kill -9 to ready",
        "normalise": "stages of a request: decode, validate, normalise",
        "log": "stages of the event log: append, read",
        "write": "stages of the span writer: derive, insert",
    }
)


def runner(name: str) -> Callable[[Options], Result]:
    """The function of a benchmark; its module is imported only now."""
    return cast("Callable[[Options], Result]", import_module(f"tests.bench.{name}").run)
