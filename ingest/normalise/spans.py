"""Decoded OTLP spans to the canonical span columns (`schemas.spans.NORMALISED`). Pure: bytes in, tables out.

No Python object is made a span on the common path; what has a rare shape (flattened message lists, events, errors, usage as
JSON) is read span by span.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.normalise import aliases, context, models, timing, usage
from ingest.normalise import kinds as kind_rules
from ingest.normalise.attributes import AttributeTable
from ingest.normalise.batch import Batch, Labels, coalesce, constant, overlay
from ingest.normalise.content import Evaluation
from ingest.normalise.contents import contents
from ingest.normalise.events import SpanEvent, events_by_row, events_text, links_text
from ingest.normalise.keyvalues import Mask
from ingest.normalise.resources import resource_of, scope_of
from ingest.normalise.values import json_object
from ingest.wire import Octets, WireSpans
from schemas.spans import NORMALISED

_HEX = np.frombuffer("".join(f"{i:02x}" for i in range(256)).encode(), np.uint16)
"""The two letters of each byte."""
_COST = pa.decimal128(38, 15)
_MONEY = Context(prec=38)
_MOST_UINT32 = 2**32 - 1
_SPAN_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Normalised:
    """Canonical rows (one a span, in the order sent), the project each span's resource asks for, and evaluation results."""

    table: pa.Table
    resource_project: pa.StringArray
    evaluations: list[tuple[int, Evaluation]]


@dataclass(frozen=True, slots=True)
class Options:
    """A deployment's additions to the alias table."""

    session_keys: Sequence[str] = ()
    user_keys: Sequence[str] = ()


def normalise(wire: WireSpans, received_at: datetime, options: Options | None = None) -> Normalised:
    """Builds every column but `project`, which is '' (the receiver knows it).

    Ids must have their right lengths. Raises Irregular when attributes or events are not laid out as encoders do.
    """
    options = options or Options()
    batch = Batch(
        wire,
        AttributeTable(wire.attributes, wire.rows),
        [resource_of(r) for r in wire.resources],
        [scope_of(s) for s in wire.scopes],
    )
    events = events_by_row(wire.events)
    kinds = kind_rules.kinds(batch)
    content = contents(batch, kinds, events)
    columns = {
        **_identity(batch),
        **timing.time_columns(wire.start, wire.end),
        **timing.status_columns(batch, events),
        **context.columns(batch, options.session_keys, options.user_keys),
        **usage.columns(batch, kinds),
        **content.columns,
        **_scalars(batch, kinds, events),
        **_maps(batch, content.consumed, events),
    }
    columns["finish_reason"] = coalesce(timing.finish_reason(batch), content.columns["finish_reason"])
    columns["tool_name"] = _tool_name(batch, kinds, content.columns["tool_name"])
    columns["tool_call_id"] = coalesce(batch.text(aliases.TOOL_CALL_ID), content.columns["tool_call_id"])
    _pending(batch, columns)
    moment = np.full(batch.rows, int(received_at.timestamp() * 1e6) * 1000)
    columns["_received_at"] = timing.times(moment)
    table = pa.Table.from_arrays([columns[name] for name in NORMALISED.names], schema=NORMALISED)
    return Normalised(table, batch.by_resource(lambda r: r.project), content.evaluations)


def _identity(batch: Batch) -> dict[str, pa.Array]:
    wire = batch.wire
    return {
        "project": constant("", batch.rows),
        "trace_id": hexadecimal(wire.trace_id),
        "span_id": hexadecimal(wire.span_id),
        "parent_span_id": hexadecimal(wire.parent_span_id, ~batch.is_root),
        "name": batch.names,
        "scope_name": batch.by_scope(lambda s: s.name),
        "scope_version": batch.by_scope(lambda s: s.version),
    }


def hexadecimal(ids: Octets, shown: Mask | None = None) -> pa.StringArray:
    """Ids, one row of bytes each, as lower-case hex text; '' where they are not to be shown."""
    rows, width = ids.shape
    if shown is None:
        ends = np.arange(rows + 1, dtype=np.int32) * (2 * width)
    else:
        ids = ids[shown]
        ends = np.zeros(rows + 1, np.int32)
        np.cumsum(shown * np.int32(2 * width), out=ends[1:])
    return pa.StringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(_HEX[ids]))


