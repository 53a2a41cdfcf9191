"""A throw-away OTLP/HTTP receiver that keeps what it gets, to look at what a client really sends. It needs no Evalstream.

python -m tests.clients.recorder        # prints its address, then one line a span
"""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class RecordedSpan(NamedTuple):
    """A span with the attributes of its resource and its own, as Python values."""

    span: Span
    scope: str
    resource: dict[str, Any]
    attributes: dict[str, Any]


class RecordedLog(NamedTuple):
    """A log record with its attributes as Python values."""

    record: LogRecord
    attributes: dict[str, Any]


class Recorder:
    """The receiver, from `with` to its end. `spans` and `logs` in order of arrival; `answer` is the status of every response."""

    def __init__(self, *, port: int = 0, answer: int = 200) -> None:
        self.answer = answer
        self.requests: list[tuple[str, bytes]] = []
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="recorder", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Base address for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def spans(self) -> list[RecordedSpan]:
        """All spans so far."""
        return [
            span for path, body in self.requests if path.endswith("/v1/traces") for span in read_spans(body)
        ]

    @property
    def logs(self) -> list[RecordedLog]:
        """All log records so far."""
        return [log for path, body in self.requests if path.endswith("/v1/logs") for log in read_logs(body)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], owner: Recorder) -> None:
        self.owner = owner
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_POST(self) -> None:
        """Keeps the body, decompressed, and answers."""
        body = self._read_chunks() if self.headers.get("transfer-encoding") == "chunked" else self._read()
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.owner.requests.append((self.path, body))
        self.send_response(self.server.owner.answer)
        self.send_header("content-type", self.headers.get("content-type", "application/x-protobuf"))
        self.send_header("content-length", "0")
        self.end_headers()

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


def read_spans(body: bytes) -> list[RecordedSpan]:
    """The spans of an export request."""
    return [
        RecordedSpan(
            span,
            scoped.scope.name,
            read_attributes(group.resource.attributes),
            read_attributes(span.attributes),
        )
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scoped in group.scope_spans
        for span in scoped.spans
    ]


def read_logs(body: bytes) -> list[RecordedLog]:
    """The log records of an export request."""
    return [
        RecordedLog(record, read_attributes(record.attributes))
        for group in ExportLogsServiceRequest.FromString(body).resource_logs
        for scoped in group.scope_logs
        for record in scoped.log_records
    ]


def read_attributes(attributes: Any) -> dict[str, Any]:
    """Attributes as a dict of Python values."""
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: read_value(pair.value) for pair in pairs}


def read_value(value: AnyValue) -> Any:
    """An AnyValue as a Python value; an empty one is None."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [read_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return read_attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


def main() -> None:
    """Prints the spans that arrive, until Ctrl-C."""
    with Recorder() as recorder:
        print(f"OTEL_EXPORTER_OTLP_ENDPOINT={recorder.url}", flush=True)
        shown = 0
        while True:
            threading.Event().wait(0.5)
            for recorded in recorder.spans[shown:]:
                shown += 1
                print(recorded.span.name, recorded.scope, recorded.attributes, flush=True)


if __name__ == "__main__":
    main()
