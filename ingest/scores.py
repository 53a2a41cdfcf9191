"""Evaluation results that come as telemetry (`gen_ai.evaluation.result` as span event or log record) become scores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from ingest.normalise.content import Evaluation
from schemas.events import blank_score


def of_spans(table: pa.Table, found: Iterable[tuple[int, Evaluation]]) -> list[dict[str, Any]]:
    """Scores from (row, evaluation) pairs."""
    names = ("project", "trace_id", "span_id", "session_id")
    return [
        score(evaluation, {name: table[name][row].as_py() for name in names}, table["end_time"][row].as_py())
        for row, evaluation in found
    ]


def score(evaluation: Evaluation, target: Mapping[str, str], created_at: datetime) -> dict[str, Any]:
    """One score. Its id follows from what it says, so that the same result sent twice (as event and as log) is one."""
    label = evaluation.label
    said = (
        target["project"],
        target["trace_id"],
        target["span_id"],
        evaluation.key or (evaluation.name, evaluation.value, label),
    )
    target_type = evaluation.target if target["trace_id"] else "session"
    return {
        **blank_score(),
        "project": target["project"],
        "id": hashlib.sha256(repr(said).encode()).hexdigest()[:32],
        "name": evaluation.name,
        "target_type": target_type,
        "trace_id": target["trace_id"],
        "span_id": target["span_id"] if target_type == "span" else "",
        "session_id": target.get("session_id", "") if target_type == "session" else "",
        "value": evaluation.value,
        "label": label,
        "explanation": evaluation.explanation,
        "source": "client",
        "evaluator": evaluation.source,
        "metadata": list(evaluation.metadata.items()),
        "created_at": created_at,
    }
