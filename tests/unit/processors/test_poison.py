"""Finding the bad row, and cutting reads into portions."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pytest

from processors.poison import Letter, process, table_of, undecodable
from processors.worker import portions, weight
from schemas.errors import InvalidRequest, QueryLimit, Unavailable
from schemas.events import DEAD_LETTER_SCHEMA, DELETIONS, LOGS, SPANS
from schemas.ports import Record, Tally, Undecodable
from tests.unit.processors import rows


def record(position: int, *names: str, topic: str = SPANS) -> Record:
    return rows.record(
        position, topic, rows.table([rows.span(1, n, name=name) for n, name in enumerate(names, 1)])
    )


class Eater:
    """Takes every row but those with a bad name; notes what it took."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.taken: list[str] = []

    def process(self, records: Sequence[Record]) -> list[Tally]:
        names = [name for one in records for name in one.table["name"].to_pylist()]
        if "bad" in names:
            raise self.error
        self.taken += names
        return [Tally("default", "stored", len(names))]


def totals(tallies: Sequence[Tally]) -> Counter[str]:
    return sum((Counter({tally.counter: tally.amount}) for tally in tallies), Counter[str]())


@pytest.mark.parametrize("topic", [SPANS, LOGS])
def test_only_the_bad_rows_are_set_aside(topic: str, caplog: pytest.LogCaptureFixture) -> None:
    eater, letters = Eater(InvalidRequest("no such thing")), list[Letter]()
    records = [
        record(1, "a", "b", topic=topic),
        record(2, "c", "bad", "d", topic=topic),
        record(3, "bad", topic=topic),
    ]
    with caplog.at_level(logging.ERROR):
        found = totals(process(eater.process, records, letters))
    assert sorted(eater.taken) == ["a", "b", "c", "d"]
    assert found == Counter(stored=4, dead=2 if topic == SPANS else 0)
    table = table_of(letters)
    assert table.schema == DEAD_LETTER_SCHEMA
    assert table["reason"].to_pylist() == ["no such thing"] * 2
    assert table["kind"].to_pylist() == ["dead"] * 2
    assert len(set(table["id"].to_pylist())) == 2
    [row] = pa.ipc.open_stream(table["payload"][0].as_py()).read_all().to_pylist()
    assert (row["name"], row["span_id"]) == ("bad", f"{2:016x}")
    assert len(caplog.records) == 2


@pytest.mark.parametrize("error", [Unavailable("disk full"), QueryLimit("no memory")])
def test_what_passes_is_nobody_s_fault(error: Exception) -> None:
    letters: list[Letter] = []
    with pytest.raises(type(error)):
        process(Eater(error).process, [record(1, "bad", "a")], letters)
    assert letters == []


def test_an_error_of_our_own_is_named(caplog: pytest.LogCaptureFixture) -> None:
    letters: list[Letter] = []
    process(Eater(KeyError("x")).process, [record(1, "bad")], letters)
    assert letters[0]["reason"] == "KeyError: 'x'"


def test_equal_rows_are_letters_of_their_own_and_the_same_ones_when_done_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    twins = rows.table([rows.span(1, 1, name="bad")] * 2)
    records = [rows.record(position, SPANS, twins) for position in (7, 8)]

    def ids(*chosen: Record) -> list[object]:
        letters: list[Letter] = []
        assert totals(process(Eater(KeyError()).process, chosen, letters)) == Counter(dead=2 * len(chosen))
        return [letter["id"] for letter in letters]

    assert len(set(ids(*records))) == 4
    assert ids(*records) == [*ids(records[0]), *ids(records[1])]


def test_nothing_to_do() -> None:
    assert process(Eater(KeyError()).process, [], []) == []


def test_an_undecodable_record_keeps_its_bytes() -> None:
    letter = undecodable(Undecodable(4, SPANS, b"\x00\x01", "not Arrow", {"shop": 3}))
    assert (letter["project"], letter["payload"], letter["reason"]) == ("shop", b"\x00\x01", "not Arrow")
    assert table_of([letter]).num_rows == 1


def test_portions_end_at_the_bound() -> None:
    size = weight(record(1, "a"))
    records = [record(n, "a") for n in range(1, 8)]
    assert [len(p) for p in portions(records, frozenset(), 3 * size)] == [3, 3, 1]
    assert [len(p) for p in portions(records, frozenset(), 1)] == [1] * 7, (
        "a record that is too large goes alone"
    )
    assert list(portions([], frozenset(), 1)) == []


def test_some_topics_stand_apart() -> None:
    apart = rows.record(3, DELETIONS, rows.deletion(1))
    records: list[Record | Undecodable] = [record(1, "a"), record(2, "a"), apart, apart, record(4, "a")]
    records.append(Undecodable(5, SPANS, b"x", ""))
    assert [len(p) for p in portions(records, frozenset({DELETIONS}), 1 << 30)] == [2, 1, 1, 2]
