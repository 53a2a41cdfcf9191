"""What a span says about its trace: session, user, tags, metadata, environment, release, prompt, experiment, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.normalise import aliases
from ingest.normalise.batch import Batch, coalesce, constant, distinct, empty_list, empty_map, overlay
from ingest.normalise.keys import Renamed
from ingest.normalise.values import from_json, json_object, text_of
from schemas.spans import TEXT_MAP

_SCRUBBED = "[Scrubbed due to"
_PLAIN = (
    "agent_name",
    "workflow_name",
    "trace_name",
    "prompt_name",
    "prompt_version",
    "experiment",
    "dataset_item",
    "dataset_version",
)


def columns(
    batch: Batch, session_keys: Sequence[str] = (), user_keys: Sequence[str] = ()
) -> dict[str, pa.Array]:
    """The trace context columns; `session_keys` and `user_keys` are a deployment's own, asked last."""
    blobs = _json_metadata(batch)
    metadata, trace_metadata = _metadata(batch, blobs)
    return {
        **{name: batch.text(aliases.TEXTS[name]) for name in _PLAIN},
        "session_id": _person(batch, "session_id", blobs, (*aliases.LATE_SESSION, *session_keys)),
        "user_id": _person(batch, "user_id", blobs, (*aliases.LATE_USER, *user_keys)),
        "environment": coalesce(
            batch.text(aliases.TEXTS["environment"]), batch.by_resource(lambda r: r.environment)
        ),
        "release": coalesce(batch.text(aliases.TEXTS["release"]), batch.by_resource(lambda r: r.release)),
        "service": coalesce(batch.text(("service.name",)), batch.by_resource(lambda r: r.service)),
        "tags": _tags(batch),
        "trial": _trial(batch),
        "metadata": metadata,
        "_trace_metadata": trace_metadata,
    }


def _trial(batch: Batch) -> pa.Array:
    if "evalstream.trial" not in batch.table:
        return pa.nulls(batch.rows, pa.uint32())
    chosen = batch.table.first(("evalstream.trial",))
    value = batch.table.numbers(chosen)
    known = (value >= 0) & (value < 2**32)
    return pa.array(np.where(known, value, 0).astype(np.uint32), mask=~known)


def _person(
    batch: Batch, field: str, blobs: dict[int, dict[str, Any]], late: tuple[str, ...]
) -> pa.StringArray:
    """Session or user: direct keys, then the `metadata` JSON, then the late keys; scrubbed values are none."""
    column = _unscrubbed(batch.text(aliases.TEXTS[field]))
    rows = [row for row, blob in blobs.items() if blob.get(field) not in (None, "")]
    if rows:
        from_blobs = overlay(constant("", batch.rows), rows, [text_of(blobs[row][field]) for row in rows])
        column = coalesce(column, from_blobs)
    if batch.table.keys.present(late):
        column = coalesce(column, _unscrubbed(batch.text(late)))
    return column


def _unscrubbed(column: pa.StringArray) -> pa.StringArray:
    if not len(column.buffers()[2] or b""):
        return column
    scrubbed = pc.starts_with(column, _SCRUBBED)
    return pc.if_else(scrubbed, "", column) if scrubbed.true_count else column


def _tags(batch: Batch) -> pa.ListArray:
    inside = batch.table.positions(aliases.TAGS_INSIDE)
    if not len(inside) and not batch.table.keys.present(aliases.TAGS):
        return empty_list(batch.rows)
    lists = distinct(batch.text(aliases.TAGS), _tag_list)
    for row, text in zip(
        batch.table.owner[inside].tolist(), batch.table.text(inside).to_pylist(), strict=True
    ):
        if not lists[row] and '"tags"' in text and isinstance(tags := json_object(text).get("tags"), list):
            lists[row] = _distinct_tags(tags)
    return pa.array(lists.tolist(), pa.list_(pa.string()))


