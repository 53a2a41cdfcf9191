"""Reading the engine's names of types."""

from __future__ import annotations

import pytest

from api.sql.types import parsed, types_of
from tests.unit.sql.engine import Engine


@pytest.mark.parametrize(
    ("text", "family", "inner"),
    [
        ("UInt64", "UInt64", []),
        ("LowCardinality(Nullable(String))", "String", []),
        ("Nullable(Decimal(38, 15))", "Decimal", []),
        ("DateTime64(9, 'UTC')", "DateTime64", []),
        ("Array(LowCardinality(String))", "Array", ["LowCardinality(String)"]),
        ("Map(LowCardinality(String), Array(Tuple(UInt8, String)))", "Map", ["LowCardinality(String)", "Array(Tuple(UInt8, String))"]),
        ("Tuple(a UInt8, `b c` Array(Int8))", "Tuple", ["UInt8", "Array(Int8)"]),
        ("Tuple(\n    a UInt8,\n    b Tuple(\n        c String))", "Tuple", ["UInt8", "Tuple(c String)"]),
        ("Enum8('a, (b' = 1, 'it\\'s' = -2)", "Enum8", []),
    ],
)  # fmt: skip
def test_families(text: str, family: str, inner: list[str]) -> None:
    kind = parsed(text)
    assert kind.family == family
    assert [item.text for item in kind.inner] == inner


def test_names_of_tuples() -> None:
    assert parsed("Tuple(a UInt8, `b c` Array(Int8))").names == ("a", "b c")
    assert parsed("Tuple(UInt8, String)").names == ()


def test_arguments() -> None:
    assert parsed("Nullable(Decimal(38, 15))").arguments == ("38", "15")
    assert parsed("Enum8('a, (b' = 1, 'it\\'s' = -2)").arguments == ("'a, (b' = 1", "'it\\'s' = -2")


def test_columns_of_a_query_s_answer(engine: Engine) -> None:
    sql = "SELECT name, count() AS n, toStartOfHour(any(start_time)) AS hour, sum(cost) FROM spans GROUP BY name"
    assert [kind.text for kind in types_of(engine.read(sql))] == [
        "LowCardinality(String)", "UInt64", "DateTime('UTC')", "Nullable(Decimal(38, 15))",
    ]  # fmt: skip
