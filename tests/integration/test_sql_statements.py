"""What clients ask besides SELECT, answered by the real store: metadata, SHOW, DESCRIBE, EXISTS, EXPLAIN, SET, USE, KILL."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from api.sql import virtual
from api.sql.judged import Kill, Nothing, Query
from api.sql.refusals import number_of
from api.sql.session import Session
from api.sql.statements import Statements
from api.sql.vet import TABLES
from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from schemas.errors import InvalidQuery
from schemas.settings import Settings
from tests.contract.store_rows import span, spans

SHOP = Session("shop", "ann")
VIEWS = sorted(TABLES)
OTHERS = "trace-of-the-bank"


class Desk:
    """Judges and answers, as an endpoint does."""

    def __init__(self, store: ChdbStore) -> None:
        self.store = store
        self.statements = Statements(store, settings=["max_threads"], formats=["JSON", "TabSeparated"])

    def query(self, text: str, session: Session = SHOP, parameters: Mapping[str, Any] | None = None) -> Query:
        judged = self.statements.judge(session, text, parameters)
        assert isinstance(judged, Query), judged
        return judged

    def rows(
        self, text: str, session: Session = SHOP, parameters: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        found = self.store.read(session.project, self.query(text, session, parameters).sql, parameters)
        return [tuple(row.values()) for row in found.to_pylist()]

    def refusal(
        self, text: str, session: Session = SHOP, parameters: Mapping[str, Any] | None = None
    ) -> tuple[int, str]:
        with pytest.raises(InvalidQuery) as refused:
            self.statements.judge(session, text, parameters)
        return number_of(refused.value), refused.value.detail


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    store = ChdbStore.open(tmp_path_factory.mktemp("store"), Settings())
    migrate(store)
    store.insert("spans_raw", spans(span("shop"), span("bank", trace_id=OTHERS)))
    yield Desk(store)
    store.close()


def test_the_server_tells_what_it_is_for_the_client(desk: Desk) -> None:
    assert desk.rows(
        "SELECT currentUser(), USER(), hostName(), displayName(), currentDatabase(), DATABASE()"
    ) == [("ann", "ann", "evalstream", "evalstream", "default", "default")]
    text = "SELECT currentUser() AS u, currentDatabase(), timezone()"
    assert desk.store.read("shop", desk.query(text).sql).column_names == [
        "u",
        "currentDatabase()",
        "timezone()",
    ]
    assert desk.rows(text, Session("shop", "o'x\\", "shop")) == [("o'x\\", "shop", "UTC")]
    assert desk.rows(
        "SELECT count() FROM spans WHERE project = currentDatabase()", Session("shop", database="shop")
    ) == [(1,)]


def test_a_table_may_be_named_with_its_database(desk: Desk) -> None:
    for text in (
        "SELECT trace_id FROM default.spans",
        "SELECT shop.spans.trace_id FROM shop.spans",
        "SELECT s.trace_id FROM `default`.`spans` AS s",
        "SELECT default.spans.* APPLY (x -> 1) FROM default.spans LIMIT 0",
        "WITH spans AS (SELECT 'cte' AS trace_id) SELECT trace_id FROM default.spans",
    ):
        assert desk.rows(text) in ([("t1",)], []), text
    assert desk.refusal("SELECT * FROM bank.spans")[0] == 60
    assert desk.refusal("SELECT * FROM default.spans_raw")[0] == 60
    with pytest.raises(InvalidQuery):
        Session("shop", database="bank")


def test_tails_are_taken_off(desk: Desk) -> None:
    query = desk.query("SELECT 1 AS a UNION ALL SELECT 2 SETTINGS max_threads = 1, x = 'y' FORMAT JSON;")
    assert query.sql.split() == "SELECT 1 AS a UNION ALL SELECT 2".split()
    assert query.format == "JSON"
    assert query.settings == {"max_threads": 1, "x": "y"}
    assert query.metadata
    assert not desk.query("SELECT name FROM spans").metadata
    assert desk.refusal("SELECT * FROM (SELECT 1 SETTINGS max_threads = 1)")[0] == 497
    assert desk.refusal("SELECT {a:String}") == (456, "the query's parameter a has no value")


def test_metadata_tables_hold_the_views_alone(desk: Desk) -> None:
    assert desk.rows("SELECT name, engine FROM system.tables ORDER BY name") == [
        (name, "View") for name in VIEWS
    ]
    assert desk.rows(
        "SELECT database, count() FROM system.tables GROUP BY 1", Session("shop", database="shop")
    ) == [("shop", 5)]
    assert desk.rows("SELECT name FROM system.databases") == [("default",)]
    assert desk.rows("SELECT type FROM system.columns WHERE table = 'spans' AND name = 'cost'") == [
        ("Nullable(Decimal(38, 15))",)
    ]
    assert desk.rows(
        "SELECT comment FROM system.columns WHERE table = 'traces' AND name = 'duration_ms'"
    ) == [("end_time - start_time. Unit: milliseconds.",)]
    assert desk.rows("SELECT groupArray((table, name)) FROM system.columns WHERE comment = ''") == [([],)]
    joined = (
        "SELECT count() FROM system.tables AS t JOIN system.columns AS c ON t.name = c.table AND t.database = c.database"
        " WHERE c.name ILIKE 'COST'"
    )
    assert desk.rows(joined) == [(4,)]
    assert desk.rows("SELECT system.tables.name FROM system.tables WHERE tables.name = 'logs'") == [("logs",)]
    assert desk.rows("SELECT table_name FROM information_schema.tables ORDER BY 1") == [
        (name,) for name in VIEWS
    ]
    assert desk.rows(
        "SELECT count() FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'default' AND COLUMN_NAME = 'cost'"
    ) == [(4,)]
    assert desk.rows(
        "SELECT name, readonly FROM system.settings WHERE name IN ('max_threads', 'readonly', 'log_comment') ORDER BY 1"
    ) == [
        ("max_threads", 0),
        ("readonly", 1),
    ]
    assert desk.rows("SELECT name FROM system.formats ORDER BY name") == [("JSON",), ("TabSeparated",)]
    assert desk.rows("SELECT name FROM system.functions WHERE name IN ('abs', 'file', 'dictGet')") == [
        ("abs",)
    ]
    assert desk.rows("SELECT number FROM system.numbers LIMIT 2") == [(0,), (1,)]
    assert desk.rows("SELECT name FROM tables ORDER BY name LIMIT 1", Session("shop", database="system")) == [
        ("logs",)
    ]


@pytest.mark.parametrize("name", sorted(virtual.TABLES), ids=".".join)
def test_every_metadata_table_answers(desk: Desk, name: virtual.Name) -> None:
    database, table = name
    rows = desk.rows(f"SELECT * FROM {database}.{table} LIMIT 5")
    for word in ("spans_raw", "log_comment", OTHERS):
        assert word not in str(rows)


def test_what_is_not_filled_keeps_its_type(desk: Desk) -> None:
    described = {row[0]: "".join(row[1].split()) for row in desk.rows("DESCRIBE system.tables")}
    of_engine = desk.store.query(
        "SELECT name, type FROM system.columns WHERE database = 'system' AND table = 'tables'"
    )
    assert described == {row["name"]: "".join(row["type"].split()) for row in of_engine.to_pylist()}


def test_show(desk: Desk) -> None:
    assert desk.rows("SHOW TABLES") == [(name,) for name in VIEWS]
    assert desk.rows("SHOW FULL TABLES FROM shop NOT LIKE 's%' LIMIT 1") == [("logs", "View")]
    assert desk.rows("SHOW TABLES FROM default WHERE name = 'spans'") == [("spans",)]
    assert desk.rows("SHOW TABLES FROM bank") == []
    assert desk.rows("SHOW DATABASES", Session("shop", database="shop")) == [("shop",)]
    assert desk.rows("SHOW COLUMNS FROM spans FROM shop ILIKE 'COST'") == [
        ("cost", "Nullable(Decimal(38, 15))", "YES", "", None, "")
    ]
    assert desk.rows("SHOW INDEX FROM spans") == []
    assert desk.rows("SHOW SETTING max_threads") == [("2",)]
    assert [row[0] for row in desk.rows("SHOW FUNCTIONS LIKE 'toUInt8'")] == ["toUInt8"]
    assert desk.rows("SHOW CREATE DATABASE default") == [("CREATE DATABASE default",)]
    ((created,),) = desk.rows("SHOW CREATE TABLE sessions")
    assert created.startswith("CREATE VIEW default.sessions\n(\n    `project` LowCardinality(String),\n")
    assert desk.query("SHOW TABLES FORMAT CSV").format == "CSV"
    for text, number in (
        ("SHOW CREATE TABLE spans_raw", 60),
        ("SHOW COLUMNS FROM spans FROM bank", 81),
        ("SHOW PROCESSLIST", 497),
        ("SHOW GRANTS", 497),
        ("SHOW CLUSTERS", 497),
        ("SHOW TABLES INTO OUTFILE 'x'", 497),
    ):
        assert desk.refusal(text)[0] == number, text


def test_describe_and_exists(desk: Desk) -> None:
    assert desk.rows("DESCRIBE TABLE sessions")[0] == (
        "project",
        "LowCardinality(String)",
        "",
        "",
        "",
        "",
        "",
    )
    text = "DESC (SELECT 1 AS a, cost, {x:Date} AS d FROM spans) FORMAT JSON"
    assert [row[:2] for row in desk.rows(text, parameters={"x": "2026-01-01"})] == [
        ("a", "UInt8"),
        ("cost", "Nullable(Decimal(38, 15))"),
        ("d", "Date"),
    ]
    assert desk.query(text, parameters={"x": "2026-01-01"}).format == "JSON"
    assert desk.refusal(text)[0] == 456
    assert desk.refusal("DESCRIBE url('http://127.0.0.1:1/')")[0] == 497
    for name, there in (
        ("spans", 1),
        ("default.spans", 1),
        ("TABLE system.tables", 1),
        ("spans_raw", 0),
        ("bank.spans", 0),
    ):
        assert desk.rows(f"EXISTS {name}") == [(there,)], name
    assert desk.rows("EXISTS DATABASE shop") == [(1,)]
    assert desk.rows("EXISTS DATABASE bank") == [(0,)]


def test_explain_reads_no_view(desk: Desk) -> None:
    for kind in ("", "PLAN header = 1, actions = 1, indexes = 1", "PIPELINE", "QUERY TREE", "SYNTAX", "AST"):
        text = f"EXPLAIN {kind} SELECT s.name, count() FROM spans AS s JOIN default.scores AS c USING (trace_id) GROUP BY s.name"
        plan = "\n".join(row[0] for row in desk.rows(text))
        assert "name" in plan or kind == "PIPELINE"
        for word in ("spans_raw", "MergeTree", "log_comment", "Granules"):
            assert word not in plan, (kind, plan)
    for text in (
        "EXPLAIN ESTIMATE SELECT * FROM spans",
        "EXPLAIN SELECT * FROM spans_raw",
        "EXPLAIN estimate = 1 SELECT 1",
    ):
        assert desk.refusal(text)[0] in (60, 62, 497), text


def test_what_is_done_by_doing_nothing(desk: Desk) -> None:
    judge = desk.statements.judge
    assert judge(SHOP, "SET max_threads = 4, x = 'y'") == Nothing(settings={"max_threads": 4, "x": "y"})
    assert judge(SHOP, "USE shop") == Nothing(database="shop")
    assert judge(SHOP, "BEGIN TRANSACTION") == judge(SHOP, "COMMIT") == Nothing()
    assert desk.refusal("USE bank")[0] == 81
    assert desk.refusal("SET ROLE owner")[0] == 497


def test_kill_names_queries_by_id(desk: Desk) -> None:
    kill = desk.statements.judge(SHOP, "KILL QUERY WHERE query_id IN ('a', 'b') ASYNC FORMAT JSON")
    assert kill == Kill(frozenset({"a", "b"}), "JSON")
    by_parameter = desk.statements.judge(SHOP, "KILL QUERY WHERE query_id = {id:String} TEST", {"id": "c"})
    assert by_parameter == Kill(frozenset({"c"}), test=True)
    assert isinstance(kill, Kill)
    answer = kill.answered({"a": "SELECT 'x'"}, "ann")
    assert [tuple(row.values()) for row in desk.store.read("shop", answer.sql).to_pylist()] == [
        ("finished", "a", "ann", "SELECT 'x'")
    ]
    assert desk.store.read("shop", kill.answered({}, "ann").sql).num_rows == 0
    for text in (
        "KILL QUERY WHERE 1",
        "KILL MUTATION WHERE query_id = 'x'",
        "KILL QUERY WHERE query_id = 'a' OR 1",
    ):
        assert desk.refusal(text)[0] == 497, text
    assert desk.refusal("KILL QUERY WHERE query_id = {id:String}")[0] == 456


def test_a_known_text_costs_next_to_nothing(desk: Desk) -> None:
    text = "SELECT name, count() FROM default.spans WHERE kind = 'llm' GROUP BY name ORDER BY 2 DESC LIMIT 10"
    times = []
    for _ in range(2_000):
        began = time.perf_counter()
        desk.statements.judge(SHOP, text)
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 50e-6
