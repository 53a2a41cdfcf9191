"""What people see besides `spans`: the columns of `traces`, `sessions`, `scores` and `logs`, and the units of all.

A test compares names and types with the views of the engine; docs/reference/tables.md is written from here.
Conventions as in schemas/spans.py: missing text is `''`, a missing number NULL; ids are lower-case hex; times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_LOW = "LowCardinality(String)"
_TIME = "DateTime64(9, 'UTC')"
_COUNT = "Nullable(UInt64)"
_MONEY = "Nullable(Decimal(38, 15))"
_MAP = f"Map({_LOW}, String)"


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column as a reader sees it: its name, its ClickHouse type and what it means."""

    name: str
    clickhouse: str
    meaning: str


@dataclass(frozen=True, slots=True)
class View:
    """A table for readers: what one row is, and its columns in order."""

    row: str
    columns: tuple[ViewColumn, ...]


_PROJECT = ViewColumn("project", _LOW, "Project that owns the row.")
_TOKENS = (
    ViewColumn(
        "input_tokens", _COUNT, "Input tokens of the bill: the sum over the spans with `usage_counted`."
    ),
    ViewColumn("output_tokens", _COUNT, "Output tokens of the bill."),
    ViewColumn("total_tokens", _COUNT, "All tokens of the bill."),
    ViewColumn("cost", _MONEY, "The bill; NULL when no call has a price."),
)

TRACES = View(
    "One row a trace, put together from the spans that are there now.",
    (
        _PROJECT,
        ViewColumn("trace_id", "String", "Trace id, 32 lower-case hex digits."),
        ViewColumn("name", "String", "What the client or the workflow called it, else the name of its first span."),
        ViewColumn("start_time", _TIME, "Start of the earliest span."),
        ViewColumn("end_time", _TIME, "End of the latest span."),
        ViewColumn("duration_ms", "Float64", "end_time - start_time."),
        ViewColumn("status", "String", "error when a root failed, or when any span did and no root has come; else the root's."),
        ViewColumn("span_count", "UInt64", "Spans."),
        ViewColumn("error_count", "UInt64", "Spans with status error."),
        ViewColumn("session_id", "String", "Session or conversation."),
        ViewColumn("user_id", "String", "End user."),
        ViewColumn("environment", "String", "Deployment environment."),
        ViewColumn("release", "String", "Version of the application."),
        ViewColumn("tags", "Array(String)", "Tags."),
        ViewColumn("input", "String", "Input of the first span that has one."),
        ViewColumn("output", "String", "Output of the last root, else of the last span that has one."),
        *_TOKENS,
        ViewColumn("models", "Array(String)", "Models asked for, in alphabetical order."),
    ),
)  # fmt: skip

SESSIONS = View(
    "One row a session, put together from the spans that carry its id, their own or their trace's.",
    (
        _PROJECT,
        ViewColumn("session_id", "String", "Session or conversation."),
        ViewColumn("user_id", "String", "End user: the earliest one named."),
        ViewColumn("start_time", _TIME, "Start of the earliest span."),
        ViewColumn("end_time", _TIME, "End of the latest span."),
        ViewColumn("trace_count", "UInt64", "Traces."),
        ViewColumn("span_count", "UInt64", "Spans."),
        ViewColumn("error_count", "UInt64", "Spans with status error."),
        *_TOKENS,
    ),
)

