"""Where the data of an INSERT begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sql_http.inserts import Insert, insert_of, is_insert


@pytest.mark.parametrize(
    ("text", "sql", "format", "data"),
    [
        ("INSERT INTO t FORMAT CSV\n1\n", "INSERT INTO t", "CSV", "1\n"),
        ("insert into t (a, b) format Native\r\nxyz", "insert into t (a, b)", "Native", "xyz"),
        ("INSERT INTO t FORMAT TSV  \n\n1", "INSERT INTO t", "TSV", "\n1"),
        ("INSERT INTO t FORMAT TSV;\n1", "INSERT INTO t", "TSV", "1"),
        ("INSERT INTO t VALUES (1)", "INSERT INTO t", "Values", " (1)"),
        ("INSERT INTO `format x` SETTINGS a = 'VALUES' FORMAT CSV 1", "INSERT INTO `format x` SETTINGS a = 'VALUES'", "CSV", "1"),
        ("INSERT INTO FUNCTION f('x', 'format String') FORMAT CSV 1", "INSERT INTO FUNCTION f('x', 'format String')", "CSV", "1"),
        ("-- FORMAT\n/* VALUES */ INSERT INTO t FORMAT CSV", "-- FORMAT\n/* VALUES */ INSERT INTO t", "CSV", ""),
    ],
)  # fmt: skip
def test_statement_format_and_data(text: str, sql: str, format: str, data: str) -> None:
    found = insert_of(text.encode())
    assert found is not None
    assert (found.sql, found.format, text[found.data :]) == (sql, format, data)
    assert is_insert(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t SELECT 1 FORMAT CSV",
        "INSERT INTO t WITH 1 AS x SELECT x",
        "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        "INSERT INTO t",
        "",
    ],
)
def test_an_insert_without_data(text: str) -> None:
    assert insert_of(text.encode()) is None


@given(st.binary(max_size=300))
def test_data_of_any_bytes_are_left_alone(data: bytes) -> None:
    head = b"INSERT INTO t FORMAT Native\n"
    assert insert_of(head + data) == Insert("INSERT INTO t", "Native", len(head))


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    assert is_insert(b"SELECT " + data) is False
    insert_of(data)
