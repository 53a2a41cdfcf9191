"""What requests and answers look like, for validation and for the OpenAPI document.

Requests forbid unknown fields; answers may grow. Answers of telemetry are encoded straight from columns, and tests compare
them with these models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, create_model

from api.reading.spans import BULKY
from schemas.people import AuditAction, Scope
from schemas.spans import PUBLIC, Column

T = TypeVar("T")
Cost = Annotated[
    float | str | None, Field(description="US dollars; a string where no double is exact; null when unknown.")
]
Count = Annotated[int | str | None, Field(description="Null when unknown; a string above 2^53.")]


class Problem(BaseModel):
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError]


class FieldError(BaseModel):
    """One bad field: a JSON pointer into the body, or a parameter's name."""

    pointer: str
    message: str


class Page(BaseModel, Generic[T]):
    """A page of a list; `next_cursor` is null on the last one."""

    data: list[T]
    next_cursor: str | None


class Request(BaseModel):
    """Base of request bodies."""

    model_config = ConfigDict(extra="forbid")


class Match(BaseModel):
    """Where a search was found."""

    span_id: str
    snippet: str


class ScoreSummary(BaseModel):
    """The scores of one name on a trace: their mean, the newest label, and how many there are."""

    value: float | None
    label: str
    count: int


class Totals(BaseModel):
    """What the spans of a group sum up to. Tokens and cost are the bill: counted once."""

    start_time: datetime
    end_time: datetime
    span_count: int
    error_count: int
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count
    cost: Cost


class TraceRow(Totals):
    """A row of the list of traces. `match` is there when searching."""

    trace_id: str
    name: str
    duration_ms: float
    status: Literal["unset", "ok", "error"]
    session_id: str
    user_id: str
    environment: str
    release: str
    tags: list[str]
    input: str
    output: str
    models: list[str]
    scores: dict[str, ScoreSummary]
    match: Match | None = None


class SessionRow(Totals):
    """A session: the spans that carry its id."""

    session_id: str
    user_id: str
    trace_count: int


class UserRow(Totals):
    """An end user: the spans that carry the id."""

    user_id: str
    trace_count: int
    session_count: int


def _field(column: Column) -> Any:
    kind = _json_type(column)
    return (kind, Field(description=column.meaning))


def _json_type(column: Column) -> Any:
    arrow, nullable = column.arrow, column.clickhouse.startswith("Nullable")
    if pa.types.is_decimal(arrow):
        return Cost
    if pa.types.is_timestamp(arrow):
        return datetime
    if pa.types.is_map(arrow):
        return dict[str, str] if pa.types.is_string(arrow.item_type) else dict[str, int | str]
    if pa.types.is_list(arrow):
        return list[str]
    if pa.types.is_boolean(arrow):
        return bool
    if pa.types.is_floating(arrow):
        return float | None if nullable else float
    return Count if pa.types.is_integer(arrow) else str


Span = create_model(
    "Span", __doc__="A span, whole. Columns as in SQL.", **{column.name: _field(column) for column in PUBLIC}
)
SpanRow = create_model(
    "SpanRow",
    __doc__="A span in a list: without its bulky columns, input and output cut. `match` is there when searching.",
    match=(Match | None, None),
    **{column.name: _field(column) for column in PUBLIC if column.name not in BULKY},
)


class Score(BaseModel):
    """A score, as the table `scores` has it."""

    project: str
    id: str
    name: str
    target_type: str
    trace_id: str
    span_id: str
    session_id: str
    dataset_item: str
    experiment: str
    value: float | None
    label: str
    explanation: str
    outcome: str
    reason: str
    stddev: float | None
    samples: int | None
    revision: Count
    rule: str
    trial: int | None
    raw_value: float | None
    calibration_version: str
    findings: str
    annotator: str
    shadow: bool
    source: str
    evaluator: str
    evaluator_version: str
    judge_model: str
    cost: Cost
    latency_ms: float | None
    metadata: dict[str, str]
    created_at: datetime


class Trace(BaseModel):
    """A trace as it is now: its summary, its spans in the order of their starts (orphans too), and its scores."""

    summary: TraceRow
    spans: list[Span]  # type: ignore[valid-type]
    truncated: bool
    scores: list[Score]


