"""`Store.read`: what a person's query may see and do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from infra.migrations import migrate
from schemas.errors import InvalidQuery, QueryLimit
from schemas.ports import RawQuery, ReadLimits, Store
from tests.contract.store_rows import span, spans
from tests.contract.store_suite import Opener

DENIED = {
    "base table": "SELECT count() FROM spans_raw",
    "base table, qualified": "SELECT count() FROM default.spans_raw",
    "base table in IN": "SELECT 1 FROM spans WHERE trace_id IN default.spans_raw",
    "base table in a subquery": "SELECT * FROM (SELECT * FROM spans_raw)",
    "base table in a union": "SELECT 1 UNION ALL SELECT count() FROM spans_raw",
    "base table in a join": "SELECT 1 FROM spans AS a JOIN spans_raw AS b USING trace_id",
    "base table in EXISTS": "SELECT 1 FROM spans WHERE EXISTS (SELECT 1 FROM spans_raw)",
    "migrations": "SELECT * FROM schema_migrations",
    "dead letters": "SELECT * FROM dead_letters",
    "merge()": "SELECT * FROM merge('default', '.*_raw')",
    "mergeTreeIndex()": "SELECT * FROM mergeTreeIndex('default', 'spans_raw')",
    "file()": "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "url()": "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "executable()": "SELECT * FROM executable('cat', 'TSV', 'a String')",
    "sqlite()": "SELECT * FROM sqlite('/x.db', 't')",
    "remote()": "SELECT * FROM remote('127.0.0.1', default.spans_raw)",
    "dictionary()": "SELECT * FROM dictionary('x')",
    "dictGet": "SELECT dictGet('a', 'b', 1)",
    "joinGet": "SELECT joinGet('default.spans_raw', 'name', 1)",
    "INTO OUTFILE": "SELECT 1 INTO OUTFILE 'stolen.csv'",
    "FORMAT": "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
    "two statements": "SELECT 1; SELECT 2",
    "SET ROLE": "SET ROLE owner",
    "SET ROLE first": "SET ROLE owner; SELECT count() FROM spans_raw",
    "SET ROLE behind": "SELECT 1; SET ROLE owner; SELECT count() FROM spans_raw",
    "SET ROLE in the middle": "SELECT 1;;\n-- x\nSET ROLE owner\n;SELECT 1",
    "SET ROLE behind a comment": "SELECT 1 /* ; */; /* */ SET ROLE owner",
    "out of a subquery": "SELECT 1) ; SET ROLE owner; SELECT * FROM (SELECT 1",
    "INTO OUTFILE and a comment": "SELECT 1 INTO OUTFILE 'stolen.csv' --",
    "FORMAT and a comment": "SELECT 1 FORMAT CSV --",
    "open comment": "SELECT 1 /*",
    "open text": "SELECT 'x",
    "SET readonly": "SET readonly = 0",
    "project setting": "SELECT count() FROM spans SETTINGS log_comment = 'bank'",
    "additional filters": "SELECT 1 FROM spans SETTINGS additional_table_filters = {'spans': '1'}",
    "INSERT": "INSERT INTO spans_raw SELECT * FROM spans_raw",
    "INSERT into a file": "INSERT INTO FUNCTION file('x.csv') SELECT 1",
    "CREATE": "CREATE TABLE mine (x Int8) ENGINE = Memory",
    "temporary table": "CREATE TEMPORARY TABLE mine AS SELECT 1",
    "ALTER": "ALTER TABLE spans_raw DELETE WHERE 1",
    "DELETE": "DELETE FROM spans_raw WHERE 1",
    "DROP": "DROP TABLE spans_raw",
    "TRUNCATE": "TRUNCATE TABLE spans_raw",
    "KILL": "KILL QUERY WHERE 1",
    "SYSTEM": "SYSTEM STOP MERGES",
    "GRANT": "GRANT SELECT ON *.* TO reader",
    "SHOW": "SHOW TABLES",
    "SHOW CREATE": "SHOW CREATE VIEW spans",
    "DESCRIBE": "DESCRIBE TABLE spans",
    "EXPLAIN": "EXPLAIN ESTIMATE SELECT * FROM spans",
    "EXPLAIN within": "SELECT * FROM (EXPLAIN SELECT 1)",
    "question to an assistant": "?? what is in there",
    "unknown column": "SELECT nope FROM spans",
    "no query": "",
}

PATH = re.compile(r"(?<![\w)])/\w")
"""The beginning of a file's path."""


