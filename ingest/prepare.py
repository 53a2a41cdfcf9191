"""A group of export requests to what is appended for them: canonical tables by topic, and each request's answer. No I/O.

Bad things are contained: an undecodable body spoils its own request, a bad span itself alone, and both leave the group's fast
path only for the requests concerned.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from ingest import lenient, otlp_json, scores, wire
from ingest.logs import log_table
from ingest.normalise.resources import resource_of
from ingest.normalise.spans import Options, normalise
from ingest.normalise.values import Irregular
from ingest.service import Encoding, OtlpAnswer, Signal
from ingest.validate import REASONS, faults
from schemas.errors import EvalstreamError, InvalidRequest
from schemas.events import DEAD_LETTER_SCHEMA, DEAD_LETTERS, LOGS, SCORE_SCHEMA, SCORES, SPANS
from schemas.people import DEFAULT_PROJECT, is_project_name
from schemas.ports import Entry

_ONE_TABLE_BYTES = 24 << 20


@dataclass(slots=True)
class Submission:
    """One request on its way: `project` when the key or a header names it, else None (then the resource does)."""

    signal: Signal
    encoding: Encoding
    body: bytes
    project: str | None
    answer: OtlpAnswer = field(default_factory=OtlpAnswer)
    error: EvalstreamError | None = None


@dataclass(slots=True)
class Prepared:
    """What a group becomes: log entries, and the projects that they name."""

    entries: list[Entry]
    projects: frozenset[str]


def prepare(
    group: Sequence[Submission], now: datetime, options: Options, refused: Collection[str] = ()
) -> Prepared:
    """Decodes, validates and normalises; sets `answer` or `error` of each submission. `refused` projects' spans are rejected."""
    letters: list[dict[str, Any]] = []
    found_scores: list[dict[str, Any]] = []
    entries: list[Entry] = []
    for part in _portions([s for s in group if s.signal == "traces"]):
        entries += _traces(part, now, options, refused, letters, found_scores)
    if logs := [s for s in group if s.signal == "logs"]:
        entries += _logs(logs, now, refused, found_scores)
    for metrics in (s for s in group if s.signal == "metrics"):
        _metrics(metrics)
    if found_scores:
        entries.append(
            Entry(
                SCORES,
                pa.Table.from_pylist(found_scores, SCORE_SCHEMA),
                _counts([s["project"] for s in found_scores]),
            )
        )
    if letters:
        entries.append(
            Entry(
                DEAD_LETTERS,
                pa.Table.from_pylist(letters, DEAD_LETTER_SCHEMA),
                _counts([x["project"] for x in letters]),
            )
        )
    return Prepared(
        entries, frozenset(name for entry in entries if entry.topic != DEAD_LETTERS for name in entry.counts)
    )


def _portions(group: list[Submission]) -> list[list[Submission]]:
    """Cuts a group where its bytes would make one table too large."""
    portions: list[list[Submission]] = []
    size = _ONE_TABLE_BYTES
    for submission in group:
        if size + len(submission.body) > _ONE_TABLE_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(submission)
        size += len(submission.body)
    return portions


def _counts(projects: Sequence[str]) -> dict[str, int]:
    return dict(Counter(projects))


def _traces(
    group: list[Submission],
    now: datetime,
    options: Options,
    refused: Collection[str],
    letters: list[dict[str, Any]],
    found: list[dict[str, Any]],
) -> list[Entry]:
    bodies = [_guarded(submission, _protobuf) for submission in group]
    good = [(s, body) for s, body in zip(group, bodies, strict=True) if body is not None]
    try:
        return _table([s for s, _ in good], [body for _, body in good], now, options, refused, letters, found)
    except (wire.UndecodableBody, Irregular):
        entries = []
        for submission, raw in good:
            entries += _alone(submission, raw, now, options, refused, letters, found)
        return entries


def _alone(submission: Submission, body: bytes, *rest: Any) -> list[Entry]:
    """A request of a group that was spoiled, by itself, as the protobuf library writes it."""
    try:
        return _table([submission], [_regular(body)], *rest)
    except (wire.UndecodableBody, Irregular) as error:
        submission.error = InvalidRequest(f"the body is no valid ExportTraceServiceRequest: {error}")
    except EvalstreamError as error:
        submission.error = error
    return []


def _guarded(submission: Submission, step: Callable[[Submission], bytes]) -> bytes | None:
    try:
        return step(submission)
    except EvalstreamError as error:
        submission.error = error
        return None


def _protobuf(submission: Submission) -> bytes:
    return (
        otlp_json.to_protobuf(submission.body, submission.signal)
        if submission.encoding == "json"
        else submission.body
    )


def _regular(body: bytes) -> bytes:
    """The same request as the protobuf library writes it. Raises InvalidRequest when it cannot read it."""
    try:
        request = lenient.TraceRequest.FromString(body)
    except lenient.DecodeError as error:
        raise InvalidRequest(f"the body is no valid ExportTraceServiceRequest: {error}") from error
    request.DiscardUnknownFields()
    raw: bytes = request.SerializeToString()
    return raw


