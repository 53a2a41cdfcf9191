"""Which record of a span wins, and what the counters say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.hashing import trace_codes
from processors.span_merge import Merged, merge, versions, weights
from tests.unit.processors.rows import span, table

FIRST, LATER, MORE = {"seconds": 1}, {"seconds": 2}, {"_attribute_count": 6}
NOTHING = {"end_time": datetime(1970, 1, 1, tzinfo=UTC), "_attribute_count": 0}
PENDING = {"_pending": True, "_attribute_count": 0}


@dataclass(frozen=True)
class Case:
    """`records` of one span by age, the first `stored` of them in the store; `position` of each in the log."""

    name: str
    records: tuple[dict[str, Any], ...]
    winner: int
    fresh: list[bool]
    stored: int = 0
    position: tuple[int, ...] = ()


CASES = (
    Case("a later end", (FIRST, LATER), 1, [True, False]),
    Case("a later end that came first", (LATER, FIRST), 0, [True, False]),
    Case("more attributes", (FIRST, FIRST | MORE), 1, [True, False]),
    Case("the end before the attributes", (FIRST | MORE, LATER), 1, [True, False]),
    Case("the first of equals", (FIRST, FIRST, FIRST), 0, [True, False, False]),
    Case("the stored of equals", (FIRST, FIRST), 0, [True, False], 1, (1, 2)),
    Case("a better one than the stored", (FIRST, LATER), 1, [True, False], 1, (1, 2)),
    Case("a marker loses, whatever its end", (LATER | PENDING, FIRST), 1, [True, False]),
    Case("a marker that comes late", (FIRST, LATER | PENDING), 0, [True, False]),
    Case("a marker in the store", (LATER | PENDING, FIRST), 1, [True, False], 1, (1, 2)),
    Case("a record that says nothing beats a marker", (PENDING, NOTHING), 1, [True, False], 1, (1, 2)),
    Case("the record that was stored, again", (FIRST, FIRST), 0, [True, True], 1, (7, 7)),
    Case("that record held the span twice", (FIRST, FIRST, FIRST), 0, [True, True, False], 1, (7, 7, 7)),
    Case("that record and a retry", (FIRST, FIRST, FIRST), 0, [True, True, False], 1, (7, 7, 8)),
)


def merged(records: Sequence[dict[str, Any]], stored: int = 0, position: Sequence[int] = ()) -> Merged:
    rows = table(records)
    places = np.array(position or range(len(records)), np.uint64)
    return merge(rows, trace_codes(rows), stored, places)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_of_one_span(case: Case) -> None:
    for bystanders in (0, 2):
        others = [span(1, 50), span(2, 1)][:bystanders]
        records = [span(1, 1, **values) for values in case.records] + others
        position = [*(case.position or range(len(case.records))), *range(90, 90 + bystanders)]
        found = merged(records, case.stored, position)
        assert found.winners.tolist() == sorted([case.winner, *range(len(case.records), len(records))])
        assert found.first_position.tolist()[0] == position[0]
        wanted = [False] * case.stored + case.fresh[case.stored :] + [True] * bystanders
        assert found.fresh.tolist() == wanted


def test_spans_with_one_id_in_several_traces_and_projects() -> None:
    records = [span(1, 1), span(2, 1), span(1, 1, project="b"), span(2, 1, seconds=5)]
    found = merged(records)
    assert found.winners.tolist() == [0, 2, 3]
    assert found.first_position.tolist() == [0, 2, 1]
    assert found.fresh.tolist() == [True, True, True, False]


def test_nothing_to_merge() -> None:
    assert merged([]).winners.tolist() == []


WEIGHTS = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**24 - 1), st.integers(0, 2**32 - 1))


@given(st.lists(WEIGHTS, min_size=2, max_size=20))
def test_versions_order_as_their_parts_do(parts: list[tuple[int, int, int]]) -> None:
    numbers = versions(*(np.array(column, np.int64) for column in zip(*parts, strict=True))).to_pylist()
    assert max(numbers) < 10**38, "what Decimal(38) can hold"
    assert sorted(range(len(parts)), key=parts.__getitem__) == sorted(
        range(len(parts)), key=numbers.__getitem__
    )


def test_weights_are_bounded_as_versions_are() -> None:
    end, count = weights(table([span(_attribute_count=2**32 - 1), span(_attribute_count=0), span(**PENDING)]))
    assert count.tolist() == [2**24 - 1, 1, 0]
    assert (end > 0).tolist() == [True, True, False]