class StoreReadSuite:
    """What every Store does with a person's query, also with one that nobody has judged before (api/sql does)."""

    @pytest.fixture
    def opener(self) -> Opener:
        """Opens the same database each time."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, opener: Opener) -> Iterator[Store]:
        store = opener()
        migrate(store)
        rows = [span("shop", span_id=str(n)) for n in range(3)] + [
            span("bank", trace_id="secret", session_id="secret")
        ]
        store.insert("spans_raw", spans(*rows))
        yield store
        store.close()

    def test_a_reader_sees_its_project_only(self, store: Store) -> None:
        for view, wanted in (("spans", 3), ("traces", 1), ("sessions", 0), ("scores", 0), ("logs", 0)):
            rows = store.read("shop", f"SELECT project FROM {view}")
            assert rows["project"].to_pylist() == ["shop"] * wanted
        assert store.read("bank", "SELECT trace_id FROM spans")["trace_id"].to_pylist() == ["secret"]
        assert store.read("", "SELECT * FROM spans").num_rows == 0

    def test_a_condition_cannot_look_at_other_rows(self, store: Store) -> None:
        for sql in (
            "SELECT throwIf(trace_id = 'secret') FROM spans",
            "SELECT 1 FROM spans PREWHERE throwIf(trace_id = 'secret') = 0",
            "SELECT 1 FROM spans WHERE throwIf(project = 'bank') = 0",
            "SELECT count() FROM traces WHERE throwIf(trace_id = 'secret') = 0",
        ):
            try:
                store.read("shop", sql)
            except InvalidQuery as refused:
                assert "throwIf" not in refused.detail, sql  # noqa: PT017

    @pytest.mark.parametrize("sql", DENIED.values(), ids=DENIED.keys())
    def test_a_reader_cannot(self, store: Store, sql: str) -> None:
        with pytest.raises(InvalidQuery) as refused:
            store.read("shop", sql)
        assert not PATH.search(refused.value.detail)
        assert store.query("SELECT count() AS n FROM spans_raw")["n"].to_pylist() == [4]
        assert store.read("shop", "SELECT count() AS n FROM spans")["n"].to_pylist() == [3]

    def test_the_next_reader_is_a_reader_still(self, store: Store) -> None:
        for sql in ("SELECT 1; SET ROLE owner", "SET ROLE owner; SELECT 1", "SET readonly = 0; SELECT 1"):
            with pytest.raises(InvalidQuery):
                store.read("shop", sql)
            with pytest.raises(InvalidQuery):
                self._answered(store, sql)
            with pytest.raises(InvalidQuery):
                self._answered(store, "SELECT count() FROM spans_raw")
            assert self._answered(store, "SELECT count() FROM spans") == b"3\n"

    @staticmethod
    def _answered(store: Store, sql: str) -> bytes:
        answer = store.answer("shop", RawQuery(sql, "TSV"), ReadLimits())
        try:
            return b"".join(iter(answer.read, b""))
        finally:
            answer.close()

    def test_settings_within_a_query_do_not_change_the_project(self, store: Store) -> None:
        for sql in (
            "SELECT * FROM (SELECT count() AS n FROM spans SETTINGS log_comment = 'bank')",
            "SELECT (SELECT count() FROM spans SETTINGS log_comment = 'bank') AS n",
            "WITH a AS (SELECT count() AS n FROM spans SETTINGS log_comment = 'bank') SELECT n FROM a",
        ):
            assert store.read("shop", sql)["n"].to_pylist() == [3]
        many = store.read(
            "shop", "SELECT number FROM numbers(20) SETTINGS limit = 1000", limits=ReadLimits(result_rows=10)
        )
        assert many.num_rows == 10

    def test_facts_about_the_server_are_not_for_readers(self, store: Store) -> None:
        for table in (
            "processes",
            "user_processes",
            "errors",
            "events",
            "metrics",
            "parts",
            "disks",
        ):
            assert store.read("shop", f"SELECT count() AS n FROM system.{table}")["n"].to_pylist() == [0], (
                table
            )
        seen = store.read(
            "shop",
            "SELECT name FROM system.tables UNION ALL SELECT table_name FROM information_schema.tables",
        )
        assert set(seen["name"].to_pylist()) == {"spans", "logs", "scores", "traces", "sessions"}
        assert store.query("SELECT count() > 0 AS seen FROM system.processes")["seen"].to_pylist() == [1]

    def test_pure_sql_is_allowed(self, store: Store) -> None:
        sql = """
            -- a comment
            WITH busy AS (SELECT trace_id, count() AS n FROM spans GROUP BY trace_id)
            SELECT t.trace_id AS trace_id, busy.n AS n, quantile(0.9)(number) AS q, row_number() OVER () AS place
            FROM traces AS t JOIN busy USING trace_id CROSS JOIN numbers(3) AS three
            WHERE t.trace_id = {trace:String} GROUP BY ALL;
        """
        assert store.read("shop", sql, {"trace": "t1"}).to_pylist() == [
            {"trace_id": "t1", "n": 3, "q": 1.8, "place": 1}
        ]

    def test_columns_carry_their_types(self, store: Store) -> None:
        table = store.read(
            "shop", "SELECT cost, usage, toStartOfHour(start_time) AS hour, start_time FROM spans LIMIT 1"
        )
        kinds = [field.metadata[b"clickhouse_type"].decode() for field in table.schema]
        assert kinds == [
            "Nullable(Decimal(38, 15))",
            "Map(LowCardinality(String), UInt64)",
            "DateTime('UTC')",
            "DateTime64(9, 'UTC')",
        ]
        assert table["hour"][0].as_py().isoformat() == "2026-03-01T12:00:00+00:00"

    def test_a_long_result_is_cut_and_says_so(self, store: Store) -> None:
        limits = ReadLimits(result_rows=100)
        cut = store.read("shop", "SELECT number FROM numbers(101)", limits=limits)
        whole = store.read("shop", "SELECT number FROM numbers(100)", limits=limits)
        assert [(table.num_rows, table.schema.metadata) for table in (cut, whole)] == [
            (100, {b"truncated": b"1"}),
            (100, {b"truncated": b"0"}),
        ]
        inner = store.read(
            "shop", "SELECT count() AS n FROM (SELECT number FROM numbers(1000))", limits=limits
        )
        assert inner["n"].to_pylist() == [1000]

    @pytest.mark.parametrize(
        ("sql", "limits"),
        [
            (
                "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 0",
                ReadLimits(seconds=0.5),
            ),
            ("SELECT length(groupArray(number)) FROM numbers(100000000)", ReadLimits(memory_bytes=50 << 20)),
            ("SELECT repeat('x', 1000) FROM numbers(10000)", ReadLimits(result_bytes=1 << 20)),
        ],
        ids=["time", "memory", "bytes"],
    )
    def test_a_query_over_its_limit_ends(self, store: Store, sql: str, limits: ReadLimits) -> None:
        with pytest.raises(QueryLimit):
            store.read("shop", sql, limits=limits)
        assert store.read("shop", "SELECT 1 AS one")["one"].to_pylist() == [1]
