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
from schemas.events import DEAD_LETTER_SCHEMA, DEAD_LETTERS, DELETIONS, LOGS, SPANS
from schemas.ports import Record, Tally, Undecodable
from tests.unit.processors import rows

BYTES = b"\x00\x01"


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


def kept(topic: str, counts: dict[str, int]) -> Counter[tuple[str, str, str, bytes]]:
    """The letters of an undecodable record; each has an id of its own, which it gets again."""
    record = Undecodable(4, topic, BYTES, "not Arrow", counts)
    table = table_of(undecodable(record))
    assert table["id"].to_pylist() == table_of(undecodable(record))["id"].to_pylist()
    assert len(set(table["id"].to_pylist())) == len(table)
    assert all(reason.startswith("not Arrow") for reason in table["reason"].to_pylist())
    found = table.select(["project", "kind", "topic", "payload"]).to_pylist()
    return Counter((row["project"], row["kind"], row["topic"], row["payload"]) for row in found)


@pytest.mark.parametrize(
    ("topic", "counts", "letters"),
    [
        (SPANS, {"a": 1}, {("a", "dead", SPANS, BYTES): 1}),
        (SPANS, {"a": 3}, {("a", "dead", SPANS, BYTES): 1, ("a", "dead", SPANS, b""): 2}),
        (
            SPANS,
            {"a": 3, "b": 1},
            {
                ("", "dead", SPANS, BYTES): 1,
                ("a", "dead", SPANS, b""): 3,
                ("b", "dead", SPANS, b""): 1,
            },
        ),
        (SPANS, {}, {("", "dead", SPANS, BYTES): 1}),
        (LOGS, {"a": 3}, {("a", "dead", LOGS, BYTES): 1}),
        (
            LOGS,
            {"a": 3, "b": 1},
            {("", "dead", LOGS, BYTES): 1, ("a", "dead", LOGS, b""): 1, ("b", "dead", LOGS, b""): 1},
        ),
        (
            DEAD_LETTERS,
            {"a": 2, "b": 0},
            {("", "dead", DEAD_LETTERS, BYTES): 1, ("a", "rejected", SPANS, b""): 2},
        ),
        (
            DEAD_LETTERS,
            {"a": 2},
            {("a", "dead", DEAD_LETTERS, BYTES): 1, ("a", "rejected", SPANS, b""): 2},
        ),
    ],
)
def test_an_undecodable_record_is_a_letter_a_span(
    topic: str, counts: dict[str, int], letters: dict[tuple[str, str, str, bytes], int]
) -> None:
    assert kept(topic, counts) == letters


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
