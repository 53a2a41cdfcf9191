"""Answers in every format, without loss."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sql.results import Format, Result, accepted, document, rendered
from api.sql.values import exact_decimal, exact_integer, rfc3339, text_or_base64
from tests.unit.sql.engine import Engine

VALUES: tuple[tuple[str, Any], ...] = (
    ("toUInt8(1)", 1),
    ("9007199254740992", 9007199254740992),
    ("9007199254740993", "9007199254740993"),
    ("toInt64(-9007199254740993)", "-9007199254740993"),
    ("toInt128(-5)", -5),
    ("toUInt256('340282366920938463463374607431768211456')", "340282366920938463463374607431768211456"),
    ("toFloat32(1.5)", 1.5),
    ("0.1", 0.1),
    ("nan", None),
    ("-inf", None),
    ("[1.5, inf]", [1.5, None]),
    ("toDecimal64('1.25', 4)", 1.25),
    ("toDecimal128('0.000000000000001', 15)", 1e-15),
    ("toDecimal128('12345678901234567890.123456789012345', 15)", "12345678901234567890.123456789012345"),
    ("toDecimal128('0.1234567890123456789', 19)", "0.1234567890123456789"),
    ("CAST(NULL, 'Nullable(Decimal(38, 15))')", None),
    ("NULL", None),
    ("true", True),
    ("'text'", "text"),
    ("unhex('ff00')", "/wA="),
    ("[unhex('ff'), 'ok']", ["/w==", "ok"]),
    ("map('k', unhex('ff'))", {"k": "/w=="}),
    ("toFixedString('ab', 2)", "ab"),
    ("toDate('2020-01-02')", "2020-01-02"),
    ("toDate32('1950-01-02')", "1950-01-02"),
    ("toDateTime('2020-01-01 12:00:00', 'UTC')", "2020-01-01T12:00:00Z"),
    ("toDateTime('2020-01-01 12:00:00', 'Europe/Berlin')", "2020-01-01T11:00:00Z"),
    ("toDateTime64('2020-01-01 00:00:00.123456789', 9, 'UTC')", "2020-01-01T00:00:00.123456789Z"),
    ("toDateTime64('1969-12-31 23:59:59.5', 3, 'UTC')", "1969-12-31T23:59:59.5Z"),
    ("toDateTime64('2299-01-01 00:00:00', 6, 'Asia/Tokyo')", "2298-12-31T15:00:00Z"),
    ("[toDateTime('2020-01-01 00:00:00', 'UTC'), NULL]", ["2020-01-01T00:00:00Z", None]),
    ("map('t', toDateTime64('2020-01-01 00:00:00.25', 3, 'UTC'))", {"t": "2020-01-01T00:00:00.25Z"}),
    ("(toDateTime('2020-01-01 00:00:00', 'UTC'), toIPv4('1.2.3.4'))", ["2020-01-01T00:00:00Z", "1.2.3.4"]),
    ("CAST((1, 'x'), 'Tuple(a UInt8, b String)')", {"a": 1, "b": "x"}),
    ("toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
    ("toIPv6('::1')", "::1"),
    ("CAST('it\\'s', 'Enum8(\\'a\\' = 1, \\'it\\\\\\'s\\' = -2)')", "it's"),
    ("map(1, [1, 2])", {"1": [1, 2]}),
    ("map((1, 'a'), NULL)", {'[1,"a"]': None}),
    ("toLowCardinality('x')", "x"),
    ("INTERVAL 3 DAY", 3),
    ("CAST('{\"a\": [1, null]}', 'JSON')", {"a": [1, None]}),
    ("CAST(1, 'Variant(UInt8, String)')", 1),
    ("CAST('x', 'Dynamic')", "x"),
    ("toTime('12:30:00')", "12:30:00"),
)


def _result(engine: Engine, sql: str, max_rows: int = 10_000) -> Result:
    return Result.of(engine.read(sql, max_rows=max_rows), 1.23456)


@pytest.mark.parametrize(("expression", "expected"), VALUES)
def test_json_value(engine: Engine, expression: str, expected: Any) -> None:
    body = rendered(_result(engine, f"SELECT {expression} AS v"), Format.JSON)
    assert json.loads(body.content)["data"] == [{"v": expected}]


def test_the_document(engine: Engine) -> None:
    answer = document(_result(engine, "SELECT number AS n, toString(number) AS s FROM numbers(3)", 2))
    assert answer == {
        "data": [{"n": 0, "s": "0"}, {"n": 1, "s": "1"}],
        "columns": [{"name": "n", "type": "UInt64"}, {"name": "s", "type": "String"}],
        "truncated": True,
        "elapsed_ms": 1.235,
    }


def test_no_rows_still_have_columns(engine: Engine) -> None:
    result = _result(engine, "SELECT start_time, tags, cost FROM spans WHERE 0")
    assert document(result)["data"] == []
    assert [column["type"] for column in document(result)["columns"]][1] == "Array(LowCardinality(String))"
    assert rendered(result, Format.NDJSON).content == b""
    assert rendered(result, Format.CSV).content == b"start_time,tags,cost\r\n"


def test_repeated_names_are_told_apart(engine: Engine) -> None:
    assert document(_result(engine, "SELECT 1, 1, 2 AS `1_2`, 1"))["data"] == [
        {"1": 1, "1_2": 1, "1_2_2": 2, "1_3": 1}
    ]


def test_ndjson_is_one_object_a_line(engine: Engine) -> None:
    body = rendered(_result(engine, "SELECT number AS n FROM numbers(3)"), Format.NDJSON)
    assert [json.loads(line) for line in body.content.splitlines()] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert body.headers == {}


def test_a_cut_answer_says_so_in_every_format(engine: Engine) -> None:
    result = _result(engine, "SELECT number AS n FROM numbers(3)", 2)
    for wanted in Format:
        assert rendered(result, wanted).headers == {"X-Evalstream-Truncated": "true"}


def test_csv(engine: Engine) -> None:
    sql = "SELECT 'a,\"b\"\n' AS s, NULL AS n, true AS b, ['x', 'ü'] AS a, map('k', 1) AS m, toDateTime(0, 'UTC') AS t"
    body = rendered(_result(engine, sql), Format.CSV)
    rows = list(csv.reader(io.StringIO(body.content.decode(), newline="")))
    assert rows == [
        ["s", "n", "b", "a", "m", "t"],
        ['a,"b"\n', "", "true", '["x","ü"]', '{"k":1}', "1970-01-01T00:00:00Z"],
    ]
    assert body.media_type.startswith("text/csv")


TYPED = (
    "SELECT toDateTime('2020-01-01 00:00:00', 'UTC') AS t, CAST('a', 'Enum8(\\'a\\' = 1)') AS e, toIPv4('1.2.3.4') AS ip,"
    " toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS u, unhex('ff') AS raw, 'x' AS s, toDecimal64(1, 2) AS d,"
    " CAST(1, 'Variant(UInt8, String)') AS v, [1, 2] AS a, map('k', 1) AS m, toDateTime64('2020-01-01 00:00:00', 9, 'UTC') AS ns"
)
TYPED_ARROW = {
    "t": pa.timestamp("s", tz="UTC"), "e": pa.string(), "ip": pa.string(), "u": pa.string(), "raw": pa.binary(),
    "s": pa.string(), "d": pa.decimal128(18, 2), "v": pa.string(), "ns": pa.timestamp("ns", tz="UTC"),
}  # fmt: skip


def test_arrow(engine: Engine) -> None:
    table = pa.ipc.open_stream(rendered(_result(engine, TYPED), Format.ARROW).content).read_all()
    assert {name: table.schema.field(name).type for name in TYPED_ARROW} == TYPED_ARROW
    assert table.column("e").to_pylist() == ["a"]
    assert table.column("a").to_pylist() == [[1, 2]]


def test_parquet(engine: Engine) -> None:
    table = pq.read_table(io.BytesIO(rendered(_result(engine, TYPED), Format.PARQUET).content))
    assert table.column("ip").to_pylist() == ["1.2.3.4"]
    assert table.column("raw").to_pylist() == [b"\xff"]
    assert table.column("v").to_pylist() == ["1"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Format.JSON),
        ("", Format.JSON),
        ("*/*", Format.JSON),
        ("text/html,*/*;q=0.8", Format.JSON),
        ("application/x-ndjson", Format.NDJSON),
        ("application/jsonl", Format.NDJSON),
        ("Text/CSV; charset=utf-8", Format.CSV),
        ("text/csv;q=0.5, application/vnd.apache.parquet", Format.PARQUET),
        ("application/vnd.apache.arrow.stream", Format.ARROW),
        ("text/csv;q=0, application/json", Format.JSON),
        ("text/csv;q=zero", Format.JSON),
    ],
)
def test_accept(header: str | None, expected: Format) -> None:
    assert accepted(header) is expected


@given(st.integers())
def test_integers_survive(value: int) -> None:
    shown = exact_integer(value)
    assert int(shown) == value
    assert isinstance(shown, str) or float(shown) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=15))
def test_decimals_survive(value: Any) -> None:
    shown = exact_decimal(value)
    assert type(value)(shown if isinstance(shown, str) else repr(shown)) == value


@given(st.binary())
def test_bytes_always_have_a_text(value: bytes) -> None:
    assert text_or_base64(value).encode() == value or text_or_base64(value).isascii()


@given(st.datetimes(), st.sampled_from([0, 3, 6]))
def test_times_survive(value: Any, digits: int) -> None:
    moment = value.replace(microsecond=value.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits))
    count = (moment - type(value)(1970, 1, 1)) // type(moment - value)(microseconds=1) // 10 ** (6 - digits)
    assert type(value).fromisoformat(rfc3339(count, digits)).replace(tzinfo=None) == moment
