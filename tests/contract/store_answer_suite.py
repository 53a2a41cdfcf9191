"""`Store.answer`, `answer_trusted` and `load`: statements answered as bytes of any format."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from infra.migrations import migrate
from schemas.errors import EvalstreamError, InvalidQuery, InvalidRequest, QueryLimit
from schemas.ports import Answer, RawQuery, ReadLimits, Store
from tests.contract.store_rows import span, spans
from tests.contract.store_suite import Opener

FREE = ReadLimits(result_rows=0, result_bytes=0)
ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 0"
POURING = "SELECT number FROM numbers(1000000000000)"


def whole(answer: Answer) -> bytes:
    """All bytes of an answer."""
    pieces = []
    try:
        while piece := answer.read():
            pieces.append(piece)
        assert answer.read() == b""
    finally:
        answer.close()
    return b"".join(pieces)


def running(store: Store, text: str) -> int:
    """How many running queries hold a text, this one apart."""
    sql = "SELECT count() AS n FROM system.processes WHERE position(query, {text:String}) > 0 AND position(query, 'processes') = 0"
    return int(store.query(sql, {"text": text})["n"][0].as_py())


def soon(condition: object) -> bool:
    """Whether a condition comes to hold."""
    assert callable(condition)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


class StoreAnswerSuite:
    """What every Store does with raw queries."""

    @pytest.fixture
    def opener(self) -> Opener:
        """Opens the same database each time."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, opener: Opener) -> Iterator[Store]:
        store = opener()
        migrate(store)
        store.insert(
            "spans_raw",
            spans(*[span("shop", span_id=str(n)) for n in range(3)], span("bank", trace_id="secret")),
        )
        yield store
        store.close()

    def test_the_bytes_are_those_of_the_format(self, store: Store) -> None:
        for format, wanted in (
            ("TSV", b"0\ta\n1\ta\n"),
            ("CSVWithNames", b'"number","x"\n0,"a"\n1,"a"\n'),
            ("RowBinary", b"\0\0\0\0\0\0\0\0\x01a\x01\0\0\0\0\0\0\0\x01a"),
        ):
            query = RawQuery("SELECT number, 'a' AS x FROM numbers(2)", format)
            assert whole(store.answer("shop", query, FREE)) == wanted
            assert whole(store.answer_trusted(query)) == wanted

    def test_no_rows_have_their_header(self, store: Store) -> None:
        query = RawQuery("SELECT name FROM spans WHERE 0", "JSONCompact")
        assert json.loads(whole(store.answer("shop", query, FREE)))["meta"] == [
            {"name": "name", "type": "LowCardinality(String)"}
        ]

    def test_parameters_and_settings(self, store: Store) -> None:
        query = RawQuery(
            "SELECT {text:String}, {list:Array(UInt8)}, toDateTime({at:UInt32})",
            "TSV",
            {"text": "a\\tb'", "list": "[1,2]", "at": "0", "left": "over"},
            {"session_timezone": "Asia/Tokyo"},
        )
        assert whole(store.answer("shop", query, FREE)) == b"a\\tb\\'\t[1,2]\t1970-01-01 09:00:00\n"
        plain = RawQuery("SELECT toDateTime(0)", "TSV")
        assert whole(store.answer("shop", plain, FREE)) == b"1970-01-01 00:00:00\n"

    def test_a_reader_sees_its_project_only_also_after_another(self, store: Store) -> None:
        for _ in range(3):
            for project, wanted in (("shop", b"3\n"), ("bank", b"1\n"), ("none", b"0\n")):
                query = RawQuery("SELECT count() FROM spans", "TSV")
                assert whole(store.answer(project, query, FREE)) == wanted

    @pytest.mark.parametrize(
        ("sql", "code"),
        [
            ("SELECT nope FROM spans", 47),
            ("SELECT * FROM spans_raw", 497),
            ("SELECT throwIf(number = 3) FROM numbers(10)", 395),
            ("SELECT {x:UInt8}", 456),
        ],
    )
    def test_errors_carry_the_engines_number(self, store: Store, sql: str, code: int) -> None:
        with pytest.raises(InvalidQuery) as refused:
            whole(store.answer("shop", RawQuery(sql, "TSV"), FREE))
        assert refused.value.engine_code == code
        assert whole(store.answer("shop", RawQuery("SELECT 1", "TSV"), FREE)) == b"1\n"

    @pytest.mark.parametrize(
        "sql", ["SELECT 1; SELECT 2", "SET ROLE owner", "SELECT 1 FORMAT CSV", "DROP TABLE spans_raw", ""]
    )
    def test_a_person_runs_one_select(self, store: Store, sql: str) -> None:
        with pytest.raises(InvalidQuery):
            whole(store.answer("shop", RawQuery(sql, "TSV"), FREE))

    @pytest.mark.parametrize("format", ["", "TSV SETTINGS x = 1", "T'", "TSV;", "TSV\n"])
    def test_a_format_is_a_name(self, store: Store, format: str) -> None:
        with pytest.raises(InvalidQuery):
            store.answer("shop", RawQuery("SELECT 1", format), FREE)

    def test_an_answer_that_fails_half_way_says_so(self, store: Store) -> None:
        answer = store.answer(
            "shop", RawQuery("SELECT intDiv(1, number - 900000) FROM numbers(1000000)", "TSV"), FREE
        )
        size = 0
        with pytest.raises(InvalidQuery) as refused:
            while piece := answer.read():
                size += len(piece)
        answer.close()
        assert refused.value.engine_code == 153
        assert size > 100_000

    @pytest.mark.parametrize(
        ("sql", "limits"),
        [
            (ENDLESS, ReadLimits(seconds=0.3, result_rows=0, result_bytes=0)),
            ("SELECT length(groupArray(number)) FROM numbers(100000000)", ReadLimits(memory_bytes=50 << 20)),
            ("SELECT number FROM numbers(100000)", ReadLimits(result_rows=1000)),
        ],
        ids=["time", "memory", "rows"],
    )
    def test_limits_end_a_query(self, store: Store, sql: str, limits: ReadLimits) -> None:
        with pytest.raises(QueryLimit) as refused:
            whole(store.answer("shop", RawQuery(sql, "TSV"), limits))
        assert refused.value.engine_code in (159, 241, 396)

    @pytest.mark.parametrize("sql", [ENDLESS, POURING], ids=["silent", "pouring"])
    def test_cancel_from_another_thread(self, store: Store, sql: str) -> None:
        answer = store.answer("shop", RawQuery(sql, "TSV"), FREE)
        threading.Timer(0.3, answer.cancel).start()
        with pytest.raises(EvalstreamError) as refused:
            while answer.read():
                pass
        answer.close()
        assert refused.value.engine_code == 394
        assert soon(lambda: not running(store, "1000000000000"))

    @pytest.mark.parametrize("sql", [ENDLESS, POURING], ids=["silent", "pouring"])
    @pytest.mark.parametrize("wait", [0.0, 0.2])
    def test_closing_ends_the_query(self, store: Store, sql: str, wait: float) -> None:
        answer = store.answer("shop", RawQuery(sql, "TSV"), FREE)
        time.sleep(wait)
        answer.close()
        answer.close()
        assert answer.read() == b""
        assert not running(store, "1000000000000")

    def test_many_answers_side_by_side_do_not_mix(self, store: Store) -> None:
        answers = [
            store.answer(
                "shop", RawQuery("SELECT {n:UInt8} FROM numbers(200000)", "TSV", {"n": str(n)}), FREE
            )
            for n in range(8)
        ]
        for number, answer in enumerate(answers):
            assert whole(answer) == b"%d\n" % number * 200_000

    def test_the_trusted_side_does_anything(self, store: Store) -> None:
        def done(sql: str, format: str = "TSV", database: str = "") -> bytes:
            return whole(store.answer_trusted(RawQuery(sql, format, database=database)))

        assert done("CREATE DATABASE other") == b""
        assert (
            done("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a", database="other") == b""
        )
        assert b"spans_raw\n" in done("SHOW TABLES")
        assert done("SHOW TABLES", database="other") == b"t\n"
        assert (
            store.load(RawQuery("INSERT INTO t", "TSV", database="other"), iter([b"1\ta\n2", b"\tb\n"])) == 2
        )
        assert done("SELECT a, b FROM other.t ORDER BY a", "CSV") == b'1,"a"\n2,"b"\n'
        assert done("SELECT 1 FORMAT JSONEachRow", "TSV").strip() == b'{"1":1}'

    def test_data_that_do_not_fit_insert_nothing(self, store: Store) -> None:
        store.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        with pytest.raises(InvalidRequest) as refused:
            store.load(RawQuery("INSERT INTO t", "TSV"), iter([b"1\nx\n"]))
        assert refused.value.engine_code == 27

        def broken() -> Iterator[bytes]:
            yield b"1\n"
            raise InterruptedError

        with pytest.raises(InterruptedError):
            store.load(RawQuery("INSERT INTO t", "TSV"), broken())
        assert store.query("SELECT count() AS n FROM t")["n"].to_pylist() == [0]
