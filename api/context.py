"""All that the API needs of the outside world, handed in once by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ingest.service import Signal
from schemas.people import ApiKeys, AuditTrail, Idempotency, KeyCheck, Projects
from schemas.ports import Clock, EventLog, Store
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether every listener of the process accepts. `reasons` says what is missing; empty when ready."""

    ready: bool
    reasons: tuple[str, ...] = ()


Resubmit = Callable[[str, Signal, bytes], Awaitable[int]]
"""(project, signal, OTLP bytes of one rejected span or log record) → how many were rejected again: 0 when it was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """The ports and the facts of this process.

    `resubmit` sends what was rejected through the receiver again; `readiness` is asked by /readyz; `metrics` gives further lines
    for /metrics in the Prometheus text format.
    """

    settings: Settings
    store: Store
    log: EventLog
    keys: KeyCheck
    api_keys: ApiKeys
    projects: Projects
    audit: AuditTrail
    idempotency: Idempotency
    clock: Clock
    version: str
    resubmit: Resubmit
    readiness: Callable[[], Readiness] = field(default=lambda: Readiness(True))
    metrics: Callable[[], str] = field(default=lambda: "")
