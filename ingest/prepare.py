"""A group of export requests to what is appended for them: canonical tables by topic, and each request's answer. No I/O.

Bad things are contained: an undecodable body spoils its own request, a bad span itself alone, and both leave the group's fast
path only for the requests concerned.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest import lenient, otlp_json, scores, split, wire
from ingest.harvest import Harvest, Submission
from ingest.logs import log_table
from ingest.normalise.resources import resource_of
from ingest.normalise.spans import Options, normalise
from ingest.salvage import BROKEN, project_around, salvage
from ingest.service import OtlpAnswer
from ingest.validate import REASONS, faults
from schemas.errors import EvalstreamError, InvalidRequest
from schemas.events import DEAD_LETTER_SCHEMA, DEAD_LETTERS, LOGS, SCORE_SCHEMA, SCORES, SPANS, refused_spans
from schemas.people import DEFAULT_PROJECT, is_project_name
from schemas.ports import Entry

__all__ = ["Prepared", "Submission", "prepare"]
T = TypeVar("T")
_log = logging.getLogger(__name__)
_ONE_TABLE_BYTES = 24 << 20


@dataclass(slots=True)
class Prepared:
    """What a group becomes: log entries, and the projects that they name."""

    entries: list[Entry]
    projects: frozenset[str]


def prepare(
    group: Sequence[Submission], now: datetime, options: Options, refused: Collection[str] = ()
) -> Prepared:
    """Decodes, validates and normalises; sets `answer` or `error` of each submission. `refused` projects' spans are rejected."""
    entries: list[Entry] = []
    rest = Harvest()
    for part in _portions([s for s in group if s.signal == "traces"]):
        found = _traces(part, now, options, refused)
        entries += _entry(SPANS, found.tables)
        rest.add(found.without_tables())
    logs = Harvest()
    for submission in (s for s in group if s.signal == "logs"):
        logs.add(_guarded(submission, lambda s: _logs(s, now, refused)) or Harvest())
    entries += _entry(LOGS, logs.tables)
    rest.add(logs.without_tables())
    for metrics in (s for s in group if s.signal == "metrics"):
        _guarded(metrics, _metrics)
    entries += _entry(SCORES, _listed(rest.scores, SCORE_SCHEMA))
    entries += _letters(rest.letters, now)
    rest.answers()
    named = (entry.counts for entry in entries if entry.topic != DEAD_LETTERS)
    return Prepared(entries, frozenset(name for counts in named for name in counts))


def _listed(rows: list[dict[str, Any]], schema: pa.Schema) -> list[pa.Table]:
    return [pa.Table.from_pylist(rows, schema)] if rows else []


def _entry(topic: str, tables: list[pa.Table]) -> list[Entry]:
    """One entry of all these tables; none when they have no rows."""
    table = tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks() if tables else None
    if table is None or not table.num_rows:
        return []
    counts = table["project"].value_counts().to_pylist()
    return [Entry(topic, table, {item["values"]: item["counts"] for item in counts})]


def _letters(letters: list[dict[str, Any]], now: datetime) -> list[Entry]:
    """The entry of all letters. Each has an id of its own: equal spans, refused twice, are two."""
    if not letters:
        return []
    for place, letter in enumerate(letters):
        said = f"{now.isoformat()} {place} ".encode() + letter["payload"]
        letter["id"] = hashlib.sha256(said).hexdigest()[:32]
    table = pa.Table.from_pylist(letters, DEAD_LETTER_SCHEMA)
    return [Entry(DEAD_LETTERS, table, refused_spans(table))]


def _portions(group: list[Submission]) -> list[list[Submission]]:
    """Cuts a group where its bytes would make one table too large."""
    portions: list[list[Submission]] = []
    size = 0
    for submission in group:
        if not portions or size + len(submission.body) > _ONE_TABLE_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(submission)
        size += len(submission.body)
    return portions


def _traces(group: list[Submission], now: datetime, options: Options, refused: Collection[str]) -> Harvest:
    """The spans of a group, together; where that fails each request by itself, and there each span."""

    def table(submissions: list[Submission], bodies: list[bytes]) -> Harvest:
        return _table(submissions, bodies, now, options, refused)

    def alone(submission: Submission, body: bytes) -> Harvest:
        try:
            return table([submission], [_regular(body)])
        except Exception as error:  # noqa: BLE001  (a fault of ours too must cost no more than the span that meets it)
            return salvage(
                submission, body, lambda part: table([submission], [_regular(part)]), error, now, refused
            )

    bodies = [_guarded(submission, _protobuf) for submission in group]
    good = [(s, body) for s, body in zip(group, bodies, strict=True) if body is not None]
    if not good:
        return Harvest()
    try:
        return table([s for s, _ in good], [body for _, body in good])
    except Exception as error:  # noqa: BLE001  (see above)
        if not isinstance(error, BROKEN):
            _log.warning("%d requests go through one by one", len(good), exc_info=error)
    result = Harvest()
    for submission, body in good:
        result.add(_guarded(submission, partial(alone, body=body)) or Harvest())
    return result


