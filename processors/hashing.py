"""Ids as numbers: what columns of text are compared, sorted and looked up by. Pure and columnar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
_NIBBLE = np.zeros(256, np.uint8)
_NIBBLE[np.frombuffer(b"0123456789", np.uint8)] = np.arange(10)
_NIBBLE[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16)


def hex_numbers(column: pa.ChunkedArray) -> Words:
    """Sixteen hex digits as a number; 0 for a text of any other length."""
    texts = column.combine_chunks()
    result = np.zeros(len(texts), np.uint64)
    if not len(texts):
        return result
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    full = np.diff(offsets) == 16
    if not full.any():
        return result
    raw = np.frombuffer(texts.buffers()[2], np.uint8)
    if full.all():
        result[:] = _numbers(raw[offsets[0] : offsets[-1]].reshape(-1, 16))
    else:
        result[full] = _numbers(raw[offsets[:-1][full][:, None] + np.arange(16)])
    return result


def trace_codes(table: pa.Table) -> Ints:
    """An integer a trace, (project, trace_id), equal on all its rows in this table."""
    return pair_codes(table["project"], table["trace_id"])


def pair_codes(project: pa.ChunkedArray, name: pa.ChunkedArray) -> Ints:
    """An integer a pair of texts, equal where both are."""
    names = name.combine_chunks().dictionary_encode()
    codes: Ints = names.indices.to_numpy().astype(np.int64)
    projects = project.combine_chunks().dictionary_encode()
    if len(projects.dictionary) > 1:
        codes = codes * len(projects.dictionary) + projects.indices.to_numpy()
    return codes


def trace_hashes(project: pa.ChunkedArray, trace_id: pa.ChunkedArray) -> Words:
    """64 mixed bits of (project, trace id) a row."""
    ids = trace_id.combine_chunks()
    low, high = (
        hex_numbers(pa.chunked_array([pc.utf8_slice_codeunits(ids, start, start + 16)])) for start in (16, 0)
    )
    return _mixed(_mixed(low ^ _seeds(project)) ^ high)


def text_hashes(project: pa.ChunkedArray, text: pa.ChunkedArray) -> Words:
    """64 mixed bits of (project, any text) a row; the same throughout this process only."""
    if not len(text):
        return np.zeros(0, np.uint64)
    texts = pl.from_arrow(text.combine_chunks())
    assert isinstance(texts, pl.Series)
    return _mixed(texts.hash(seed=1).to_numpy() ^ _seeds(project))


def _numbers(digits: npt.NDArray[np.uint8]) -> Words:
    nibbles = _NIBBLE[digits]
    octets = np.ascontiguousarray(nibbles[:, 0::2] << 4 | nibbles[:, 1::2])
    return octets.view(">u8").ravel().astype(np.uint64)


def _seeds(project: pa.ChunkedArray) -> Words:
    projects = project.combine_chunks().dictionary_encode()
    seeds = np.array([_text_hash(name) for name in projects.dictionary.to_pylist()], np.uint64)
    return seeds[projects.indices.to_numpy()] if len(seeds) else np.zeros(0, np.uint64)


def _text_hash(text: str) -> int:
    """FNV-1a, 64 bits."""
    value = 0xCBF29CE484222325
    for octet in text.encode():
        value = (value ^ octet) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def _mixed(value: Words) -> Words:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