def _table(
    group: list[Submission], bodies: list[bytes], now: datetime, options: Options, refused: Collection[str],
    letters: list[dict[str, Any]], found: list[dict[str, Any]],
) -> list[Entry]:  # fmt: skip
    decoded = wire.decode(bodies)
    named = [resource_of(raw).project for raw in decoded.resources]
    usable = [not name or (is_project_name(name) and name not in refused) for name in named]
    bad = faults(decoded, now, [not ok for ok in usable])
    by_request = (
        np.array([s.project is not None for s in group], np.bool_)[decoded.request]
        if group
        else np.zeros(0, np.bool_)
    )
    bad[(bad == len(REASONS) - 1) & by_request] = 0
    bad[np.array([s.project in refused for s in group], np.bool_)[decoded.request] & (bad == 0)] = (
        len(REASONS) - 1
    )
    if bad.any():
        fresh: list[dict[str, Any]] = []
        bodies = _without(group, bodies, decoded, bad, now, fresh)
        decoded = wire.decode(bodies)
        letters.extend(fresh)
    if not decoded.rows:
        return []
    result = normalise(decoded, now, options)
    projects = _projects(group, decoded, result.resource_project)
    table = result.table.set_column(0, "project", projects)
    found.extend(scores.of_spans(table, result.evaluations))
    return [Entry(SPANS, table, _value_counts(projects))]


def _projects(
    group: list[Submission], decoded: wire.WireSpans, by_resource: pa.StringArray
) -> pa.StringArray:
    """The project of each span: the request's, else the resource's, else the default."""
    names = pa.array([s.project for s in group], pa.string()).take(pa.array(decoded.request))
    if not names.null_count:
        return names
    named = pa.compute.if_else(pa.compute.equal(by_resource, ""), DEFAULT_PROJECT, by_resource)
    return pa.compute.coalesce(names, named)


def _value_counts(column: pa.StringArray) -> dict[str, int]:
    return {item["values"]: item["counts"] for item in column.value_counts().to_pylist()}


def _without(
    group: list[Submission],
    bodies: list[bytes],
    decoded: wire.WireSpans,
    bad: np.ndarray[Any, Any],
    now: datetime,
    letters: list[dict[str, Any]],
) -> list[bytes]:
    """The bodies without their bad spans, which become dead letters."""
    result = list(bodies)
    for index in np.unique(decoded.request[bad > 0]).tolist():
        mine = bad[decoded.request == index]
        request = lenient.TraceRequest.FromString(bodies[index])
        reasons = _strip(request, mine, group[index], now, letters)
        result[index] = request.SerializeToString()
        group[index].answer = OtlpAnswer(
            int((mine > 0).sum()), "; ".join(f"{n} × {reason}" for reason, n in reasons.items())
        )
    return result


def _strip(
    request: Any,
    bad: np.ndarray[Any, Any],
    submission: Submission,
    now: datetime,
    letters: list[dict[str, Any]],
) -> Counter[str]:
    """Removes the marked spans (counted in document order) from a request."""
    reasons: Counter[str] = Counter()
    position = 0
    for resource in request.resource_spans:
        project = submission.project or lenient.project_of(resource.resource) or DEFAULT_PROJECT
        for scope in resource.scope_spans:
            marks = bad[position : position + len(scope.spans)]
            position += len(scope.spans)
            for span, mark in zip(scope.spans, marks.tolist(), strict=True):
                if mark:
                    reasons[REASONS[mark]] += 1
                    letters.append(
                        _rejected(project, REASONS[mark], lenient.lone_span(resource, scope, span), now)
                    )
            kept = [span for span, mark in zip(scope.spans, marks.tolist(), strict=True) if not mark]
            if len(kept) < len(marks):
                copies = [type(span).FromString(span.SerializeToString()) for span in kept]
                del scope.spans[:]
                scope.spans.extend(copies)
    return reasons


def _rejected(project: str, reason: str, payload: bytes, now: datetime) -> dict[str, Any]:
    """A dead letter; the project is cut to what a name may be, so that the letter can be found."""
    owner = project if is_project_name(project) else DEFAULT_PROJECT
    identity = hashlib.sha256(now.isoformat().encode() + payload).hexdigest()[:32]
    return {
        "project": owner,
        "id": identity,
        "kind": "rejected",
        "topic": SPANS,
        "reason": reason,
        "time": now,
        "payload": payload,
    }


def _logs(
    group: list[Submission], now: datetime, refused: Collection[str], found: list[dict[str, Any]]
) -> list[Entry]:
    tables = []
    for submission in group:
        body = _guarded(submission, _protobuf)
        if body is None:
            continue
        try:
            request = lenient.LogsRequest.FromString(body)
        except lenient.DecodeError as error:
            submission.error = InvalidRequest(f"the body is no valid ExportLogsServiceRequest: {error}")
            continue
        table, evaluations = log_table(request, submission.project, now, refused)
        tables.append(table)
        found.extend(evaluations)
    table = pa.concat_tables(tables) if tables else None
    return (
        [Entry(LOGS, table, _value_counts(table["project"].combine_chunks()))]
        if table is not None and table.num_rows
        else []
    )


def _metrics(submission: Submission) -> None:
    """Metrics are counted and declined: usage comes from spans, and counting both would count twice."""
    try:
        count = (
            lenient.metric_points(submission.body)
            if submission.encoding == "protobuf"
            else otlp_json.metric_points(submission.body)
        )
    except lenient.DecodeError as error:
        submission.error = InvalidRequest(f"the body is no valid ExportMetricsServiceRequest: {error}")
        return
    except EvalstreamError as error:
        submission.error = error
        return
    if count:
        submission.answer = OtlpAnswer(count, "metrics are not stored: Evalstream derives them from spans")