def _tag_list(text: str) -> list[str]:
    """A JSON list, or a comma-separated text, as distinct tags in order."""
    value = from_json(text)
    return _distinct_tags(value if isinstance(value, list) else text.split(","))


def _distinct_tags(items: list[Any]) -> list[str]:
    return list(dict.fromkeys(tag for item in items if (tag := text_of(item).strip())))


def _json_metadata(batch: Batch) -> dict[int, dict[str, Any]]:
    """The `metadata` attribute as an object, by row, where there is one."""
    found = batch.table.positions(aliases.METADATA_JSON)
    if not len(found):
        return {}
    objects = distinct(batch.table.text(found), _said)
    return {int(row): value for row, value in zip(batch.table.owner[found], objects, strict=True) if value}


def _said(text: str) -> dict[str, Any]:
    return {key: value for key, value in json_object(text).items() if value is not None}


def _metadata(batch: Batch, blobs: dict[int, dict[str, Any]]) -> tuple[pa.MapArray, pa.MapArray]:
    """(all metadata, the part that holds for the whole trace)."""
    keys = batch.table.keys
    whole, own = keys.renamed(_of_trace), keys.renamed(_of_span)
    if not blobs and not own and not keys.renamed(_quoted):
        column = batch.table.map_of(whole, batch.table.filled) if whole else empty_map(TEXT_MAP, batch.rows)
        return column, column
    return _metadata_by_row(batch, blobs, whole, own)


def _of_trace(name: str) -> str | None:
    return _short(name, aliases.TRACE_METADATA_PREFIXES)


def _of_span(name: str) -> str | None:
    return _short(name, aliases.SPAN_METADATA_PREFIXES)


def _short(name: str, prefixes: tuple[str, ...]) -> str | None:
    if name.startswith(aliases.NO_METADATA_PREFIXES):
        return None
    return next((name[len(prefix) :] or None for prefix in prefixes if name.startswith(prefix)), None)


def _quoted(name: str) -> str | None:
    """Keys whose values need a closer look."""
    return name if name.startswith(("langfuse.", "metadata.")) else None


def _metadata_by_row(
    batch: Batch, blobs: dict[int, dict[str, Any]], whole: Renamed, own: Renamed
) -> tuple[pa.MapArray, pa.MapArray]:
    of_trace: list[dict[str, str]] = [{} for _ in range(batch.rows)]
    of_span: list[dict[str, str]] = [{} for _ in range(batch.rows)]
    for names, target in ((whole, of_trace), (own, of_span)):
        found = np.nonzero(names.taken[batch.table.code] & batch.table.filled)[0]
        for position, text in zip(found.tolist(), batch.table.text(found).to_pylist(), strict=True):
            code = batch.table.code[position]
            value = _unquoted(text) if batch.table.keys.names[code].startswith("langfuse.") else text
            target[batch.table.owner[position]].setdefault(names.names[code] or "", value)
    for key, target in (("langfuse.trace.metadata", of_trace), ("langfuse.observation.metadata", of_span)):
        found = batch.table.positions(key)
        for row, text in zip(
            batch.table.owner[found].tolist(), batch.table.text(found).to_pylist(), strict=True
        ):
            target[row] = {**{k: text_of(v) for k, v in _said(text).items()}, **target[row]}
    for row, blob in blobs.items():
        for key, value in blob.items():
            target = of_span if key.startswith(aliases.RUN_METADATA_PREFIXES) else of_trace
            target[row].setdefault(key, text_of(value))
    everything = [list({**t, **s}.items()) for t, s in zip(of_trace, of_span, strict=True)]
    return pa.array(everything, TEXT_MAP), pa.array([list(t.items()) for t in of_trace], TEXT_MAP)


def _unquoted(text: str) -> str:
    """Langfuse sends each value JSON-encoded: a quoted text loses its quotes."""
    value = from_json(text) if text.startswith('"') else None
    return value if isinstance(value, str) else text
