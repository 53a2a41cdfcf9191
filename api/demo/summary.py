"""What the demo sent, to be held against what arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals of one run. Every span counted here was acknowledged by the receiver.

    Tokens are what the model service told its clients: `input_tokens` includes `cache_read_tokens` and
    `cache_write_tokens`, `output_tokens` includes `reasoning_tokens`; answers without usage (errors, broken streams) count
    nothing. `model_calls` counts requests, retries included; `tokens_by_model` sums input and output by the model that
    answered. `errors` counts spans, `failed_traces` roots. `first` and `last` are the earliest start and the latest end.
    """

    traces: int
    spans: int
    errors: int
    failed_traces: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    sessions: int
    users: int
    services: tuple[str, ...]
    tokens_by_model: Mapping[str, int]
    first: datetime
    last: datetime

    @property
    def total_tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens
