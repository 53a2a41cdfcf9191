"""Admin mode: with an admin key, where the setting says so, and in no other way."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.integration.sql_http.served import Served
from tests.integration.sql_http.served import served as serve

ADMIN = {"X-ClickHouse-User": "admin"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("sql"), sql_admin=True) as found:
        found.store.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
        yield found


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=served.port, username="admin", password=served.keys[""]
    )
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _empty(served: Served) -> None:
    served.store.command("TRUNCATE TABLE t")


def rows(served: Served) -> str:
    return served.ask("SELECT a, b FROM t ORDER BY a FORMAT CSV", None, ADMIN, project="").text


def test_all_projects_and_any_statement(served: Served) -> None:
    ask = served.ask
    assert ask("SELECT count() FROM spans_raw", None, ADMIN, project="").body == b"4\n"
    assert ask("SHOW TABLES LIKE 't'", None, ADMIN, project="").body == b"t\n"
    assert (
        ask("DESCRIBE TABLE t FORMAT JSONEachRow", None, ADMIN, project="").headers["x-clickhouse-format"]
        == "JSONEachRow"
    )
    assert ask("CREATE DATABASE more", None, ADMIN, project="").status == 200
    assert (
        ask("CREATE TABLE x (a UInt8) ENGINE = Memory", {"database": "more"}, ADMIN, project="").status == 200
    )
    assert ask("EXISTS TABLE more.x", None, ADMIN, project="").body == b"1\n"
    assert ask("SELECT * FROM x", {"database": "more", "max_threads": "1"}, ADMIN, project="").body == b""
    assert ask("DROP DATABASE more", None, ADMIN, project="").status == 200
    assert ask("SELECT nope", None, ADMIN, project="").code == 47
    assert ask("SELEC 1", None, ADMIN, project="").code == 62


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", "INSERT INTO t FORMAT CSV\n1,x\n2,y\n"),
        ("INSERT INTO t FORMAT CSV", "1,x\n2,y\n"),
        ("INSERT INTO t (b, a) FORMAT CSV", "x,1\ny,2\n"),
        ("", "INSERT INTO t VALUES (1, 'x'), (2, 'y')"),
        ("INSERT INTO t VALUES", "(1, 'x'), (2, 'y')"),
        ("INSERT INTO t", "(1, 'x'), (2, 'y')"),
        ("INSERT INTO t (a, b) SELECT number + 1, ['x', 'y'][number + 1] FROM numbers(2)", ""),
        ("", "/* FORMAT x */ insert into `t` /* VALUES */ (a, b) values (1, 'x'), (2, 'y')"),
    ],
)
def test_the_data_of_an_insert(served: Served, query: str, body: str) -> None:
    reply = served.ask(body, {"query": query} if query else None, ADMIN, project="")
    assert reply.status == 200, reply.text
    assert rows(served) == '1,"x"\n2,"y"\n'
    if "SELECT" not in query:
        assert '"written_rows":"2"' in reply.headers["x-clickhouse-summary"]


def test_compressed_data(served: Served) -> None:
    for coding, packed in (("gzip", gzip.compress(b"1,x\n")), ("lz4", lz4.frame.compress(b"2,y\n"))):
        head = {**ADMIN, "Content-Encoding": coding}
        assert served.ask(packed, {"query": "INSERT INTO t FORMAT CSV"}, head, project="").status == 200
    assert rows(served) == '1,"x"\n2,"y"\n'


def test_data_that_do_not_fit(served: Served) -> None:
    reply = served.ask("INSERT INTO t FORMAT CSV\n1,x\nz,y\n", None, ADMIN, project="")
    assert (reply.status, reply.code) == (400, 27)
    assert rows(served) == ""


def test_the_python_client_does_everything(client: Client) -> None:
    client.insert("t", [[1, "x"], [2, "y"]], column_names=["a", "b"])
    client.insert_arrow("t", pa.table({"a": pa.array([3], pa.uint64()), "b": ["z"]}))
    client.command("CREATE TABLE u AS t ENGINE = Memory")
    client.command("INSERT INTO u SELECT * FROM t")
    assert client.query("SELECT * FROM u ORDER BY a").result_rows == [(1, "x"), (2, "y"), (3, "z")]
    assert client.query_arrow("SELECT * FROM t").num_rows == 3
    client.command("DROP TABLE u")


@pytest.mark.parametrize("project", ["shop", "bank"])
@pytest.mark.parametrize("user", ["admin", "root", "default"])
def test_a_project_key_never_reaches_it(served: Served, project: str, user: str) -> None:
    head = {"X-ClickHouse-User": user}
    for sql in (
        "SELECT count() FROM spans_raw",
        "INSERT INTO t VALUES (1, 'x')",
        "DROP TABLE t",
        "CREATE TABLE v (a Int8) ENGINE = Memory",
    ):
        assert served.ask(sql, None, head, project=project).status in (400, 403, 404), sql
    assert served.ask("1,x", {"query": "INSERT INTO t FORMAT CSV"}, head, project=project).status in (
        400,
        403,
    )
    assert rows(served) == ""
    with pytest.raises(DatabaseError):
        clickhouse_connect.get_client(host="127.0.0.1", port=served.port, username=user, password="wrong")


def test_other_users_of_an_admin_key_see_views(served: Served) -> None:
    assert (
        served.ask("SELECT count() FROM spans", None, {"X-ClickHouse-User": "shop"}, project="").body
        == b"3\n"
    )
    assert (
        served.ask("SELECT count() FROM spans_raw", None, {"X-ClickHouse-User": "shop"}, project="").code
        == 60
    )


def test_what_changes_something_is_audited(served: Served) -> None:
    served.ask("INSERT INTO t VALUES (1, 'kept')", None, ADMIN, project="")
    before = len(served.audited())
    served.ask("(SELECT 1)", None, ADMIN, project="")
    served.ask("ALTER TABLE t\n  DELETE WHERE a = 1", None, ADMIN, project="")
    newest, *older = served.audited()
    assert (newest.action, newest.resource, newest.resource_id) == (
        "update",
        "sql",
        "ALTER TABLE t DELETE WHERE a = 1",
    )
    assert newest.actor.startswith("key:")
    assert len(older) == before
    assert older[0].resource_id.startswith("INSERT INTO t")