class Session(BaseModel):
    """A session with a page of its traces, the oldest first."""

    summary: SessionRow
    traces: Page[TraceRow]


class LogRecord(BaseModel):
    """A log record. `joined`: its content reached its span."""

    project: str
    time: datetime
    trace_id: str
    span_id: str
    event_name: str
    severity: str
    body: str
    attributes: dict[str, str]
    joined: bool


class DeadLetterRow(BaseModel):
    """What could not be taken (`rejected`) or written (`dead`), and why."""

    id: str
    kind: Literal["rejected", "dead"]
    topic: str
    reason: str
    time: datetime
    bytes: int
    replayed: bool


class DeadLetter(DeadLetterRow):
    """A dead letter with its bytes in base64: OTLP when rejected, an Arrow IPC stream of one row when dead."""

    payload: str


class ProjectDocument(BaseModel):
    """A project."""

    name: str
    created_at: datetime


class NewProject(Request):
    """A project to create."""

    name: str = Field(min_length=1, max_length=100, examples=["search"])


class Status(BaseModel):
    """Counters of a project's spans: received = accepted + rejected; accepted = stored + duplicate + dead + in_flight.

    `dead_letters`: letters of spans that are kept, dropped ones too: rejected + dead. `uncounted_usage`: tokens found only on
    spans that do not count, at most 30 s old. `lag`: the project's unread rows by worker.
    """

    project: str
    received: int
    accepted: int
    rejected: int
    stored: int
    duplicate: int
    dead: int
    in_flight: int
    deleted: int
    logs_stored: int
    scores_stored: int
    dead_letters: int
    uncounted_usage: int
    lag: dict[str, int]


class KeyDocument(BaseModel):
    """An API key; its secret is never shown again."""

    id: str
    name: str
    scope: Scope
    project: str | None
    prefix: str
    created_at: datetime
    revoked_at: datetime | None


class CreatedKey(KeyDocument):
    """A new key with its secret: the only moment at which it can be seen."""

    secret: str


class NewKeyRequest(Request):
    """A key to create."""

    name: str = Field(min_length=1, max_length=100, examples=["production ingest"])


class GroupDocument(BaseModel):
    """A group of the event log: records of its topics that it has not read, and how long the oldest one waits."""

    name: str
    topics: list[str]
    lag_records: int
    oldest_seconds: float


class AuditDocument(BaseModel):
    """One change. `before` and `after` are null for telemetry and for groups of the log, which have no earlier state to show."""

    id: int
    at: datetime
    actor: str
    action: AuditAction
    resource: str
    resource_id: str
    project: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class SpanQueryRequest(Request):
    """A list of spans, for filters too long for a URL."""

    filter: str | None = Field(None, max_length=100_000, examples=["kind = 'llm' and cost > 0.01"])
    search: str | None = Field(None, min_length=1, max_length=500)
    start: str | None = None
    end: str | None = None
    limit: int = Field(50, ge=1, le=1000)
    cursor: str | None = None


Scalar = str | int | float | bool | None


class SqlRequest(Request):
    """One SELECT over spans, logs, scores, traces and sessions."""

    query: str = Field(max_length=131_072, examples=["SELECT kind, count() AS n FROM spans GROUP BY kind"])
    parameters: dict[str, Scalar | list[Scalar]] = Field(
        {}, description="Values of {name:Type} placeholders."
    )
    max_rows: int | None = Field(None, ge=1, le=1_000_000)


class SqlColumn(BaseModel):
    """A column of an answer and its ClickHouse type."""

    name: str
    type: str


class SqlAnswer(BaseModel):
    """Rows; `truncated` says that there are more than max_rows."""

    data: list[dict[str, Any]]
    columns: list[SqlColumn]
    truncated: bool
    elapsed_ms: float


class Taken(BaseModel):
    """Rows that are durable now."""

    accepted: int


class TakenScores(BaseModel):
    """The ids of scores that are durable now, in the order sent."""

    ids: list[str]


class Replayed(BaseModel):
    """A dead letter that was sent again."""

    id: str
    replayed: bool


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]
    version: str


class Ready(BaseModel):
    """Whether every listener accepts, and if not, why."""

    ready: bool
    reasons: list[str]


Problem.model_rebuild()
