"""Times, status, streaming, time to first token, finish reason."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.normalise import aliases
from ingest.normalise.batch import Batch, constant, distinct, lengths, overlay, renamed
from ingest.normalise.events import SpanEvent
from ingest.normalise.keyvalues import Mask
from ingest.normalise.values import from_json, json_object
from schemas.spans import STATUSES, TIME

Numbers = npt.NDArray[np.float64]
_FIRST_TOKEN_EVENTS = frozenset(
    {
        "First Token Stream Event",
        "gen_ai.content.completion.chunk",
        "llm.content.completion.chunk",
        "ai.stream.firstChunk",
    }
)


def time_columns(start: npt.NDArray[np.uint64], end: npt.NDArray[np.uint64]) -> dict[str, pa.Array]:
    """start_time, end_time and duration_ms; an end before the start makes a duration of 0."""
    duration = np.where(end > start, end - start, 0).astype(np.float64) / 1e6
    return {"start_time": times(start), "end_time": times(end), "duration_ms": pa.array(duration)}


def times(nanoseconds: npt.NDArray[np.int64] | npt.NDArray[np.uint64]) -> pa.TimestampArray:
    """Nanoseconds since 1970 as a column of times."""
    return pa.Array.from_buffers(TIME, len(nanoseconds), [None, pa.py_buffer(nanoseconds)])


def status_columns(batch: Batch, events: dict[int, list[SpanEvent]]) -> dict[str, pa.Array]:
    """status, status_message, error_type. Only spans that failed or carry a message are looked at closely."""
    # a code of a later protocol says nothing to us
    code = np.where(failed(batch), 2, np.where(batch.wire.status_code == 1, 1, 0))
    said = lengths(batch.wire.status_message) > 0
    noted = batch.table.has("langfuse.observation.status_message") | said | (code == 2)
    rows = np.nonzero(noted)[0].tolist()
    errors = [_error(batch, row, events.get(row, [])) for row in rows]
    typed = [(row, kind) for row, (_, kind) in zip(rows, errors, strict=True) if code[row] == 2]
    return {
        "status": pa.array(STATUSES, pa.string()).take(pa.array(code)),
        "status_message": overlay(constant("", batch.rows), rows, [message for message, _ in errors]),
        "error_type": overlay(
            batch.text(aliases.TEXTS["error_type"]), [row for row, _ in typed], [kind for _, kind in typed]
        ),
    }


def failed(batch: Batch) -> Mask:
    """Spans with the status ERROR, or Langfuse's level of that name (its JS SDK sets no status)."""
    result: Mask = batch.wire.status_code == 2
    if "langfuse.observation.level" in batch.table:
        level = batch.text(("langfuse.observation.level",))
        result = result | pc.equal(level, "ERROR").to_numpy(zero_copy_only=False)
    return result


def _error(batch: Batch, row: int, events: list[SpanEvent]) -> tuple[str, str]:
    """(message, type) of a span that failed or has something to say."""
    attributes = batch.table.of_row(row)
    raised = next((e.attributes for e in events if e.name == "exception"), {})
    sent = (batch.wire.status_message[row].as_py() or b"").decode("utf-8", "replace")
    messages = (
        sent,
        attributes.get("langfuse.observation.status_message"),
        raised.get("exception.message"),
        attributes.get("error.message"),
    )
    kinds = (attributes.get("error.type"), raised.get("exception.type"), attributes.get("exception.type"))
    return _some(messages), _some(kinds)


def _some(values: tuple[object, ...]) -> str:
    return next((str(value) for value in values if value not in (None, "")), "")


def streaming(batch: Batch, first_token: Numbers) -> Mask:
    """Whether the response was streamed."""
    result = ~np.isnan(first_token)
    for key in batch.table.keys.present(aliases.STREAMING):
        result |= batch.table.truths(batch.table.first((key,)))
    for key, test in (
        ("ai.operationId", lambda text: text.endswith(".doStream") or None),
        ("llm.invocation_parameters", _streams),
    ):
        found = batch.table.positions(key)
        if len(found):
            yes = distinct(batch.table.text(found), test) != None  # noqa: E711  (element by element)
            result[batch.table.owner[found[yes]]] = True
    return result


def _streams(text: str) -> bool | None:
    return True if json_object(text).get("stream") is True else None


def first_token(batch: Batch, scope_is_strands: Mask, events: dict[int, list[SpanEvent]]) -> Numbers:
    """Milliseconds to the first token; NaN where unknown. The unit follows from the key and the scope."""
    result = np.full(batch.rows, np.nan)
    for keys, factor in ((aliases.FIRST_TOKEN_MILLISECONDS, 1.0), (aliases.FIRST_TOKEN_SECONDS, 1e3)):
        if batch.table.keys.present(keys):
            value = batch.table.numbers(batch.table.first(keys)) * factor
            result = np.where(np.isnan(value), result, value)
    _completion_start(batch, result)
    _from_events(batch, result, events)
    if aliases.FIRST_TOKEN_IF_STREAMING in batch.table:
        server = batch.table.numbers(batch.table.first((aliases.FIRST_TOKEN_IF_STREAMING,)))
        server *= np.where(scope_is_strands, 1.0, 1e3)
        wanted = np.isnan(result) & (streaming(batch, result) | scope_is_strands)
        result[wanted] = server[wanted]
    result[result < 0] = np.nan
    return result


def _completion_start(batch: Batch, result: Numbers) -> None:
    found = batch.table.positions(aliases.FIRST_TOKEN_AT)
    for row, text in zip(batch.table.owner[found].tolist(), batch.table.text(found).to_pylist(), strict=True):
        moment = _moment(text)
        if moment is not None and np.isnan(result[row]):
            result[row] = (moment - int(batch.wire.start[row])) / 1e6


def _moment(text: str) -> int | None:
    """An ISO time (perhaps JSON-quoted) as nanoseconds."""
    value = from_json(text) if text.startswith('"') else text
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000


def _from_events(batch: Batch, result: Numbers, events: dict[int, list[SpanEvent]]) -> None:
    for row, items in events.items():
        times = [event.time for event in items if event.name in _FIRST_TOKEN_EVENTS and event.time]
        if times and np.isnan(result[row]):
            result[row] = (min(times) - int(batch.wire.start[row])) / 1e6


def finish_reason(batch: Batch) -> pa.StringArray:
    """The first choice's finish reason in the common vocabulary."""
    if not batch.table.keys.present(aliases.FINISH_REASON):
        return constant("", batch.rows)
    return renamed(batch.text(aliases.FINISH_REASON), _reason)


def _reason(text: str) -> str:
    value = from_json(text) if text.startswith(("[", '"')) else text
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, str) and item), "")
    word = str(value or "").strip()
    return aliases.FINISH_REASONS.get(word.lower(), word.lower())
