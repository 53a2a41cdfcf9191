"""The column `_inherited` and the comparison of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from processors.marks import bits_of, differs, lists_of, own_metadata
from processors.trace_rules import BITS
from schemas.spans import TEXT_MAP

TEXTS = pa.list_(pa.string())
A1 = ("a", "1")


def test_lists_and_bits_are_the_same() -> None:
    lists = pa.chunked_array([pa.array([["tags", "metadata.a"], [], ["session_id", "kind", "input"]], TEXTS)])
    bits = bits_of(lists)
    assert bits.tolist() == [BITS["tags"], 0, BITS["session_id"] | BITS["kind"] | BITS["input"]]
    keys = pa.array([["metadata.a"], [], []], TEXTS)
    assert [sorted(names) for names in lists_of(bits, keys).to_pylist()] == [
        sorted(names) for names in lists.to_pylist()
    ]
    assert lists_of(bits, None).to_pylist()[0] == ["tags"]
    assert bits_of(lists.slice(2)).tolist() == bits.tolist()[2:]


def test_no_rows() -> None:
    assert lists_of(np.zeros(0, np.int64), None).to_pylist() == []
    assert bits_of(pa.chunked_array([pa.array([], TEXTS)])).tolist() == []


def test_inherited_metadata_keys_are_taken_out() -> None:
    maps = pa.chunked_array(
        [pa.array([[("skipped", "")], [("a", "1"), ("b", "2")], [("b", "3")], []], TEXT_MAP)]
    ).slice(1)
    marks = pa.chunked_array([pa.array([["metadata.b", "tags"], ["metadata.a"], ["metadata.c"]], TEXTS)])
    assert own_metadata(maps, marks).to_pylist() == [[("a", "1")], [("b", "3")], []]
    none = pa.chunked_array([pa.array([["tags"], [], []], TEXTS)])
    assert own_metadata(maps, none).to_pylist() == maps.to_pylist()


@pytest.mark.parametrize(
    ("kind", "pairs"),
    [
        (pa.string(), [("a", "a", False), ("a", "b", True)]),
        (pa.bool_(), [(True, True, False), (True, False, True)]),
        (pa.uint32(), [(1, 1, False), (None, None, False), (None, 0, True), (0, None, True)]),
        (TEXTS, [(["a"], ["a"], False), (["a"], ["b"], True), ([], ["a"], True), ([], [], False), (["a", "b"], ["b", "a"], True)]),
        (TEXT_MAP, [([A1], [A1], False), ([A1], [("a", "2")], True), ([A1], [("b", "1")], True), ([], [], False)]),
    ],
    ids=["text", "bool", "number", "list", "map"],
)  # fmt: skip
def test_differs(kind: pa.DataType, pairs: list[tuple[Any, Any, bool]]) -> None:
    before, after = (pa.array([pair[side] for pair in pairs], kind) for side in (0, 1))
    assert differs(before, after).tolist() == [pair[2] for pair in pairs]
