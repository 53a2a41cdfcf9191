"""Values as people read them, and telemetry that must not reach a terminal as it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.text import clean, count, duration, moment, money, plain, shortened, size


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, ""),
        (0, "0.0 ms"),
        (9.94, "9.9 ms"),
        (12.3, "12 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (1234, "1.23 s"),
        (54_000, "54.00 s"),
        (125_000, "2 m 05 s"),
        (3_599_999, "59 m 59 s"),
        (11_220_000, "3 h 07 m"),
    ],
)
def test_durations(ms: float | None, text: str) -> None:
    assert duration(ms) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(None, ""), (0, "$0.00"), (0.000123456, "$0.0001235"), (12.345, "$12.35"), ("1234.5", "$1,234.50")],
)
def test_money(dollars: Any, text: str) -> None:
    assert money(dollars) == text


def test_unknown_is_not_zero() -> None:
    assert (count(None), count(0), count(1234567)) == ("", "0", "1,234,567")


def test_times_are_utc_and_name_another_year() -> None:
    assert moment("2001-02-03T04:05:06.123456789Z") == "2001-02-03 04:05:06"
    assert moment("2001-02-03T04:05:06+00:00") == "2001-02-03 04:05:06"
    assert moment(None) == ""


@pytest.mark.parametrize(
    ("bytes_", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes(bytes_: int, text: str) -> None:
    assert size(bytes_) == text


@given(st.text())
def test_what_is_shown_is_printable(text: str) -> None:
    assert clean(text).isprintable()
    assert len(clean(text)) == len(text)


@given(st.text())
def test_a_tab_separated_value_is_one_cell(text: str) -> None:
    assert not set(plain(text)) & set("\t\r\n\x1b")


@given(st.text(), st.integers(2, 50))
def test_shortened_text_is_one_line_that_fits(text: str, length: int) -> None:
    line = shortened(text, length)
    assert len(line) <= length
    assert line.isprintable()


def test_an_escape_sequence_is_made_visible() -> None:
    assert clean("\x1b[2Jgone\u202e") == "\N{REPLACEMENT CHARACTER}[2Jgone\N{REPLACEMENT CHARACTER}"


def test_values_for_programs() -> None:
    assert [plain(value) for value in (None, True, 1.5, "a\tb", ["ü"], {"a": 1})] == [
        "", "true", "1.5", "a b", '["ü"]', '{"a": 1}',
    ]  # fmt: skip
