"""The canonical span: one wide row a span, as an Arrow schema with the meaning and unit of every column.

Three shapes are derived from the one table below:

* `NORMALISED`: what ingest appends to the topic `spans` (everything a span says about itself);
* `STORED`: what the span writer inserts into ClickHouse (the same plus what follows from its trace);
* the public columns of the view `spans`, documented in docs/reference/columns.md and checked against this table.

Conventions: missing text is `''`, a missing number NULL; ids are lower-case hex; times are UTC nanoseconds.
Sources: OpenTelemetry trace data model and GenAI semantic conventions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pyarrow as pa

TIME = pa.timestamp("ns", tz="UTC")
TEXT_MAP = pa.map_(pa.string(), pa.string())
USAGE_MAP = pa.map_(pa.string(), pa.uint64())
KINDS = (
    "llm", "embedding", "tool", "retriever", "reranker", "agent", "chain",
    "guardrail", "evaluator", "prompt", "event", "span",
)  # fmt: skip
STATUSES = ("unset", "ok", "error")
USAGE_KINDS = ("llm", "embedding", "reranker")
"""The kinds on which usage can be counted; elsewhere tokens are a roll-up of what lies below."""

Origin = Literal["span", "trace", "writer"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its Arrow and ClickHouse types, what it means, and who fills it.

    `origin` is "span" (ingest, from the span alone), "trace" (ingest, and inherited from the rest of the trace
    by the span writer when the span itself says nothing), or "writer" (the span writer alone).
    """

    name: str
    arrow: pa.DataType
    clickhouse: str
    meaning: str
    origin: Origin = "span"
    public: bool = True


_LOW = "LowCardinality(String)"
_COUNT = "Nullable(UInt64)"

