"""Topics of the event log and the Arrow schema of what stands in each."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from schemas.spans import NORMALISED, TEXT_MAP, TIME

SPANS: Final = "spans"
LOGS: Final = "logs"
SCORES: Final = "scores"
DEAD_LETTERS: Final = "dead-letters"
DELETIONS: Final = "deletions"

LOG_SCHEMA = pa.schema(
    [
        ("project", pa.string()),
        ("time", TIME),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("event_name", pa.string()),
        ("severity", pa.string()),
        ("body", pa.string()),
        ("attributes", TEXT_MAP),
        ("_id", pa.string()),
        ("_content", pa.string()),
        ("_response_id", pa.string()),
        ("_received_at", TIME),
    ]
)
"""A log record. `_id` is a hash of all it says, so that a retried record is the same record; `_content` holds what it says
about its span as JSON (`{"complete", "input", "output", "tool_definitions", "finish_reason"}`), '' when it is just a log line."""

DEAD_LETTER_SCHEMA = pa.schema(
    [
        ("project", pa.string()),
        ("id", pa.string()),
        ("kind", pa.string()),
        ("topic", pa.string()),
        ("reason", pa.string()),
        ("time", TIME),
        ("payload", pa.binary()),
    ]
)
"""What could not be taken: kind `rejected` (refused at the door; payload: the OTLP bytes of that span) or `dead` (accepted, then
impossible to write; payload: the row as Arrow IPC)."""


def refused_spans(letters: pa.Table) -> dict[str, int]:
    """Refused spans among rows of `DEAD_LETTER_SCHEMA`, by project (0 where there are none): the `counts` of their log entry.

    Only these count as `rejected`; letters of accepted spans count as `dead`, those of log records and scores not at all.
    """
    counted = pc.and_(pc.equal(letters["kind"], "rejected"), pc.equal(letters["topic"], SPANS))
    grouped = pa.table({"project": letters["project"], "counted": counted.cast(pa.int64())})
    sums = grouped.group_by("project").aggregate([("counted", "sum")]).to_pylist()
    return {row["project"]: row["counted_sum"] for row in sums}


SCORE_SCHEMA = pa.schema(
    [
        ("project", pa.string()),
        ("id", pa.string()),
        ("name", pa.string()),
        ("target_type", pa.string()),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("session_id", pa.string()),
        ("dataset_item", pa.string()),
        ("experiment", pa.string()),
        ("value", pa.float64()),
        ("label", pa.string()),
        ("explanation", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("stddev", pa.float64()),
        ("samples", pa.uint32()),
        ("revision", pa.uint32()),
        ("rule", pa.string()),
        ("trial", pa.uint32()),
        ("raw_value", pa.float64()),
        ("calibration_version", pa.string()),
        ("findings", pa.string()),
        ("annotator", pa.string()),
        ("shadow", pa.bool_()),
        ("deleted", pa.bool_()),
        ("source", pa.string()),
        ("evaluator", pa.string()),
        ("evaluator_version", pa.string()),
        ("judge_model", pa.string()),
        ("cost", pa.decimal128(38, 15)),
        ("latency_ms", pa.float64()),
        ("metadata", TEXT_MAP),
        ("created_at", TIME),
    ]
)
"""A score as API.md's table `scores` has it; unique by (project, id), the latest record of an id wins."""

DELETION_SCHEMA = pa.schema([("project", pa.string()), ("trace_id", pa.string()), ("deleted_at", TIME)])
"""A request to delete a trace. It travels in the log between the spans that came before it and those that come after."""

SCHEMAS = {
    SPANS: NORMALISED,
    LOGS: LOG_SCHEMA,
    SCORES: SCORE_SCHEMA,
    DEAD_LETTERS: DEAD_LETTER_SCHEMA,
    DELETIONS: DELETION_SCHEMA,
}


def blank_score() -> dict[str, object]:
    """Every column of a score with its 'nothing' value."""
    return {field.name: "" if pa.types.is_string(field.type) else None for field in SCORE_SCHEMA} | {
        "outcome": "scored",
        "shadow": False,
        "deleted": False,
        "metadata": [],
        "findings": "",
    }
