"""The clients: which SDK, which program, which transport, and what that SDK tells (mapping.md says which keys each one sends)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.clients.environments import node_command, python_command

Fact = Literal[
    "request_model",  # the model asked for, apart from the one that answered
    "response_id",
    "finish_reason",
    "error_type",
    "cache",  # cached input tokens
    "reasoning",  # reasoning tokens
    "streaming",  # that the answer was streamed, and when it began
    "tags",
    "tenant",  # the metadata
    "environment",
    "tool_arguments",
]

ALL: frozenset[Fact] = frozenset(
    {
        "request_model", "response_id", "finish_reason", "error_type", "cache", "reasoning", "streaming", "tags", "tenant",
        "environment", "tool_arguments",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Client:
    """One SDK set-up. `name` is its project, `silent_on` lists what it does not tell, `root` is the kind of its outermost span."""

    name: str
    environment: str
    program: str
    protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    root: str = "agent"
    silent_on: frozenset[Fact] = field(default_factory=frozenset)

    def command(self) -> list[str]:
        """Its command line; makes its environment when it is missing."""
        if self.environment == "js":
            return node_command(self.program)
        return python_command(self.environment, self.program)

    def tells(self, fact: Fact) -> bool:
        """Whether the SDK sends this."""
        return fact not in self.silent_on


_OPENINFERENCE: frozenset[Fact] = frozenset({"response_id"})
_LANGFUSE: frozenset[Fact] = frozenset({"request_model", "response_id", "finish_reason", "error_type"})
_GENAI: frozenset[Fact] = frozenset({"tags", "tenant"})

CLIENTS = (
    Client("openinference-http", "openinference", "openinference_client", silent_on=_OPENINFERENCE),
    Client("openinference-grpc", "openinference", "openinference_client", "grpc", silent_on=_OPENINFERENCE),
    Client("openllmetry", "openllmetry", "openllmetry_client", root="chain", silent_on=frozenset({"tags", "tool_arguments"})),
    Client("genai-http", "genai", "genai_client", silent_on=_GENAI),
    Client("genai-grpc", "genai", "genai_client", "grpc", silent_on=_GENAI),
    Client("langfuse", "langfuse", "langfuse_client", silent_on=_LANGFUSE),
    Client("otel-js", "js", "otel_client.cjs", silent_on=frozenset({"cache", "reasoning", "streaming", "tags", "tenant"})),
)  # fmt: skip
