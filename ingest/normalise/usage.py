"""Token usage: inclusive columns as OpenTelemetry defines them, and the mutually exclusive vector that sums to the total.

Flat keys are read in columns; usage sent as JSON (Langfuse, Logfire, LangSmith, LiteLLM) is read span by span.
Source: OpenTelemetry GenAI conventions (`gen_ai.usage.input_tokens` includes cached and cache-creating tokens,
`output_tokens` includes reasoning); Anthropic's API, Langfuse's keys and OpenLIT exclude them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

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


@dataclass(slots=True)
class Sent:
    """Token numbers by field as sent; NaN where nothing was. Input and output as the dialect means them."""

    input: Numbers
    output: Numbers
    total: Numbers
    cache_read: Numbers
    cache_write: Numbers
    cache_write_1h: Numbers
    reasoning: Numbers
    input_audio: Numbers
    output_audio: Numbers


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


_READ = frozenset(name for names in _KEYS.values() for name in names if not name.startswith("anthropic."))


def columns(batch: Batch, kinds: Labels) -> dict[str, pa.Array]:
    """The usage columns: inclusive counts, shares, `usage`, `usage_raw`, `usage_flags`."""
    raw_names = [name if is_usage(name) else None for name in batch.table.names]
    if not any(raw_names):
        return _nothing(batch.rows)
    flags = np.zeros(batch.rows, np.int64)
    sent = _sent(batch, flags)
    raw = batch.table.map_of(raw_names)
    return {**_canonical(sent, flags, kinds), "usage_raw": raw}


def is_usage(name: str) -> bool:
    """Whether an attribute reports tokens: it stands in `usage_raw`."""
    return name.startswith(aliases.USAGE_PREFIXES) or name in aliases.USAGE_JSON


def is_token_count(name: str) -> bool:
    """Whether an attribute is one of the numbers that the usage columns are made of; `attributes` does not repeat those."""
    return name in _READ


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
    sent = Sent(**{name: _numbers(batch, keys, flags) for name, keys in _KEYS.items()})
    short = _numbers(batch, aliases.CACHE_WRITE_5M_TOKENS, flags)
    untold = np.isnan(sent.cache_write) & ~(np.isnan(short) & np.isnan(sent.cache_write_1h))
    sent.cache_write[untold] = (_known(short) + _known(sent.cache_write_1h))[untold]
    for key in reversed(aliases.USAGE_JSON):
        found = batch.table.positions(key)
        for row, text in zip(batch.table.owner[found], batch.table.text(found).to_pylist(), strict=True):
            _merge(sent, int(row), reported(key, text), wins=key == aliases.USAGE_JSON[0])
    return sent


def _numbers(batch: Batch, keys: tuple[str, ...], flags: npt.NDArray[np.int64]) -> Numbers:
    if not any(key in batch.table for key in keys):
        return np.full(batch.rows, np.nan)
    chosen = batch.table.first(keys)
    value = batch.table.numbers(chosen)
    bad = (value < 0) | (value > _LARGEST) | (np.isnan(value) & (chosen >= 0))
    flags[bad] |= 1
    value[bad] = np.nan
    return np.floor(value)


def _merge(sent: Sent, row: int, found: Reported | None, *, wins: bool) -> None:
    if found is None:
        return
    for item in fields(Sent):
        value, column = getattr(found, item.name), getattr(sent, item.name)
        if value is not None and 0 <= value <= _LARGEST and (wins or np.isnan(column[row])):
            column[row] = np.floor(value)


def _canonical(sent: Sent, flags: npt.NDArray[np.int64], kinds: Labels) -> dict[str, pa.Array]:
    only_total = np.isnan(sent.input) & np.isnan(sent.output) & ~np.isnan(sent.total)
    embedded = only_total & kinds.is_any(("embedding",))
    sent.input[embedded] = sent.total[embedded]
    flags[only_total & ~embedded] |= 16
    read, write, reasoning = (_known(part) for part in (sent.cache_read, sent.cache_write, sent.reasoning))
    knows_input = ~np.isnan(sent.input) | (read + write > 0)
    knows_output = ~np.isnan(sent.output) | (reasoning > 0)
    inclusive, output = _known(sent.input), _known(sent.output)
    exclusive = knows_input & (read + write > inclusive)
    flags[exclusive & ~np.isnan(sent.input)] |= 2
    inclusive[exclusive] += (read + write)[exclusive]
    flags[(reasoning > output) & ~np.isnan(sent.output)] |= 4
    output = np.maximum(output, reasoning)
    in_audio = np.minimum(_known(sent.input_audio), inclusive - read - write)
    out_audio = np.minimum(_known(sent.output_audio), output - reasoning)
    long_write = np.minimum(_known(sent.cache_write_1h), write)
    total = inclusive + output
    known = knows_input | knows_output
    flags[known & ~np.isnan(sent.total) & (sent.total != total)] |= 8
    parts = (
        ("input", inclusive - read - write - in_audio, knows_input), ("cache_read", read, read > 0),
        ("cache_write", write - long_write, write > long_write), ("cache_write_1h", long_write, long_write > 0),
        ("output", output - reasoning - out_audio, knows_output), ("reasoning", reasoning, reasoning > 0),
        ("input_audio", in_audio, in_audio > 0), ("output_audio", out_audio, out_audio > 0),
    )  # fmt: skip
    return {
        "input_tokens": _counts(inclusive, knows_input),
        "output_tokens": _counts(output, knows_output),
        "total_tokens": _counts(total, known),
        "cache_read_tokens": _counts(read, ~np.isnan(sent.cache_read)),
        "cache_write_tokens": _counts(write, ~np.isnan(sent.cache_write)),
        "reasoning_tokens": _counts(reasoning, ~np.isnan(sent.reasoning)),
        "usage": _vector(parts),
        "usage_flags": _flag_lists(flags),
    }


def _known(values: Numbers) -> Numbers:
    """The numbers with 0 for unknown."""
    return np.where(np.isnan(values), 0.0, values)


def _counts(values: Numbers, known: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.array(values.astype(np.uint64), mask=~known)


def _vector(parts: tuple[tuple[str, Numbers, npt.NDArray[np.bool_]], ...]) -> pa.MapArray:
    """One map a span of the parts that it has, in the order of `parts`."""
    used = [part for part in parts if part[2].any()]
    if not used:
        return empty_map(USAGE_MAP, len(parts[0][1]))
    present = np.column_stack([mask for _, _, mask in used])
    values = np.column_stack([numbers for _, numbers, _ in used])[present].astype(np.uint64)
    names = pa.array([name for name, _, _ in used], pa.string())
    labels = names.take(pa.array(np.nonzero(present)[1]))
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
    return pa.MapArray.from_arrays(pa.array(offsets), labels, pa.array(values))


def _flag_lists(flags: npt.NDArray[np.int64]) -> pa.ListArray:
    if not flags.any():
        return empty_list(len(flags))
    combinations, index = np.unique(flags, return_inverse=True)
    lists = [[name for bit, name in enumerate(_FLAGS) if value >> bit & 1] for value in combinations.tolist()]
    return pa.array(lists, pa.list_(pa.string())).take(pa.array(index))
