"""The span writer on the real engine, against the rules written down a second time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from processors.span_writer import SpanWriter
from schemas.events import DELETIONS, LOGS, SPANS
from schemas.ports import Record, Tally
from schemas.settings import Settings
from tests.factories import trace_id
from tests.integration.span_histories import History
from tests.integration.span_model import SHOWN, Key, Model
from tests.unit.processors import rows

COLUMNS = ", ".join(("project", "trace_id", "span_id", "metadata", "_revision", "_bucket", *SHOWN))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    opened = ChdbStore.open(Path(tmp_path_factory.mktemp("spans")), Settings())
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def writer(store: ChdbStore) -> SpanWriter:
    for table in ("spans_raw", "logs_raw", "deleted_traces"):
        store.command(f"TRUNCATE TABLE {table}")
    return loaded(store)


def loaded(store: ChdbStore) -> SpanWriter:
    made = SpanWriter(store)
    made.load()
    return made


def read(store: ChdbStore, *, local: bool = True) -> dict[Key, dict[str, Any]]:
    """All spans by key; a span that stands twice is an error."""
    settings = {"do_not_merge_across_partitions_select_final": int(local)}
    found = store.query(f"SELECT {COLUMNS} FROM spans_raw FINAL", settings=settings).to_pylist()
    by_key = {(row["project"], row["trace_id"], row["span_id"]): row for row in found}
    assert len(by_key) == len(found), "a span stands twice"
    return by_key


def same(found: dict[Key, dict[str, Any]], model: Model) -> None:
    expected = model.expected()
    assert found.keys() == expected.keys()
    for key, row in found.items():
        assert {n: row[n] for n in SHOWN} == {n: expected[key][n] for n in SHOWN}, key
        assert dict(row["metadata"]) == expected[key]["metadata"], key


def one_head_a_trace(found: dict[Key, dict[str, Any]]) -> None:
    heads = Counter(key[:2] for key, row in found.items() if row["_head"])
    assert heads == Counter({key[:2]: 1 for key in found})


def tell(model: Model, records: Sequence[Record]) -> None:
    for record in records:
        for row in record.table.to_pylist():
            if record.topic == SPANS:
                model.add_span(row)
            elif record.topic == LOGS:
                model.add_log(row)
            else:
                model.delete(row["project"], row["trace_id"])


def add(tallies: Counter[tuple[str, str]], found: Sequence[Tally]) -> None:
    for tally in found:
        if tally.counter != "logs_stored":
            tallies[tally.project, tally.counter] += tally.amount


@pytest.mark.parametrize("seed", range(8))
def test_any_history_ends_as_the_rules_say(store: ChdbStore, writer: SpanWriter, seed: int) -> None:
    history, model, tallies = History(seed), Model(), Counter[tuple[str, str]]()
    waiting, reached = history.records(), 0
    while waiting:
        batch = history.batches(waiting)[0]
        found = writer.process(batch)
        reached = max(reached, batch[-1].position)
        if batch[0].topic != DELETIONS and history.crashes():
            writer = loaded(store)
            continue  # the commit is lost: the same records come again, cut otherwise
        add(tallies, found)
        tell(model, batch)
        waiting = waiting[len(batch) :]
        one_head_a_trace(read(store))
        if batch[-1].position == reached:  # else the store is ahead: it kept what a crash had not committed
            same(read(store), model)
        assert +tallies == +model.tallies
        if history.merges():
            before = read(store)
            store.command("OPTIMIZE TABLE spans_raw FINAL")
            assert read(store) == before
    assert read(store, local=False) == read(store)
    before = read(store)
    store.command("OPTIMIZE TABLE spans_raw FINAL")
    assert read(store) == before


def test_a_replay_writes_nothing_new(store: ChdbStore, writer: SpanWriter) -> None:
    history = History(99)
    batches = [batch for batch in history.batches(history.records()) if batch[0].topic != DELETIONS]
    for batch in batches:
        writer.process(batch)
    before = read(store)
    again = loaded(store)
    for batch in batches:
        again.process(batch)
    assert read(store) == before


def content(row: dict[str, Any]) -> tuple[str, str]:
    return row["input"], row["output"]


def test_no_moment_counts_twice(store: ChdbStore, writer: SpanWriter) -> None:
    """An outer call that sums up, its steps, a twin and retries, one request each, in both directions: never above the bill."""
    outer = rows.call(1, 1, tokens=30, kind="llm")
    steps = [rows.call(1, number, 1, tokens=10) for number in (2, 3, 4)]
    twin = rows.call(1, 5, 4, tokens=10, response_id="r")
    for trace, order in ((1, [outer, *steps, twin]), (2, [twin, *steps, outer])):
        for position, row in enumerate([*order, *order], 100 * trace):
            moved = row | {"trace_id": trace_id(trace)}
            writer.process([rows.record(position, SPANS, rows.table([moved]))])
            [bill] = store.query(
                f"SELECT sum(total_tokens) AS n FROM spans_raw FINAL WHERE usage_counted AND trace_id = '{trace_id(trace)}'"
            ).to_pylist()
            assert bill["n"] <= 30
        assert bill["n"] == 30


@pytest.mark.parametrize("span_first", [True, False])
def test_records_without_ids_find_the_one_span_with_their_response(
    store: ChdbStore, writer: SpanWriter, span_first: bool
) -> None:
    span = rows.record(
        1,
        SPANS,
        rows.table(
            [rows.call(1, 1, response_id="resp"), rows.call(2, 1, project="other", response_id="resp")]
        ),
    )
    said = [rows.log(response="resp", at=at, output=[rows.message(str(at), "assistant")]) for at in (1, 2)]
    for record in (span, rows.record(2, LOGS, rows.logs(said)))[:: 1 if span_first else -1]:
        writer.process([record])
        writer = loaded(store)
    mine, other = (
        read(store)[project, trace_id(trace), f"{1:016x}"]
        for project, trace in (("default", 1), ("other", 2))
    )
    assert content(mine) == (
        "",
        orjson.dumps([rows.message("1", "assistant"), rows.message("2", "assistant")]).decode(),
    )
    assert content(other) == ("", "")
    assert joined(store) == 2
    writer.process([rows.record(3, SPANS, rows.table([rows.call(3, 1, response_id="resp")]))])
    assert content(read(store)["default", trace_id(1), f"{1:016x}"]) == ("", ""), (
        "two spans have the response now"
    )
    assert joined(store) == 0


def joined(store: ChdbStore) -> int:
    return int(store.query("SELECT countIf(joined) AS n FROM logs_raw FINAL")["n"][0].as_py())


def test_ends_beyond_two_centuries_are_ordered_too(store: ChdbStore, writer: SpanWriter) -> None:
    latest = datetime(2262, 4, 11, tzinfo=UTC)
    for position, (end, name) in enumerate(
        [(latest, "late"), (latest - timedelta(days=9), "early"), (latest, "more")], 1
    ):
        row = rows.span(1, 1, end_time=end, name=name, _attribute_count=2**32 - 1 if name == "more" else 5)
        writer.process([rows.record(position, SPANS, rows.table([row]))])
        [found] = read(store).values()
        assert found["name"] == ("more" if name == "more" else "late")


def test_a_deleted_trace_stays_away(store: ChdbStore, writer: SpanWriter) -> None:
    spans = rows.record(
        1,
        SPANS,
        rows.table([rows.call(1, 1), rows.call(1, 2, 1), rows.call(2, 1), rows.call(1, 1, project="other")]),
    )
    lines = rows.record(
        2,
        LOGS,
        rows.logs([rows.log(1, 1, output=[rows.message("x")]), rows.log(2, 1, output=[rows.message("y")])]),
    )
    tallies = Counter[tuple[str, str]]()
    add(tallies, writer.process([spans, lines, rows.record(3, DELETIONS, rows.deletion(1)), spans, lines]))
    add(tallies, loaded(store).process([spans, lines]))
    assert set(read(store)) == {("default", trace_id(2), f"{1:016x}"), ("other", trace_id(1), f"{1:016x}")}
    assert store.query("SELECT count() AS n FROM logs_raw FINAL")["n"][0].as_py() == 1
    assert tallies["default", "deleted"] == 2
    assert tallies["other", "stored"] == 3, "position 1 again is no duplicate of itself"


def test_spans_of_one_trace_share_a_partition(store: ChdbStore, writer: SpanWriter) -> None:
    for position, days in enumerate((0, 400, -400, 3650), 1):
        row = rows.span(1, position, 1, start=rows.NOON + timedelta(days=days))
        writer.process(
            [rows.record(position, SPANS, rows.table([row]), rows.NOON + timedelta(days=position))]
        )
    found = store.query(
        "SELECT uniqExact(_partition_id) AS partitions, uniqExact(_bucket) AS buckets FROM spans_raw"
    ).to_pylist()
    assert found == [{"partitions": 1, "buckets": 1}]


def test_a_large_batch_is_one_part_a_partition(store: ChdbStore, writer: SpanWriter) -> None:
    spans = [
        rows.call(trace, number, 1 if number > 1 else 0, output="x" * 900)
        for trace in range(1, 5001)
        for number in (1, 2, 3)
    ]
    record = rows.record(1, SPANS, rows.table(spans))
    store.command("SYSTEM STOP MERGES spans_raw")
    writer.process([record])
    active = "SELECT count() AS n FROM system.parts WHERE table = 'spans_raw' AND active"
    assert store.query(active)["n"][0].as_py() == 1
    assert [t.counter for t in loaded(store).process([record])] == ["stored"]
    store.command("SYSTEM START MERGES spans_raw")
    assert len(read(store)) == 15_000


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
def test_messages_from_log_records_decide_between_twins(
    store: ChdbStore, writer: SpanWriter, order: tuple[int, int], together: bool
) -> None:
    spans = rows.record(1, SPANS, rows.table([rows.call(1, 1), rows.call(1, 2, 1)]))
    said = rows.record(2, LOGS, rows.logs([rows.log(1, 1, output=[rows.message("x", "assistant")])]))
    records = [(spans, said)[place] for place in order]
    for batch in [records] if together else [[record] for record in records]:
        writer.process(batch)
    counted = {key[2]: row["usage_counted"] for key, row in read(store).items()}
    assert counted == {f"{1:016x}": True, f"{2:016x}": False}