COLUMNS: tuple[Column, ...] = (
    Column("project", pa.string(), _LOW, "Project that owns the span."),
    Column("trace_id", pa.string(), "String", "Trace id, 32 lower-case hex digits."),
    Column("span_id", pa.string(), "String", "Span id, 16 lower-case hex digits."),
    Column("parent_span_id", pa.string(), "String", "Parent's span id; '' on a root."),
    Column("name", pa.string(), _LOW, "Span name as sent."),
    Column("kind", pa.string(), _LOW, f"One of {', '.join(KINDS)}."),
    Column("start_time", TIME, "DateTime64(9, 'UTC')", "Start of the span, UTC, nanoseconds."),
    Column("end_time", TIME, "DateTime64(9, 'UTC')", "End of the span, UTC, nanoseconds."),
    Column("duration_ms", pa.float64(), "Float64", "end_time - start_time in milliseconds; 0 when the end lies before the start."),
    Column("status", pa.string(), _LOW, "unset, ok or error."),
    Column("status_message", pa.string(), "String", "What went wrong, in the client's words."),
    Column("error_type", pa.string(), _LOW, "Class or code of the error."),
    Column("service", pa.string(), _LOW, "Resource attribute service.name."),
    Column("environment", pa.string(), _LOW, "Deployment environment.", "trace"),
    Column("release", pa.string(), _LOW, "Version of the application (langfuse.release, else service.version).", "trace"),
    Column("scope_name", pa.string(), _LOW, "Instrumentation scope's name."),
    Column("scope_version", pa.string(), _LOW, "Instrumentation scope's version."),
    Column("trace_name", pa.string(), _LOW, "Name of the trace: set by the client, else the workflow's, else the root span's.", "trace"),
    Column("session_id", pa.string(), "String", "Session or conversation.", "trace"),
    Column("user_id", pa.string(), "String", "End user.", "trace"),
    Column("tags", pa.list_(pa.string()), f"Array({_LOW})", "Tags in the order sent, without repeats.", "trace"),
    Column("metadata", TEXT_MAP, f"Map({_LOW}, String)", "The user's own key-values; non-strings as JSON.", "trace"),
    Column("agent_name", pa.string(), _LOW, "Agent that the span runs."),
    Column("workflow_name", pa.string(), _LOW, "Workflow or graph that the span belongs to."),
    Column("provider", pa.string(), _LOW, "Provider of the model, lower case (openai, anthropic, aws.bedrock, …)."),
    Column("request_model", pa.string(), _LOW, "Model asked for; shown to people."),
    Column("response_model", pa.string(), _LOW, "Model that answered; priced."),
    Column("response_id", pa.string(), "String", "The provider's id of the response."),
    Column("model_parameters", TEXT_MAP, f"Map({_LOW}, String)", "temperature, top_p, max_tokens, …; non-strings as JSON."),
    Column("response_format", pa.string(), "String", "Requested output type: text, json, json_schema, or the schema as JSON."),
    Column("tool_definitions", pa.string(), "String", "Tools offered to the model: JSON list of {type, name, description, parameters}."),
    Column("input", pa.string(), "String", "Normalised messages as JSON text, or the raw value."),
    Column("output", pa.string(), "String", "Normalised messages as JSON text, or the raw value."),
    Column("documents", pa.string(), "String", "Retrieved documents: JSON list of {id, content, score, metadata}."),
    Column("tool_name", pa.string(), _LOW, "Tool that the span runs."),
    Column("tool_call_id", pa.string(), "String", "Id of the tool call that the span answers."),
    Column("prompt_name", pa.string(), _LOW, "Managed prompt's name.", "trace"),
    Column("prompt_version", pa.string(), _LOW, "Managed prompt's version.", "trace"),
    Column("experiment", pa.string(), _LOW, "Experiment that the span belongs to.", "trace"),
    Column("dataset_item", pa.string(), "String", "Dataset item that the span answers.", "trace"),
    Column("dataset_version", pa.string(), _LOW, "Version of that dataset.", "trace"),
    Column("trial", pa.uint32(), "Nullable(UInt32)", "Trial number within the experiment, from 0.", "trace"),
    Column("input_tokens", pa.uint64(), _COUNT, "Input tokens, cached and cache-creating ones included."),
    Column("output_tokens", pa.uint64(), _COUNT, "Output tokens, reasoning included."),
    Column("total_tokens", pa.uint64(), _COUNT, "Sum of `usage`."),
    Column("cache_read_tokens", pa.uint64(), _COUNT, "Share of input_tokens read from a cache."),
    Column("cache_write_tokens", pa.uint64(), _COUNT, "Share of input_tokens written to a cache."),
    Column("reasoning_tokens", pa.uint64(), _COUNT, "Share of output_tokens spent on reasoning."),
    Column("usage", USAGE_MAP, f"Map({_LOW}, UInt64)", "Mutually exclusive parts that sum to total_tokens: input, cache_read, cache_write, cache_write_1h, output, reasoning, …"),
    Column("usage_raw", TEXT_MAP, f"Map({_LOW}, String)", "The usage numbers as sent, by their original keys."),
    Column("usage_flags", pa.list_(pa.string()), f"Array({_LOW})", "What had to be corrected: clamped, total_mismatch, exclusive_input, estimated."),
    Column("usage_counted", pa.bool_(), "Bool", "True on the one span of a model call whose usage is the bill.", "writer"),
    Column("cost", pa.decimal128(38, 15), "Nullable(Decimal(38, 15))", "US dollars; NULL when unpriced."),
    Column("cost_source", pa.string(), _LOW, "client, catalog, override, hosted, unpriced, free; '' before pricing."),
    Column("price_version", pa.string(), _LOW, "Version of the price list used."),
    Column("time_to_first_token_ms", pa.float64(), "Nullable(Float64)", "Milliseconds from the request to the first token or chunk."),
    Column("streaming", pa.bool_(), "Bool", "The response was streamed."),
    Column("finish_reason", pa.string(), _LOW, "stop, length, tool_calls, content_filter, error, … (the first choice's)."),
    Column("attributes", TEXT_MAP, f"Map({_LOW}, String)", "Span attributes as sent (lists and maps as JSON, bytes as base64), without the bulky ones that became input, output, documents or tool_definitions and without the usage numbers (see usage_raw)."),
    Column("resource_attributes", TEXT_MAP, f"Map({_LOW}, String)", "Resource attributes as sent; lists and maps as JSON, bytes as base64."),
    Column("events", pa.string(), "String", "Span events: JSON list of {name, time, attributes}; '' when none."),
    Column("links", pa.string(), "String", "Span links: JSON list of {trace_id, span_id, attributes}; '' when none."),
    # internal, not shown
    Column("_trace_metadata", TEXT_MAP, f"Map({_LOW}, String)", "The part of metadata that holds for the whole trace.", public=False),
    Column("_attribute_count", pa.uint32(), "UInt32", "Attributes sent (dropped ones included): the second key of conflict resolution. 0 on a pending marker.", public=False),
    Column("_pending", pa.bool_(), "Bool", "A marker of work in progress; any real record of the span replaces it.", public=False),
    Column("_title", pa.string(), "String", "What a list shows for a root span: its rendered message, else its name; '' on other spans.", public=False),
    Column("_received_at", TIME, "DateTime64(9, 'UTC')", "When the receiver took the span.", public=False),
    Column("_bucket", pa.timestamp("ms", tz="UTC"), "DateTime64(3, 'UTC')", "When the first stored span of the trace was appended: the place of all its spans in the table.", "writer", public=False),
    Column("_head", pa.bool_(), "Bool", "True on the earliest span of the trace: one row a trace for lists.", "writer", public=False),
    Column("_inherited", pa.list_(pa.string()), f"Array({_LOW})", "Columns (and `metadata.key`s) whose value came from the trace or from log records.", "writer", public=False),
    Column("_first_position", pa.uint64(), "UInt64", "Log position at which this span was first stored: tells a replay from a duplicate.", "writer", public=False),
    Column("_revision", pa.uint32(), "UInt32", "Enrichments of this record so far.", "writer", public=False),
    Column("_version", pa.decimal128(38, 0), "UInt128", "(end, attribute count, revision) as one number: the highest version of a span is the span.", "writer", public=False),
)  # fmt: skip

BY_NAME: Mapping[str, Column] = MappingProxyType({column.name: column for column in COLUMNS})
PUBLIC: tuple[Column, ...] = tuple(column for column in COLUMNS if column.public)
INHERITED: tuple[str, ...] = tuple(column.name for column in COLUMNS if column.origin == "trace")
NORMALISED: pa.Schema = pa.schema([(c.name, c.arrow) for c in COLUMNS if c.origin != "writer"])
STORED: pa.Schema = pa.schema([(c.name, c.arrow) for c in COLUMNS])
