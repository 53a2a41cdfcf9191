"""Settings: which are taken, which only lower a limit, which are left."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sql_http.options import CHANGEABLE, FIXED, REFUSED, lowered, taken
from api.sql_http.problems import ProtocolError
from schemas.ports import ReadLimits

LIMITS = ReadLimits(seconds=10, memory_bytes=1000, result_rows=0, result_bytes=500, threads=2)


def test_limits_are_only_lowered() -> None:
    less = {
        "max_execution_time": "2.5",
        "max_memory_usage": 999,
        "max_result_rows": "7",
        "max_result_bytes": "400",
        "max_threads": "1",
    }
    assert lowered(LIMITS, less) == ReadLimits(2.5, 999, 7, 400, 1)
    more = {
        "max_execution_time": "100",
        "max_memory_usage": "10000",
        "max_result_bytes": "501",
        "max_threads": "64",
    }
    assert lowered(LIMITS, more) == LIMITS
    assert lowered(LIMITS, dict.fromkeys(more, "0")) == LIMITS


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e3", "", " 1", "1;", "0x10", "１"])
def test_what_is_no_number(value: str) -> None:
    with pytest.raises(ProtocolError):
        lowered(LIMITS, {"max_execution_time": value})


def test_others_are_left() -> None:
    given = {
        "readonly": "0",
        "log_comment": "bank",
        "output_format_schema": "/etc/passwd",
        "format_template_row": "x",
        "dialect": "prql",
    }
    assert taken(given) == FIXED
    assert taken({"output_format_write_statistics": "1"}) == FIXED
    assert not CHANGEABLE & given.keys()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_would_change_an_answer_is_refused(name: str) -> None:
    assert taken({name: "{}"}) == FIXED
    with pytest.raises(ProtocolError, match="write the condition in the query"):
        taken({name: "{'spans': 'cost > 1'}"})


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("join_use_nulls", "1", "2"), ("session_timezone", "Europe/Berlin", "../../etc/passwd"), ("date_time_output_format", "ISO", "x"),
        ("format_csv_delimiter", ";", ";;"), ("limit", "10", "-1"), ("offset", "3", "x"),
        ("output_format_pretty_max_rows", "10", "-1"),
        ("output_format_parquet_compression_method", "zstd", "lzma"),
    ],
)  # fmt: skip
def test_values_have_their_form(name: str, good: str, bad: str) -> None:
    assert taken({name: good}) == {**FIXED, name: good}
    with pytest.raises(ProtocolError):
        taken({name: bad})


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30)))
def test_nothing_else_reaches_the_engine(given: dict[str, str]) -> None:
    with contextlib.suppress(ProtocolError):
        assert taken(given).keys() <= CHANGEABLE | FIXED.keys()
