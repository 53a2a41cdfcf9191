"""Runs a client program, and tells what Evalstream must show of it: derived from the ledger of the scripted model service."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.demo.model_server import Bill, ScriptedModelServer
from api.demo.model_types import RATE_LIMIT, Message, ToolCall
from tests.clients.catalog import Client
from tests.clients.server import Evalstream

REPOSITORY = Path(__file__).resolve().parents[2]
SESSION, USER = "session-live-1", "user-live-1"
"""As programs/conversation.py names them."""

Part = tuple[Any, ...]
Messages = list[tuple[str, list[Part]]]
"""(role, parts) of each message. Parts: ("text", content), ("tool_call", id, name, arguments),
("tool_call_response", id, response)."""


def run_program(client: Client, evalstream: Evalstream, models: ScriptedModelServer) -> None:
    """Holds the conversation; the program must end well. The client's name is its project and its key at the model service."""
    endpoint = evalstream.otlp_grpc_url if client.protocol == "grpc" else evalstream.otlp_http_url
    resource = "deployment.environment.name=live,service.version=1.0"
    environment = {
        **{key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ},
        "PYTHONPATH": str(REPOSITORY),
        "MODEL_URL": models.openai_url,
        "MODEL_KEY": client.name,
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": resource,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": client.protocol,
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-evalstream-project={client.name}",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
        "TRACELOOP_TELEMETRY": "false",
    }
    if client.environment == "genai":
        environment["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"
    if client.environment == "langfuse":
        # the way of its users: the console's port and Basic authentication; the project as a resource attribute
        environment |= {
            "OTEL_EXPORTER_OTLP_HEADERS": "",
            "LANGFUSE_BASE_URL": evalstream.api_url,
            "LANGFUSE_PUBLIC_KEY": "pk-lf-live",
            "LANGFUSE_SECRET_KEY": "sk-lf-live",
            "OTEL_RESOURCE_ATTRIBUTES": f"{resource},evalstream.project={client.name}",
        }
    done = subprocess.run(
        client.command(), env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def billed_calls(bills: Sequence[Bill]) -> list[Bill]:
    """The model calls as the client saw them: an attempt that its SDK repeated by itself is part of the next one."""
    return [bill for bill in bills if bill.fault is not RATE_LIMIT]


def asked_messages(bill: Bill) -> Messages:
    """The request's messages."""
    return [(message.role, _parts(message)) for message in bill.ask.messages]


def answered_messages(bill: Bill) -> Messages:
    """The answer as one message; none after a fault."""
    if bill.reply is None:
        return []
    return [("assistant", _parts(Message("assistant", bill.reply.text, bill.reply.calls)))]


def _parts(message: Message) -> list[Part]:
    if message.role == "tool":
        return [("tool_call_response", message.call_id, json.loads(message.text))]
    texts: list[Part] = [("text", message.text)] if message.text else []
    return texts + [_call(call) for call in message.calls]


def _call(call: ToolCall) -> Part:
    return ("tool_call", call.id, call.name, json.loads(call.arguments))


def read_messages(text: str) -> Messages:
    """Messages as Evalstream stores them, in the form above."""
    return [
        (message["role"], [_read_part(part) for part in message["parts"]])
        for message in json.loads(text or "[]")
    ]


def _read_part(part: dict[str, Any]) -> Part:
    if part["type"] == "tool_call":
        return ("tool_call", part["id"], part["name"], _decoded(part["arguments"]))
    if part["type"] == "tool_call_response":
        return ("tool_call_response", part["id"], _decoded(part["response"]))
    return (part["type"], part["content"])


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