def _guarded(submission: Submission, step: Callable[[Submission], T]) -> T | None:
    """What a step gives; None when it fails, which is then the submission's error."""
    try:
        return step(submission)
    except EvalstreamError as error:
        submission.error = error
    except Exception:  # noqa: BLE001  (the others of the group go on)
        _log.exception("a request of %s failed", submission.signal)
        submission.error = EvalstreamError("internal error; the server's log has the details")
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
    group: list[Submission], bodies: list[bytes], now: datetime, options: Options, refused: Collection[str]
) -> Harvest:
    harvest = Harvest()
    decoded = wire.decode(bodies)
    bad = _faults(group, decoded, now, refused)
    if bad.any():
        decoded = wire.decode(_without(group, bodies, decoded, bad, now, refused, harvest))
    if decoded.rows:
        result = normalise(decoded, now, options)
        projects = _projects(group, decoded, result.resource_project)
        table = result.table.set_column(0, "project", projects)
        harvest.scores += scores.of_spans(table, result.evaluations)
        harvest.tables.append(table)
    return harvest


def _faults(
    group: list[Submission], decoded: wire.WireSpans, now: datetime, refused: Collection[str]
) -> npt.NDArray[np.int8]:
    """For each span an index into `REASONS`: its own fault, or that of the project which its resource or request names."""
    named = [resource_of(raw).project for raw in decoded.resources]
    unusable = [bool(name) and (not is_project_name(name) or name in refused) for name in named]
    bad = faults(decoded, now, unusable)
    by_request = np.array([s.project is not None for s in group], np.bool_)[decoded.request]
    bad[(bad == len(REASONS) - 1) & by_request] = 0
    request_refused = np.array([s.project in refused for s in group], np.bool_)[decoded.request]
    bad[request_refused & (bad == 0)] = len(REASONS) - 1
    return bad


def _projects(
    group: list[Submission], decoded: wire.WireSpans, by_resource: pa.StringArray
) -> pa.StringArray:
    """The project of each span: the request's, else the resource's, else the default."""
    names = pa.array([s.project for s in group], pa.string()).take(pa.array(decoded.request))
    if not names.null_count:
        return names
    named = pa.compute.if_else(pa.compute.equal(by_resource, ""), DEFAULT_PROJECT, by_resource)
    return pa.compute.coalesce(names, named)


def _without(
    group: list[Submission], bodies: list[bytes], decoded: wire.WireSpans, bad: npt.NDArray[np.int8], now: datetime,
    refused: Collection[str], harvest: Harvest,
) -> list[bytes]:  # fmt: skip
    """The bodies without their bad spans, which become dead letters. Raises DecodeError."""
    result = list(bodies)
    for index in np.unique(decoded.request[bad > 0]).tolist():
        submission, kept = group[index], []
        items = split.items(bodies[index])
        for item, mark in zip(items, bad[decoded.request == index].tolist(), strict=True):
            if not mark:
                kept.append(item)
                continue
            project = submission.project or project_around(item) or DEFAULT_PROJECT
            harvest.refuse(submission, project, REASONS[mark], split.joined([item]), now, refused)
        result[index] = split.joined(kept)
    return result


def _logs(submission: Submission, now: datetime, refused: Collection[str]) -> Harvest:
    body = _protobuf(submission)

    def take(part: bytes) -> Harvest:
        table, found = log_table(lenient.LogsRequest.FromString(part), submission.project, now, refused)
        return Harvest([table], scores=found)

    try:
        return take(body)
    except Exception as error:  # noqa: BLE001  (a fault of ours too must cost no more than the record that meets it)
        return salvage(submission, body, take, error, now, refused)


def _metrics(submission: Submission) -> None:
    """Metrics are counted and declined: usage comes from spans, and counting both would count twice."""
    try:
        count = (
            lenient.metric_points(submission.body)
            if submission.encoding == "protobuf"
            else otlp_json.metric_points(submission.body)
        )
    except lenient.DecodeError as error:
        raise InvalidRequest(f"the body is no valid ExportMetricsServiceRequest: {error}") from error
    if count:
        submission.answer = OtlpAnswer(count, "metrics are not stored: Evalstream derives them from spans")
