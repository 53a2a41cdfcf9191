"""How a query reaches the port, and who may send one."""

from __future__ import annotations

import base64
import contextlib

import pytest

from tests.integration.sql_http.served import Served

BOUNDARY = "x-boundary"


def form(**fields: str) -> tuple[bytes, dict[str, str]]:
    """A multipart body and its header."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return (f"{''.join(parts)}--{BOUNDARY}--\r\n").encode(), {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"
    }


@pytest.mark.parametrize("path", ["/ping", "/replicas_status", "/ping?x=1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ping_needs_no_key(served: Served, path: str, method: str) -> None:
    reply = served.ask(path=path, method=method, project=None)
    assert (reply.status, reply.body) == (200, b"" if method == "HEAD" else b"Ok.\n")


def test_a_query_stands_in_the_url_in_the_body_or_in_both(served: Served) -> None:
    assert served.ask(parameters={"query": "SELECT 1"}, method="GET").body == b"1\n"
    assert served.ask("SELECT 1").body == b"1\n"
    assert served.ask("WHERE number = 2", {"query": "SELECT number FROM numbers(5)"}).body == b"2\n"
    head = served.ask(parameters={"query": "SELECT 1"}, method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "2")


def test_parameters_in_the_url_and_in_a_form(served: Served) -> None:
    given = {"param_text": "a\\tb ü", "param_list": "['x','y']"}
    sql = "SELECT {text:String} AS t, {list:Array(String)} AS l FORMAT JSONCompactEachRow"
    wanted = '["a\\tb ü", ["x","y"]]\n'
    assert served.ask(sql, given).text == wanted
    body, headers = form(**given)
    assert served.ask(body, {"query": sql}, headers).text == wanted
    body, headers = form(query=sql, **given)
    assert served.ask(body, None, headers).text == wanted
    body, headers = form(param_text="from the form")
    assert (
        served.ask(body, {"query": "SELECT {text:String}", "param_text": "from the URL"}, headers).text
        == "from the URL\n"
    )


def test_the_format_of_an_answer(served: Served) -> None:
    sql = "SELECT 1 AS x"
    assert served.ask(sql).headers["x-clickhouse-format"] == "TabSeparated"
    assert served.ask(sql, {"default_format": "jsoneachrow"}).text == '{"x":1}\n'
    assert (
        served.ask(sql, {"default_format": "CSV"}, {"X-ClickHouse-Format": "JSONEachRow"}).text == '{"x":1}\n'
    )
    assert served.ask(f"{sql} FORMAT Values", {"default_format": "CSV"}).text == "(1)"
    unknown = served.ask(sql, {"default_format": "Template"})
    assert (unknown.status, unknown.code) == (404, 73)


def test_what_else_may_come(served: Served) -> None:
    assert served.ask(method="GET").body == b"Ok.\n"
    assert served.ask("").code == 62
    assert served.ask("SELECT 1", path="/play").status == 404
    assert served.ask("SELECT 1", method="DELETE").status == 405
    assert served.ask(b"SELECT '\xff'").code == 62
    assert served.ask("SELECT " + "1" * (1 << 20)).code == 168
    assert served.ask(b"no form", None, {"Content-Type": "multipart/form-data"}).status == 400
    assert served.ask("SELECT 1", path="/?query=%ff").status == 400
    assert served.ask("SELECT 1", path="/?" + "&".join(["x=1"] * 2000)).status == 400
    assert served.ask("SELECT 1", {f"unknown_{n}": "1" for n in range(500)}).status == 200


def test_a_head_that_is_too_large_is_refused(served: Served) -> None:
    for parameters, headers in (({"query": "x" * (1 << 20)}, {}), ({}, {f"x-{n}": "y" for n in range(300)})):
        with contextlib.suppress(ConnectionError):  # closed while it was still being sent
            assert served.ask("SELECT 1", parameters, headers).status == 400
    long = f"SELECT length('{'x' * 50_000}')"
    assert served.ask(parameters={"query": long}, method="GET").body == b"50000\n"


def test_set_and_use_do_nothing(served: Served) -> None:
    for sql in ("SET max_threads = 1", "USE default", "USE shop"):
        assert (served.ask(sql).status, served.ask(sql).body) == (200, b"")
    assert served.ask("USE bank").code == 81


def test_settings_that_are_taken_capped_and_ignored(served: Served) -> None:
    assert (
        served.ask("SELECT toDateTime(0)", {"session_timezone": "Asia/Tokyo"}).text == "1970-01-01 09:00:00\n"
    )
    assert (
        served.ask("SELECT toDateTime(0) SETTINGS session_timezone = 'Asia/Tokyo'").text
        == "1970-01-01 09:00:00\n"
    )
    assert (
        served.ask("SELECT 1", {"session_timezone": "Asia/Tokyo"}).headers["x-clickhouse-timezone"]
        == "Asia/Tokyo"
    )
    for ignored in ({"readonly": "0"}, {"log_comment": "bank"}, {"max_memory_usage": "0"}, {"final": "1"}):
        assert served.ask("SELECT count() FROM spans", ignored).text == "3\n"
    assert served.ask("SELECT number FROM numbers(10)", {"max_result_rows": "5"}).code == 396
    assert served.ask("SELECT 1", {"join_use_nulls": "yes; DROP"}).status == 400
    assert served.ask("SELECT 1", {"max_execution_time": "-1"}).status == 400
    assert (
        "statistics" not in served.ask("SELECT 1 FORMAT JSON", {"output_format_write_statistics": "1"}).text
    )


def test_four_ways_to_log_in(served: Served) -> None:
    key = served.keys["shop"]
    basic = base64.b64encode(f"whoever:{key}".encode()).decode()
    ways: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {"Authorization": f"Basic {basic}"}),
        ({}, {"Authorization": f"Bearer {key}"}),
        ({}, {"X-ClickHouse-User": "x", "X-ClickHouse-Key": key}),
        ({"user": "x", "password": key}, {}),
        ({}, {"x-api-key": key}),
    ]
    for parameters, headers in ways:
        reply = served.ask("SELECT count() FROM spans", parameters, headers, project=None)
        assert (reply.status, reply.body) == (200, b"3\n"), (parameters, headers)


def test_without_a_key_there_is_no_answer(served: Served) -> None:
    none = served.ask("SELECT 1", project=None)
    assert (none.status, none.code) == (401, 194)
    assert none.headers["www-authenticate"].startswith("Basic")
    wrong = served.ask("SELECT 1", {"user": "shop", "password": "evs_" + "x" * 40}, project=None)
    assert (wrong.status, wrong.code) == (403, 516)
    # one way counts: a good key elsewhere does not mend a bad one
    both = served.ask(
        "SELECT 1", {"password": served.keys["shop"]}, {"X-ClickHouse-Key": "nonsense"}, project=None
    )
    assert both.status == 403


def test_a_key_of_a_project_reads_that_project_whatever_is_named(served: Served) -> None:
    for parameters in ({}, {"database": "default"}, {"database": "shop"}, {"user": "bank"}):
        reply = served.ask(
            "SELECT count() FROM spans",
            parameters,
            {"X-ClickHouse-User": "bank", "X-ClickHouse-Key": served.keys["shop"]},
            project=None,
        )
        assert reply.body == b"3\n"
    assert served.ask("SELECT 1", {"database": "bank"}).code == 81


def test_an_admin_key_names_the_project(served: Served) -> None:
    admin = {"X-ClickHouse-Key": served.keys[""]}
    for user, parameters, wanted in (
        ("bank", {}, b"1\n"), ("shop", {"database": "default"}, b"3\n"), ("anybody", {"database": "bank"}, b"1\n"),
        ("anybody", {}, b"0\n"), ("admin", {}, b"0\n"),
    ):  # fmt: skip
        reply = served.ask(
            "SELECT count() FROM spans", parameters, {**admin, "X-ClickHouse-User": user}, project=None
        )
        assert reply.body == wanted, user
    assert served.ask("SELECT 1", {"database": "nowhere"}, admin, project=None).code == 81


def test_an_admin_key_is_nothing_special_unless_the_setting_says_so(served: Served) -> None:
    reply = served.ask("SELECT count() FROM spans_raw", None, {"X-ClickHouse-User": "admin"}, project="")
    assert (reply.status, reply.code) == (404, 60)