def _scalars(batch: Batch, kinds: Labels, events: dict[int, list[SpanEvent]]) -> dict[str, pa.Array]:
    request = models.request_model(batch)
    response = batch.text(aliases.TEXTS["response_model"])
    strands = np.array([s.name.startswith("strands") for s in batch.scopes], np.bool_)[batch.wire.scope]
    first_token = timing.first_token(batch, strands, events)
    cost = _cost(batch)
    sent = np.bincount(batch.table.owner, minlength=batch.rows) + batch.wire.dropped
    return {
        "kind": kinds.column(),
        "request_model": request,
        "response_model": response,
        "response_id": batch.text(aliases.TEXTS["response_id"]),
        "provider": models.provider(batch, response, request),
        "time_to_first_token_ms": pa.array(first_token, mask=np.isnan(first_token)),
        "streaming": pa.array(timing.streaming(batch, first_token)),
        "cost": cost,
        "cost_source": pc.if_else(pc.is_valid(cost), "client", "")
        if cost.null_count < len(cost)
        else constant("", batch.rows),
        "price_version": constant("", batch.rows),
        "_attribute_count": pa.array(np.minimum(sent, _MOST_UINT32).astype(np.uint32)),
        "_title": _title(batch),
    }


def _title(batch: Batch) -> pa.StringArray:
    """What a list shows for a root: Logfire's rendered message, since its names are templates, else the name."""
    names = coalesce(batch.text(("logfire.msg",)), batch.names)
    return names if batch.is_root.all() else pc.if_else(pa.array(batch.is_root), names, "")


def _cost(batch: Batch) -> pa.Array:
    """US dollars as the client computed them: a positive number, or Langfuse's explicit total."""
    values: dict[int, Decimal] = {}
    if batch.table.keys.present(aliases.COST):
        numbers = batch.table.numbers(batch.table.first(aliases.COST))
        values = {int(row): Decimal(repr(float(numbers[row]))) for row in np.nonzero(numbers > 0)[0]}
    if aliases.COST_JSON in batch.table:
        values |= _totals(batch)
    fitting = {r: v.quantize(Decimal("1e-15"), context=_MONEY) for r, v in values.items() if v < 10**20}
    return overlay(pa.nulls(batch.rows, _COST), list(fitting), list(fitting.values()))


def _totals(batch: Batch) -> dict[int, Decimal]:
    """Langfuse's totals, by row; those of failed spans do not count."""
    found, result = batch.table.positions(aliases.COST_JSON), {}
    failed = timing.failed(batch)
    for row, text in zip(batch.table.owner[found].tolist(), batch.table.text(found).to_pylist(), strict=True):
        total = json_object(text).get("total")
        if isinstance(total, int | float) and not isinstance(total, bool) and total >= 0 and not failed[row]:
            result[row] = Decimal(repr(total))
    return result


def _maps(batch: Batch, consumed: Mask, events: dict[int, list[SpanEvent]]) -> dict[str, pa.Array]:
    resources = pa.array([r.items for r in batch.resources], NORMALISED.field("resource_attributes").type)
    links = links_text(batch.wire.links)
    empty = constant("", batch.rows)
    return {
        "attributes": batch.table.map_of(batch.table.keys.renamed(usage.not_a_token_count), ~consumed),
        "resource_attributes": resources.take(pa.array(batch.wire.resource)),
        "events": overlay(empty, list(events), [events_text(items) for items in events.values()]),
        "links": overlay(empty, list(links), list(links.values())),
    }


def _tool_name(batch: Batch, kinds: Labels, assembled: pa.StringArray) -> pa.StringArray:
    """On tool spans: from the keys, else the span's name without its verb. Elsewhere ''."""
    tools = np.nonzero(kinds.is_any(("tool",)))[0].tolist()
    if not tools:
        return constant("", batch.rows)
    direct = coalesce(batch.text(aliases.TOOL_NAME), assembled)
    names = [direct[row].as_py() or _bare(batch.name_of(row)) for row in tools]
    return overlay(constant("", batch.rows), tools, names)


def _bare(name: str) -> str:
    return name.removeprefix("execute_tool ").removesuffix(".tool").strip()


def _pending(batch: Batch, columns: dict[str, pa.Array]) -> None:
    """A Logfire pending span becomes an early, weakest version of the span that it announces."""
    found = batch.table.positions("logfire.span_type")
    marks = np.zeros(batch.rows, np.bool_)
    if len(found):
        marks[batch.table.owner[found]] = [t == "pending_span" for t in batch.table.text(found).to_pylist()]
    columns["_pending"] = pa.array(marks)
    rows = np.nonzero(marks & ~batch.is_root)[0].tolist()
    if not rows:
        return
    parents = batch.text(("logfire.pending_parent_id",))
    columns["span_id"] = overlay(
        columns["span_id"], rows, [columns["parent_span_id"][row].as_py() for row in rows]
    )
    real = [parents[row].as_py().lower() for row in rows]
    columns["parent_span_id"] = overlay(
        columns["parent_span_id"], rows, [p if _SPAN_ID.fullmatch(p) and p != "0" * 16 else "" for p in real]
    )
    columns["_attribute_count"] = overlay(columns["_attribute_count"], rows, [0] * len(rows))
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        columns[name] = overlay(columns[name], rows, [None] * len(rows))
