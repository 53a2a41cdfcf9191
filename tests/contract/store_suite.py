"""The Store port's contract: every adapter's test class inherits this and says how to open one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from infra.migrations import migrate
from schemas.errors import InvalidQuery, InvalidRequest, Unavailable
from schemas.ports import Store
from schemas.spans import COLUMNS, PUBLIC
from schemas.views import VIEWS
from tests.contract.store_rows import START, span, spans

Opener = Callable[[], Store]

FULL: dict[str, Any] = {
    "name": "chat gpt-4o", "kind": "llm", "status": "error", "status_message": "quoted ' and \\ and \n and é and \0",
    "tags": ["b", "a"], "metadata": [("plan", "pro"), ("empty", "")], "model_parameters": [("temperature", "0.2")],
    "input": '[{"role": "user"}]', "output": "", "trial": 3, "input_tokens": 2**64 - 1, "total_tokens": 0,
    "usage": [("input", 5), ("output", 7)], "usage_counted": True, "cost": Decimal("0.000000000000001"),
    "duration_ms": 0.1, "time_to_first_token_ms": 1e-9, "streaming": True, "_received_at": START,
    "_revision": 2**32 - 1, "_first_position": 2**63, "_version": 10**38 - 1,
}  # fmt: skip


def count(store: Store, table: str) -> int:
    """Rows of a table, versions apart."""
    return int(store.query(f"SELECT count() AS n FROM {table}")["n"][0].as_py())


class StoreSuite:
    """What every Store does."""

    @pytest.fixture
    def opener(self) -> Opener:
        """Opens the same database each time."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, opener: Opener) -> Iterator[Store]:
        store = opener()
        migrate(store)
        yield store
        store.close()

    def test_the_table_has_the_stored_columns(self, store: Store) -> None:
        rows = store.query(
            "SELECT name, type FROM system.columns WHERE database = 'default' AND table = 'spans_raw' ORDER BY position"
        )
        assert list(zip(*rows.to_pydict().values(), strict=True)) == [(c.name, c.clickhouse) for c in COLUMNS]

    def test_the_view_has_the_public_columns(self, store: Store) -> None:
        rows = store.query(
            "SELECT name, type FROM system.columns WHERE database = 'default' AND table = 'spans' ORDER BY position"
        )
        assert list(zip(*rows.to_pydict().values(), strict=True)) == [(c.name, c.clickhouse) for c in PUBLIC]

    @pytest.mark.parametrize("view", VIEWS)
    def test_the_other_views_have_the_described_columns(self, store: Store, view: str) -> None:
        rows = store.query(
            "SELECT name, type FROM system.columns WHERE database = 'default' AND table = {view:String} ORDER BY position",
            {"view": view},
        )
        described = [(column.name, column.clickhouse) for column in VIEWS[view].columns]
        assert list(zip(*rows.to_pydict().values(), strict=True)) == described

    def test_a_row_comes_back_as_it_went_in(self, store: Store) -> None:
        table = spans(span(**FULL), span(span_id="s2"))
        store.insert("spans_raw", table)
        back = store.query("SELECT * FROM spans_raw ORDER BY span_id").to_pylist()
        for wanted, got in zip(table.to_pylist(), back, strict=True):
            # 128-bit integers come as their bytes; a missing number of a column without NULL is 0
            got["_version"] = int.from_bytes(got["_version"], "little")
            missing = {name: 0 for name in got if wanted[name] is None and got[name] is not None}
            assert got | {"_received_at": None} == wanted | missing | {"_received_at": None}

    def test_dictionary_and_chunked_columns_are_taken(self, store: Store) -> None:
        table = spans(*[span(span_id=str(n), name=f"n{n % 2}") for n in range(6)])
        index = table.column_names.index("name")
        coded = table.set_column(index, "name", table["name"].combine_chunks().dictionary_encode())
        store.insert("spans_raw", pa.concat_tables([coded.slice(0, 2), coded.slice(2, 3), coded.slice(5)]))
        rows = store.query("SELECT span_id, name FROM spans_raw ORDER BY span_id")
        assert rows["name"].to_pylist() == ["n0", "n1"] * 3

    def test_an_insert_of_no_rows_does_nothing(self, store: Store) -> None:
        store.insert("spans_raw", spans(span()).slice(0, 0))
        assert count(store, "spans_raw") == 0

    def test_an_insert_is_one_block_a_partition(self, store: Store) -> None:
        rows = [span(span_id=str(n), _bucket=START + timedelta(days=n % 2)) for n in range(200)]
        store.insert("spans_raw", spans(*rows))
        assert store.query("SELECT uniqExact(_part) AS n FROM spans_raw")["n"].to_pylist() == [2]

    def test_an_insert_may_touch_many_partitions(self, store: Store) -> None:
        rows = [span(span_id=str(n), _bucket=START - timedelta(days=n)) for n in range(150)]
        store.insert("spans_raw", spans(*rows))
        assert count(store, "spans_raw") == 150

    def test_the_same_token_inserts_once(self, store: Store) -> None:
        for token in ("a", "a", "b's \\ token", "b's \\ token", "a"):
            store.insert("spans_raw", spans(span()), token=token)
        assert count(store, "spans_raw") == 2

    def test_without_a_token_the_same_rows_insert_again(self, store: Store) -> None:
        for _ in range(2):
            store.insert("spans_raw", spans(span()))
        assert count(store, "spans_raw") == 2

    def test_the_highest_version_is_the_row(self, store: Store) -> None:
        store.insert("spans_raw", spans(span(name="second", _version=2), span(name="first", _version=1)))
        store.insert("spans_raw", spans(span(name="third", _version=10**30)))
        rows = store.query("SELECT name FROM spans_raw FINAL")
        assert rows["name"].to_pylist() == ["third"]

    def test_rows_that_do_not_fit_are_invalid(self, store: Store) -> None:
        with pytest.raises(InvalidRequest):
            store.insert("spans_raw", pa.table({"no_such_column": ["x"]}))
        with pytest.raises(InvalidRequest):
            store.insert("no_such_table", spans(span()))

    def test_parameters_arrive_as_they_are(self, store: Store) -> None:
        values = {
            "text": "it's\n\t\\ é \0 {x:String}", "number": 2**63, "nothing": None, "flag": True, "share": 0.1,
            "texts": ["a'b", "c\n", ""], "when": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        }  # fmt: skip
        row = store.query(
            "SELECT {text:String} AS text, {number:UInt64} AS number, {nothing:Nullable(UInt8)} AS nothing, {flag:Bool} AS flag,"
            " {share:Float64} AS share, {texts:Array(String)} AS texts, {when:DateTime64(6, 'UTC')} AS when",
            values,
        )
        assert row.to_pylist() == [values]

    def test_an_empty_result_has_its_columns(self, store: Store) -> None:
        table = store.query("SELECT trace_id, cost FROM spans_raw")
        assert (table.num_rows, table.column_names) == (0, ["trace_id", "cost"])

    def test_settings_hold_for_one_query(self, store: Store) -> None:
        wanted = {"max_threads": 1, "log_comment": "it's \\ one"}
        seen = "SELECT getSetting('max_threads') AS threads, getSetting('log_comment') AS comment"
        assert store.query(seen, settings=wanted).to_pylist() == [{"threads": 1, "comment": "it's \\ one"}]
        assert store.query(seen)["comment"].to_pylist() == [""]

    def test_trusted_code_names_the_project_of_the_views(self, store: Store) -> None:
        store.insert("spans_raw", spans(span("shop"), span("bank"), span("bank", span_id="s2")))
        assert store.query("SELECT count() AS n FROM spans")["n"].to_pylist() == [0]
        assert store.query("SELECT count() AS n FROM spans", settings={"log_comment": "bank"})[
            "n"
        ].to_pylist() == [2]

    def test_a_wrong_query_is_invalid(self, store: Store) -> None:
        for sql in ("SELEC 1", "SELECT nope FROM spans_raw", "SELECT 1 FROM nope"):
            with pytest.raises(InvalidQuery):
                store.query(sql)

    def test_a_stream_gives_all_rows_in_batches(self, store: Store) -> None:
        batches = list(
            store.stream("SELECT number, toString(number) AS text FROM numbers({n:UInt64})", {"n": 300_000})
        )
        assert len(batches) > 1
        numbers = pa.chunked_array([batch["number"] for batch in batches]).to_pylist()
        assert sorted(numbers) == list(range(300_000))

    def test_a_stream_of_nothing_ends(self, store: Store) -> None:
        assert sum(batch.num_rows for batch in store.stream("SELECT 1 AS one WHERE 0")) == 0

    def test_a_stream_may_be_left(self, store: Store) -> None:
        batches = store.stream("SELECT number FROM numbers(100000000000)")
        assert next(iter(batches)).num_rows > 0
        batches.close()  # type: ignore[attr-defined]
        assert store.query("SELECT 1 AS one")["one"].to_pylist() == [1]

    def test_a_stream_tells_what_failed(self, store: Store) -> None:
        with pytest.raises(InvalidQuery, match="too far"):
            list(
                store.stream(
                    "SELECT throwIf(number > 500000, 'too far') FROM numbers(1000000) SETTINGS max_threads = 1"
                )
            )
        with pytest.raises(InvalidQuery):
            list(store.stream("SELECT nope"))

    def test_a_command_changes_rows(self, store: Store) -> None:
        store.insert("spans_raw", spans(span(), span("bank", trace_id="t2")))
        store.command("DELETE FROM spans_raw WHERE trace_id = {trace:String}", {"trace": "t1"})
        assert store.query("SELECT trace_id FROM spans_raw")["trace_id"].to_pylist() == ["t2"]

    def test_a_wrong_command_is_invalid(self, store: Store) -> None:
        with pytest.raises(InvalidQuery):
            store.command("DROP TABLE no_such_table")

    def test_threads_insert_and_query_at_once(self, store: Store) -> None:
        def write(worker: int) -> None:
            for turn in range(5):
                rows = [span(trace_id=f"{worker}-{turn}", span_id=str(n)) for n in range(100)]
                store.insert("spans_raw", spans(*rows), token=f"{worker}-{turn}")

        def look(_: int) -> bool:
            seen = [count(store, "spans_raw FINAL") for _ in range(10)]
            streamed = sum(batch.num_rows for batch in store.stream("SELECT trace_id FROM spans_raw"))
            return seen == sorted(seen) and streamed % 100 == 0

        with ThreadPoolExecutor(8) as pool:
            written = [pool.submit(write, worker) for worker in range(4)]
            looked = [pool.submit(look, worker) for worker in range(4)]
            assert [task.result() for task in written] == [None] * 4
            assert all(task.result() for task in looked)
        assert count(store, "spans_raw FINAL") == 2000

    def test_what_was_inserted_is_there_after_reopening(self, opener: Opener) -> None:
        store = opener()
        migrate(store)
        store.insert("spans_raw", spans(span()), token="a")
        store.close()
        store.close()
        with pytest.raises(Unavailable):
            store.query("SELECT 1")
        again = opener()
        assert migrate(again) == []
        again.insert("spans_raw", spans(span()), token="a")
        assert count(again, "spans_raw") == 1
        again.close()

    def test_close_waits_for_a_running_query(self, opener: Opener) -> None:
        store = opener()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(store.query, "SELECT sleep(0.5) + 7 AS n")
            while not store.query(
                "SELECT count() AS n FROM system.processes WHERE query LIKE 'SELECT sleep(0.5) + 7%'"
            )["n"][0].as_py():
                assert not running.done()
            store.close()
            assert running.result()["n"].to_pylist() == [7]
