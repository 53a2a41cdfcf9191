"""The pipeline's own metrics in the Prometheus text format (version 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable

from api.counters import SPAN_WRITER, Snapshot
from schemas.events import SPANS

Sample = tuple[dict[str, str], float]
HELP = {
    "evalstream_spans_accepted_total": ("counter", "Spans acknowledged."),
    "evalstream_spans_stored_total": ("counter", "Distinct spans written."),
    "evalstream_spans_rejected_total": ("counter", "Spans refused at the door, kept as dead letters."),
    "evalstream_spans_dead_lettered_total": (
        "counter",
        "Spans that were acknowledged and could not be written.",
    ),
    "evalstream_ingest_lag_seconds": ("gauge", "Age of the oldest acknowledged span that is not written."),
    "evalstream_worker_lag_records": ("gauge", "Records that a worker has not read."),
}
"""Type and help of each metric, by name."""


def pipeline_metrics(now: Snapshot) -> str:
    """All metrics of `HELP`."""
    counters = {project: now.of(project) for project in now.projects()}
    spans = now.lags.get(SPAN_WRITER, {}).get(SPANS)
    values: dict[str, Iterable[Sample]] = {
        "evalstream_spans_accepted_total": [({"project": p}, c.accepted) for p, c in counters.items()],
        "evalstream_spans_stored_total": [({"project": p}, c.stored) for p, c in counters.items()],
        "evalstream_spans_rejected_total": [({"project": p}, c.rejected) for p, c in counters.items()],
        "evalstream_spans_dead_lettered_total": [({"project": p}, c.dead) for p, c in counters.items()],
        "evalstream_ingest_lag_seconds": [({}, spans.oldest_seconds if spans else 0.0)],
        "evalstream_worker_lag_records": [
            ({"worker": worker, "topic": topic}, lag.records)
            for worker, topics in sorted(now.lags.items())
            for topic, lag in sorted(topics.items())
        ],
    }
    return "".join(_family(name, values[name]) for name in HELP)


def _family(name: str, samples: Iterable[Sample]) -> str:
    kind, text = HELP[name]
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{_labels(labels)} {value:.17g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
