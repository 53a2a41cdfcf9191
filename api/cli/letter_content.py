"""What the bytes of a dead letter say: an OTLP request when it was rejected, an Arrow row when it was dead."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.cli.output import Row
from api.cli.text import lines_of
from schemas.events import LOGS

_BYTES_A_LINE = 32


def content_of(letter: Row) -> str:
    """The content as JSON, else as a hex dump."""
    payload = base64.b64decode(letter["payload"])
    try:
        content = _request(letter["topic"], payload) if letter["kind"] == "rejected" else _row(payload)
        text = json.dumps(content, ensure_ascii=False, indent=2, default=str)
    except (DecodeError, pa.ArrowException, OSError, UnicodeError):
        return "\n".join(
            payload[at : at + _BYTES_A_LINE].hex(" ") for at in range(0, len(payload), _BYTES_A_LINE)
        )
    return "\n".join(lines_of(text))


def _request(topic: str, payload: bytes) -> Any:
    """The export request of the one span or log record that was refused."""
    kind = ExportLogsServiceRequest if topic == LOGS else ExportTraceServiceRequest
    return MessageToDict(kind.FromString(payload))


def _row(payload: bytes) -> Any:
    """The row, without what it does not say."""
    rows = pa.ipc.open_stream(payload).read_all().to_pylist()
    return [{name: value for name, value in row.items() if value not in (None, "", [])} for row in rows]
