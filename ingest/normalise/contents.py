"""Messages, documents, tools and parameters: in columns where the text is canonical already, span by span elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ingest.normalise import aliases
from ingest.normalise.attributes import AttributeTable
from ingest.normalise.batch import Batch, Labels, bounds, constant, empty_map, overlay
from ingest.normalise.content import Content, Evaluation, RawEvent, RawSpan, content_of
from ingest.normalise.events import SpanEvent
from ingest.normalise.keyvalues import STRING, Mask
from ingest.wire import Ints
from schemas.spans import TEXT_MAP

_BEGINNING = re.compile(rb'\[\{"role": ?"(system|user|assistant|tool|developer)", ?"parts": ?\[\{"type": ?"')
_MIX = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x27D4EB2F165667C5,
        0x85EBCA77C2B2AE63,
        0xFF51AFD7ED558CCD,
    ],
    np.uint64,
)
_TEXTS = (
    "input",
    "output",
    "documents",
    "tool_definitions",
    "response_format",
    "tool_name",
    "tool_call_id",
    "finish_reason",
)


@dataclass(frozen=True, slots=True)
class Contents:
    """The content columns, what is no longer needed in `attributes`, and evaluation results found on the way."""

    columns: dict[str, pa.Array]
    consumed: Mask
    evaluations: list[tuple[int, Evaluation]]


def contents(batch: Batch, kinds: Labels, events: dict[int, list[SpanEvent]]) -> Contents:
    """Assembles the content of every span."""
    table = batch.table
    fast = {
        side: table.first((key,))
        for side, key in (("input", aliases.INPUT_MESSAGES), ("output", aliases.OUTPUT_MESSAGES))
    }
    texts = {
        "input": batch.text((aliases.INPUT_MESSAGES,)),
        "output": batch.text((aliases.OUTPUT_MESSAGES,)),
    }
    slow = _triggered(table)
    slow[list(events)] = True
    for side, chosen in fast.items():
        slow |= ~_canonical(table, chosen, texts[side])
    slow |= _unusual(batch, texts)
    consumed = np.zeros(len(table), np.bool_)
    for chosen in fast.values():
        consumed[chosen[(chosen >= 0) & ~slow]] = True
    rows = np.nonzero(slow)[0].tolist()
    assembled = [_assemble(batch, row, kinds.at(row), events.get(row, [])) for row in rows]
    _mark_consumed(table, consumed, rows, assembled)
    evaluations = [
        (row, found) for row, content in zip(rows, assembled, strict=True) for found in content.evaluations
    ]
    return Contents(_columns(batch, texts, rows, assembled), consumed, evaluations)


def _triggered(table: AttributeTable) -> Mask:
    triggers = table.keys.renamed(_trigger)
    result = np.zeros(table.rows, np.bool_)
    if triggers:
        result[table.owner[triggers.taken[table.code]]] = True
    return result


def _trigger(name: str) -> str | None:
    return name if name.startswith(aliases.CONTENT_PREFIXES) else None


def _canonical(table: AttributeTable, chosen: Ints, column: pa.StringArray) -> Mask:
    """Of the spans with this attribute, those whose text already is a canonical list of messages."""
    rows = np.nonzero(chosen >= 0)[0]
    at = chosen[rows]
    begins = (table.tag[at] == STRING) & _begins(table.heads(at)) & _ends(column, rows)
    result = np.ones(table.rows, np.bool_)
    result[rows[~begins]] = False
    return result


def _begins(heads: npt.NDArray[np.uint64]) -> Mask:
    """Which texts, of which these are the first bytes, begin as a list of messages does. Often all begin with the same words."""
    if not len(heads) or (heads == heads[0]).all():
        return np.full(len(heads), len(heads) > 0 and bool(_BEGINNING.match(heads[0].tobytes())))
    _, first, index = np.unique(heads @ _MIX, return_index=True, return_inverse=True)
    return np.array([bool(_BEGINNING.match(heads[at].tobytes())) for at in first], np.bool_)[index]


def _ends(column: pa.StringArray, rows: Ints) -> Mask:
    """Which of these rows end as a list of messages does."""
    data = column.buffers()[2]
    if not len(rows) or data is None:
        return np.zeros(len(rows), np.bool_)
    letters, last = np.frombuffer(data, np.uint8), bounds(column)[rows + 1]
    return np.asarray((letters[last - 1] == ord("]")) & (letters[last - 2] == ord("}")), np.bool_)


def _unusual(batch: Batch, texts: dict[str, pa.StringArray]) -> Mask:
    """Messages that look canonical and are not: tool results under another name, Anthropic's raw thinking in Logfire's."""
    result = _contain(texts["input"], '"result"')
    raw = np.array([scope.name.startswith(("logfire", "pydantic")) for scope in batch.scopes], np.bool_)
    if raw.any():
        result |= (_contain(texts["input"], '"thinking"') | _contain(texts["output"], '"thinking"')) & raw[
            batch.wire.scope
        ]
    return result


def _contain(column: pa.StringArray, text: str) -> Mask:
    """Rows that contain a text. Polars' search is several times faster than Arrow's, but costs 0.3 ms to begin with."""
    if len(column) < 1000:
        return np.asarray(pc.match_substring(column, text).to_numpy(zero_copy_only=False), np.bool_)
    return pl.Series(column).str.contains(text, literal=True).to_numpy()


def _assemble(batch: Batch, row: int, kind: str, events: list[SpanEvent]) -> Content:
    scope = batch.scopes[batch.wire.scope[row]].name
    raw = [RawEvent(event.name, event.time, event.attributes) for event in events]
    return content_of(RawSpan(batch.name_of(row), kind, scope, batch.table.of_row(row), raw))


def _mark_consumed(
    table: AttributeTable, consumed: Mask, rows: Sequence[int], assembled: Sequence[Content]
) -> None:
    for row, content in zip(rows, assembled, strict=True):
        if content.consumed:
            for position in table.positions_of_row(row):
                if table.keys.names[table.code[position]] in content.consumed:
                    consumed[position] = True


def _columns(
    batch: Batch, texts: dict[str, pa.Array], rows: list[int], assembled: list[Content]
) -> dict[str, pa.Array]:
    empty = constant("", batch.rows)
    columns = {
        name: overlay(texts.get(name, empty), rows, [getattr(content, name) for content in assembled])
        for name in _TEXTS
    }
    parameters = _parameters(batch)
    columns["model_parameters"] = overlay(
        parameters, rows, [list(c.model_parameters.items()) for c in assembled]
    )
    return columns


def _parameters(batch: Batch) -> pa.MapArray:
    """`gen_ai.request.*` under their short names."""
    names = batch.table.keys.renamed(_parameter)
    return batch.table.map_of(names, batch.table.filled) if names else empty_map(TEXT_MAP, batch.rows)


def _parameter(name: str) -> str | None:
    if not name.startswith(aliases.PARAMETER_PREFIX) or name in aliases.NO_PARAMETERS:
        return None
    short = name[len(aliases.PARAMETER_PREFIX) :]
    return aliases.PARAMETER_NAMES.get(short, short)