SCORES = View(
    "One row an evaluation result or a piece of feedback, unique by `id`.",
    (
        _PROJECT,
        ViewColumn("id", "String", "Id of the score; the same id again replaces it."),
        ViewColumn("name", _LOW, "What was measured: groundedness, helpfulness, …"),
        ViewColumn("target_type", _LOW, "What was scored: span, trace, session, dataset_item or experiment."),
        ViewColumn("trace_id", "String", "Trace that was scored, or that holds the span."),
        ViewColumn("span_id", "String", "Span that was scored; '' when the target is larger."),
        ViewColumn("session_id", "String", "Session that was scored."),
        ViewColumn("dataset_item", "String", "Dataset item that was answered."),
        ViewColumn("experiment", _LOW, "Experiment that the score belongs to."),
        ViewColumn("value", "Nullable(Float64)", "The score; NULL when there is only a label, or no verdict."),
        ViewColumn("label", "String", "The verdict as a word."),
        ViewColumn("explanation", "String", "Why, in the evaluator's words."),
        ViewColumn("outcome", _LOW, "scored, abstained, failed or skipped."),
        ViewColumn("reason", "String", "Why there is no verdict."),
        ViewColumn("stddev", "Nullable(Float64)", "Standard deviation over the samples."),
        ViewColumn("samples", "Nullable(UInt32)", "Verdicts behind the value."),
        ViewColumn("revision", _COUNT, "Revision of the target that was judged."),
        ViewColumn("rule", _LOW, "Rule that asked for the judgement."),
        ViewColumn("trial", "Nullable(UInt32)", "Trial number within the experiment, from 0."),
        ViewColumn("raw_value", "Nullable(Float64)", "The value before calibration."),
        ViewColumn("calibration_version", _LOW, "Calibration that made value from raw_value."),
        ViewColumn("findings", "String", "What a detector found: JSON list of {field, start, end, type, text, score}."),
        ViewColumn("annotator", "String", "Person who scored."),
        ViewColumn("shadow", "Bool", "From a rule on trial: not to be counted."),
        ViewColumn("deleted", "Bool", "Always false: deleted scores are not shown."),
        ViewColumn("source", _LOW, "judge, detector, code, human, user or client."),
        ViewColumn("evaluator", _LOW, "Evaluator that scored."),
        ViewColumn("evaluator_version", _LOW, "Its version."),
        ViewColumn("judge_model", _LOW, "Model behind a judge."),
        ViewColumn("cost", _MONEY, "What the judgement cost."),
        ViewColumn("latency_ms", "Nullable(Float64)", "How long the judgement took."),
        ViewColumn("metadata", _MAP, "Key-values of whoever scored."),
        ViewColumn("created_at", _TIME, "When the score was made."),
    ),
)  # fmt: skip

LOGS = View(
    "One row a log record, also one whose span never came.",
    (
        _PROJECT,
        ViewColumn("time", _TIME, "When it happened."),
        ViewColumn("trace_id", "String", "Trace that it belongs to; '' when none is named."),
        ViewColumn("span_id", "String", "Span that it belongs to; '' when none is named."),
        ViewColumn("event_name", _LOW, "Name of the event (gen_ai.client.inference.operation.details, …)."),
        ViewColumn("severity", _LOW, "Severity as sent: DEBUG, INFO, WARN, ERROR, …"),
        ViewColumn("body", "String", "Text of the record; other values as JSON."),
        ViewColumn("attributes", _MAP, "Attributes as sent; non-strings as JSON."),
        ViewColumn("joined", "Bool", "Its content stands in the input or output of its span."),
    ),
)

VIEWS: Mapping[str, View] = MappingProxyType(
    {"traces": TRACES, "sessions": SESSIONS, "scores": SCORES, "logs": LOGS}
)
"""By name, all that people read besides `spans`."""

UNITS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("start_time", "end_time", "time", "created_at"), "UTC, nanoseconds"),
        **dict.fromkeys(("duration_ms", "time_to_first_token_ms", "latency_ms"), "milliseconds"),
        **dict.fromkeys(
            ("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "usage"),
            "tokens",
        ),
        "cost": "US dollars",
        "span_count": "spans",
        "error_count": "spans",
        "trace_count": "traces",
        "value": "the evaluator's",
        "raw_value": "the evaluator's",
        "stddev": "as value",
        "samples": "verdicts",
        "trial": "number from 0",
        "revision": "number",
    }
)  # fmt: skip
"""By name of the column, in every table, what its numbers and times count."""
