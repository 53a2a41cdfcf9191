"""What every transport hands to the receiver, and what it gets back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Signal = Literal["traces", "logs", "metrics"]
Encoding = Literal["protobuf", "json"]


@dataclass(frozen=True, slots=True)
class OtlpRequest:
    """One export request: its decompressed body, and its headers (or gRPC metadata) with lower-case names."""

    signal: Signal
    encoding: Encoding
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OtlpAnswer:
    """Success: how many items were rejected (kept as dead letters) and why. `rejected` 0 with a message is a warning."""

    rejected: int = 0
    message: str = ""


class Receiver(Protocol):
    """Takes export requests. Returns only when what it accepted is durable."""

    async def receive(self, request: OtlpRequest) -> OtlpAnswer:
        """Raises InvalidRequest for a body that is no OTLP, Unauthenticated, Forbidden, Overloaded and Unavailable."""
        ...
