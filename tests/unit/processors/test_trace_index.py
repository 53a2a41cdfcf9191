"""The filter of known traces: never forgets, seldom errs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from processors.hashing import hex_numbers, text_hashes, trace_hashes
from processors.trace_index import TraceIndex


def test_a_million_traces() -> None:
    numbers = np.random.default_rng(5)
    known, unknown = (numbers.integers(0, 2**64, 1_000_000, np.uint64) for _ in range(2))
    index = TraceIndex()
    for part in np.split(known, 100):
        index.add(part)
    assert index.contains(known).all()
    assert index.contains(unknown).mean() < 0.001


def test_ten_times_at_once_and_again() -> None:
    numbers = np.random.default_rng(6).integers(0, 2**64, 300_000, np.uint64)
    index = TraceIndex()
    assert not index
    index.add(numbers)
    assert index.contains(numbers).all()
    for _ in range(20):
        index.add(numbers)
    others = np.random.default_rng(7).integers(0, 2**64, 300_000, np.uint64)
    assert index.contains(others).mean() < 0.001, "what is known takes no more room"
    assert index


def test_nothing_is_known_at_first() -> None:
    index = TraceIndex()
    index.add(np.zeros(0, np.uint64))
    assert not index
    assert not index.contains(np.arange(10, dtype=np.uint64)).any()


def test_hashes_tell_projects_and_traces_apart() -> None:
    projects = pa.chunked_array([["a", "b", "a", "a"]])
    traces = pa.chunked_array([["0" * 31 + "1", "0" * 31 + "1", "1" + "0" * 31, "0" * 31 + "1"]])
    hashes = trace_hashes(projects, traces)
    assert len(set(hashes.tolist())) == 3
    assert hashes[0] == hashes[3]
    assert trace_hashes(projects.slice(3), traces.slice(3)).tolist() == [hashes[0]]


def test_hashes_of_any_text() -> None:
    projects, texts = pa.chunked_array([["a", "b", "a"]]), pa.chunked_array([["x", "x", "x"]])
    hashes = text_hashes(projects, texts)
    assert hashes[0] == hashes[2] != hashes[1]
    assert len(text_hashes(projects.slice(3), texts.slice(3))) == 0


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        ([], []),
        (["0" * 16], [0]),
        (["f" * 16, "00000000000000a1"], [2**64 - 1, 161]),
        (["", "0123456789abcdef", "", "short"], [0, 0x0123456789ABCDEF, 0, 0]),
    ],
)
def test_hex_numbers(texts: list[str], numbers: list[int]) -> None:
    column = pa.chunked_array([pa.array(["skipped", *texts], pa.string())]).slice(1)
    assert hex_numbers(column).tolist() == numbers
