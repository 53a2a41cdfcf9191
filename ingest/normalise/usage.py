"""Token usage: inclusive columns as OpenTelemetry defines them, and the mutually exclusive vector that sums to the total.

Flat keys are read in columns; usage sent as JSON (Langfuse, Logfire, LangSmith, LiteLLM) is read span by span.
Source: OpenTelemetry GenAI conventions (`gen_ai.usage.input_tokens` includes cached and cache-creating tokens,
`output_tokens` includes reasoning); Anthropic's API, Langfuse's keys and OpenLIT exclude them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.normalise import aliases
from ingest.normalise.batch import Batch, Labels, empty_list, empty_map
from ingest.normalise.usage_json import Reported, reported
from schemas.spans import USAGE_MAP

Numbers = npt.NDArray[np.float64]
_LARGEST = float(2**48)
"""More tokens than any call can have; the sum of all parts is still exact in a float."""
_FLAGS = ("invalid", "exclusive_input", "clamped", "total_mismatch", "total_only")


Column = TypeVar("Column")


@dataclass(slots=True)
class Fields(Generic[Column]):
    """One column for each token number that clients send. Input and output as the dialect means them."""

    input: Column
    output: Column
    total: Column
    cache_read: Column
    cache_write: Column
    cache_write_1h: Column
    reasoning: Column
    input_audio: Column
    output_audio: Column


Sent = Fields[Numbers]
"""As sent; NaN where nothing was."""


_KEYS: Mapping[str, tuple[str, ...]] = {
    "input": aliases.INPUT_TOKENS,
    "output": aliases.OUTPUT_TOKENS,
    "total": aliases.TOTAL_TOKENS,
    "cache_read": aliases.CACHE_READ_TOKENS,
    "cache_write": aliases.CACHE_WRITE_TOKENS,
    "cache_write_1h": aliases.CACHE_WRITE_1H_TOKENS,
    "reasoning": aliases.REASONING_TOKENS,
    "input_audio": aliases.INPUT_AUDIO_TOKENS,
    "output_audio": aliases.OUTPUT_AUDIO_TOKENS,
}


_SPLIT_WRITES = (*aliases.CACHE_WRITE_5M_TOKENS, *aliases.CACHE_WRITE_1H_TOKENS)
_READ = frozenset(name for names in _KEYS.values() for name in names if not name.startswith("anthropic."))


def columns(batch: Batch, kinds: Labels) -> dict[str, pa.Array]:
    """The usage columns: inclusive counts, shares, `usage`, `usage_raw`, `usage_flags`."""
    reports = batch.table.keys.renamed(_report)
    if not reports:
        return _nothing(batch.rows)
    flags = np.zeros(batch.rows, np.int64)
    sent = _sent(batch, flags)
    return {**_canonical(sent, flags, kinds), "usage_raw": batch.table.map_of(reports)}


def _report(name: str) -> str | None:
    """Attributes that report tokens stand in `usage_raw`."""
    return name if name.startswith(aliases.USAGE_PREFIXES) or name in aliases.USAGE_JSON else None


def not_a_token_count(name: str) -> str | None:
    """What stands in `attributes`: not the numbers that the usage columns are made of, they are in `usage_raw`."""
    return None if name in _READ else name


def _nothing(rows: int) -> dict[str, pa.Array]:
    count = pa.nulls(rows, pa.uint64())
    names = (
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    )
    texts = pa.map_(pa.string(), pa.string())
    return {
        **dict.fromkeys(names, count),
        "usage": empty_map(USAGE_MAP, rows),
        "usage_raw": empty_map(texts, rows),
        "usage_flags": empty_list(rows),
    }


def _sent(batch: Batch, flags: npt.NDArray[np.int64]) -> Sent:
    *columns, short = _numbers(batch, (*_KEYS.values(), aliases.CACHE_WRITE_5M_TOKENS), flags)
    sent = Fields(*columns)
    if batch.table.keys.present(_SPLIT_WRITES):
        untold = np.isnan(sent.cache_write) & ~(np.isnan(short) & np.isnan(sent.cache_write_1h))
        sent.cache_write[untold] = (np.nan_to_num(short) + np.nan_to_num(sent.cache_write_1h))[untold]
    for key in reversed(batch.table.keys.present(aliases.USAGE_JSON)):
        found = batch.table.positions(key)
        for row, text in zip(batch.table.owner[found], batch.table.text(found).to_pylist(), strict=True):
            _merge(sent, int(row), reported(key, text), wins=key == aliases.USAGE_JSON[0])
    return sent


def _numbers(batch: Batch, fields: tuple[tuple[str, ...], ...], flags: npt.NDArray[np.int64]) -> Numbers:
    """One row of numbers a field: on each span the first of its keys; what is no count is none, and flagged."""
    chosen = np.full((len(fields), batch.rows), -1, np.int64)
    for row, keys in zip(chosen, fields, strict=True):
        batch.table.choose(keys, row)
    value = batch.table.numbers(chosen)
    with np.errstate(invalid="ignore"):
        good = (value >= 0) & (value <= _LARGEST)
    if (bad := ~good & (chosen >= 0)).any():
        flags[bad.any(axis=0)] |= 1
        value[bad] = np.nan
    return np.floor(value)


def _merge(sent: Sent, row: int, found: Reported | None, *, wins: bool) -> None:
    if found is None:
        return
    for item in fields(Fields):
        value, column = getattr(found, item.name), getattr(sent, item.name)
        if value is not None and 0 <= value <= _LARGEST and (wins or np.isnan(column[row])):
            column[row] = np.floor(value)


def _canonical(sent: Sent, flags: npt.NDArray[np.int64], kinds: Labels) -> dict[str, pa.Array]:
    _only_totals(sent, flags, kinds)
    matrix = np.array([getattr(sent, item.name) for item in fields(Fields)])
    told = Fields[npt.NDArray[np.bool_]](*~np.isnan(matrix))
    known = Fields[Numbers](*np.nan_to_num(matrix, copy=False))
    read, reasoning, cached = known.cache_read, known.reasoning, known.cache_read + known.cache_write
    knows_input, knows_output = told.input | (cached > 0), told.output | (reasoning > 0)
    exclusive = knows_input & (cached > known.input)
    flags[exclusive & told.input] |= 2
    inclusive = np.where(exclusive, known.input + cached, known.input)
    flags[(reasoning > known.output) & told.output] |= 4
    output = np.maximum(known.output, reasoning)
    total, knows_any = inclusive + output, knows_input | knows_output
    flags[knows_any & told.total & (known.total != total)] |= 8
    in_audio = np.minimum(known.input_audio, inclusive - cached)
    out_audio = np.minimum(known.output_audio, output - reasoning)
    long_write = np.minimum(known.cache_write_1h, known.cache_write)
    parts = {
        "input": (inclusive - cached - in_audio, knows_input),
        "cache_read": (read, read > 0),
        "cache_write": (known.cache_write - long_write, known.cache_write > long_write),
        "cache_write_1h": (long_write, long_write > 0),
        "output": (output - reasoning - out_audio, knows_output),
        "reasoning": (reasoning, reasoning > 0),
        "input_audio": (in_audio, in_audio > 0),
        "output_audio": (out_audio, out_audio > 0),
    }
    return {
        "input_tokens": _counts(inclusive, knows_input),
        "output_tokens": _counts(output, knows_output),
        "total_tokens": _counts(total, knows_any),
        "cache_read_tokens": _counts(read, told.cache_read),
        "cache_write_tokens": _counts(known.cache_write, told.cache_write),
        "reasoning_tokens": _counts(reasoning, told.reasoning),
        "usage": _vector(parts),
        "usage_flags": _flag_lists(flags),
    }


def _only_totals(sent: Sent, flags: npt.NDArray[np.int64], kinds: Labels) -> None:
    """A total alone is the input of an embedding; elsewhere nothing tells how it is divided."""
    lone = ~np.isnan(sent.total) & np.isnan(sent.input) & np.isnan(sent.output)
    if lone.any():
        embedded = lone & kinds.is_any(("embedding",))
        sent.input[embedded] = sent.total[embedded]
        flags[lone & ~embedded] |= 16


def _counts(values: Numbers, known: npt.NDArray[np.bool_]) -> pa.Array:
    if not known.any():
        return pa.nulls(len(values), pa.uint64())
    return pa.array(values.astype(np.uint64), mask=~known)


def _vector(parts: Mapping[str, tuple[Numbers, npt.NDArray[np.bool_]]]) -> pa.MapArray:
    """One map a span of the parts that it has, in the order of `parts`."""
    used = {name: part for name, part in parts.items() if part[1].any()}
    rows = len(parts["input"][0])
    if not used:
        return empty_map(USAGE_MAP, rows)
    present = np.column_stack([mask for _, mask in used.values()])
    values = np.column_stack([numbers for numbers, _ in used.values()])[present].astype(np.uint64)
    labels = pa.array(list(used), pa.string()).take(pa.array(np.nonzero(present)[1]))
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(present.sum(axis=1), out=offsets[1:])
    return pa.MapArray.from_arrays(pa.array(offsets), labels, pa.array(values))


def _flag_lists(flags: npt.NDArray[np.int64]) -> pa.ListArray:
    if not flags.any():
        return empty_list(len(flags))
    combinations, index = np.unique(flags, return_inverse=True)
    lists = [[name for bit, name in enumerate(_FLAGS) if value >> bit & 1] for value in combinations.tolist()]
    return pa.array(lists, pa.list_(pa.string())).take(pa.array(index))
